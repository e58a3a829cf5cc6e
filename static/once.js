// The page with the secret: leaving it unsaved asks first, and the secret can be
// taken away as an .env file. Nothing is sent anywhere.
(() => {
  const page = document.getElementById("once");
  const secret = document.getElementById("secret");
  const stored = document.getElementById("stored");
  const download = document.getElementById("download");
  if (!page) return;
  if (document.activeElement === secret) secret.select();
  secret.addEventListener("focus", () => secret.select());
  for (const part of page.querySelectorAll("[data-script]")) part.hidden = false;
  addEventListener("beforeunload", (event) => {
    if (!stored.checked) event.preventDefault();
  });
  download.addEventListener("click", () => {
    const lines = document.getElementById("env").textContent;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines + "\n"], { type: "text/plain" }));
    link.download = download.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    stored.checked = true;
  });
})();
