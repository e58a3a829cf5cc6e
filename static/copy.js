// Copy buttons: they show themselves where the clipboard can be written.
(() => {
  if (!navigator.clipboard) return;
  const said = document.createElement("p");
  said.className = "hide";
  said.setAttribute("role", "status");
  document.body.append(said);
  for (const button of document.querySelectorAll("[data-copy], [data-copy-text]")) {
    const source = document.getElementById(button.dataset.copy);
    const text = button.querySelector("span");
    const before = text.textContent;
    button.hidden = false;
    button.closest("li[hidden]")?.removeAttribute("hidden");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copyText ?? source.value ?? source.textContent);
      } catch {
        if (!source) return;
        getSelection().selectAllChildren(source);
        source.select?.();
        return;
      }
      button.dispatchEvent(new CustomEvent("copied", { bubbles: true, detail: source.id }));
      text.textContent = said.textContent = button.dataset.copied;
      setTimeout(() => { text.textContent = before; said.textContent = ""; }, 2500);
    });
  }
})();
