// A page that a browser brings back out of its memory may be of a session that has ended since.
// So it is put away hidden, and asked for anew before anything of it is seen.
(() => {
  const page = document.documentElement;
  addEventListener("pagehide", () => { page.hidden = true; });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
    else page.hidden = false;
  });
})();
