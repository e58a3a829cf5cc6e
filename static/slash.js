// "/" goes to the search of the page, as long as nobody is writing.
(() => {
  const field = document.querySelector("[data-slash]");
  if (!field) return;
  const hint = field.parentElement.querySelector("kbd");
  if (hint) hint.hidden = false;
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
})();
