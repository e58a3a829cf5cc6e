// Lists, where scripts run: select a whole page, search with "/", close a menu with Escape or a click beside it.
(() => {
  const all = document.querySelector("[data-all]");
  if (all) {
    const rows = [...document.querySelectorAll(".pick input[name=key]")];
    all.hidden = rows.length === 0;
    all.addEventListener("change", () => { for (const row of rows) row.checked = all.checked; });
    const tell = () => {
      const chosen = rows.filter((row) => row.checked).length;
      all.checked = chosen > 0 && chosen === rows.length;
      all.indeterminate = chosen > 0 && chosen < rows.length;
    };
    for (const row of rows) row.addEventListener("change", tell);
    all.form?.addEventListener("reset", () => setTimeout(tell));
    tell();
  }
  const search = document.querySelector(".find input[type=search]");
  const hint = document.querySelector(".find kbd");
  if (hint) hint.hidden = false;
  const close = (but) => {
    for (const menu of document.querySelectorAll("details[name=row][open]")) if (!menu.contains(but)) menu.open = false;
  };
  document.addEventListener("click", (event) => close(event.target));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      const menu = event.target.closest("details[name=row][open]");
      close(null);
      menu?.querySelector("summary").focus();
    } else if (event.key === "/" && search && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });
})();
