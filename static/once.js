// The page with the secret: leaving it unsaved asks first, and the secret can be taken away by a copy or
// as an .env file, which both count as stored. Nothing is sent anywhere.
(() => {
  const page = document.getElementById("once");
  if (!page) return;
  const [secret, stored, why, download, env] =
    ["secret", "stored", "why", "download", "env"].map((id) => document.getElementById(id));
  // Back and a reload come to the page of the key: the answer to a form can't be loaded again.
  history.replaceState(null, "", page.dataset.place);
  if (document.activeElement === secret) secret.select();
  secret.addEventListener("focus", () => secret.select());
  for (const part of page.querySelectorAll("[data-script]")) part.hidden = false;
  const store = (how) => {
    if (stored.checked) return;
    stored.checked = true;
    why.textContent = how;
  };
  stored.addEventListener("change", () => { why.textContent = ""; });
  addEventListener("beforeunload", (event) => {
    if (!stored.checked) event.preventDefault();
  });
  page.addEventListener("copied", (event) => {
    if (["secret", "env"].includes(event.detail)) store(why.dataset.copied);
  });
  secret.addEventListener("copy", () => {
    if (getSelection().toString().includes(secret.value) || secret.selectionEnd - secret.selectionStart === secret.value.length) store(why.dataset.copied);
  });
  download.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([env.textContent + "\n"], { type: "text/plain" }));
    link.download = download.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    store(why.dataset.downloaded);
  });
})();
