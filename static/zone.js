// Tells the portal the time zone of this browser, so that its pages can name times as clocks here show them.
(() => {
  const { path } = document.currentScript.dataset;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || document.cookie.split("; ").includes(`zone=${zone}`)) return;
  const safe = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=${path}; Max-Age=31536000; SameSite=Lax${safe}`;
})();
