// A form is sent once: a second submit is held back while the first is on its way. It is only
// held for a while, so that who has stopped a slow page can send it again. No button is
// disabled, and the one that was pressed goes along.
(() => {
  const HELD = 8000;
  let sent = new WeakMap();
  addEventListener("submit", (event) => {
    const form = event.target, now = performance.now();
    if (event.defaultPrevented || form.method !== "post") return;
    if (now - (sent.get(form) ?? -HELD) < HELD) event.preventDefault();
    else sent.set(form, now);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) sent = new WeakMap();
  });
})();
