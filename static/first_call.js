// Asks whether a key was called yet, and says so on the page. It asks less and less often, only while the
// page is looked at, and stops after half an hour; "Check now" asks at once.
(() => {
  const PAUSES = [[60_000, 2000], [300_000, 5000], [1_800_000, 15_000]];
  const start = (box) => {
    const began = performance.now();
    const link = box.querySelector("a");
    const told = box.querySelector("[data-told]");
    let timer = 0, asking = false;
    const show = (kind, said) => {
      for (const each of ["waits", "works", "refused"]) box.querySelector(`.${each}`).hidden = each !== kind;
      const line = box.querySelector(`.${kind}`);
      const words = line.querySelector("[data-said]");
      if (words && words.textContent !== said) words.textContent = said;
      if (told.textContent !== line.textContent) told.textContent = line.textContent;
    };
    const ask = async () => {
      if (asking || box.classList.contains("called")) return;
      asking = true;
      clearTimeout(timer);
      try {
        const answer = await fetch(box.dataset.ask, { headers: { Accept: "application/json" }, redirect: "error" });
        if (answer.ok) take(await answer.json());
      } catch { /* the line is down, or the session is over: the link still leads on */ }
      asking = false;
      wait();
    };
    const take = ({ called, said }) => {
      if (called) {
        box.classList.add("called");
        show("works", said);
        link.firstChild.textContent = link.dataset.open;
      } else if (said) show("refused", said);
    };
    const wait = () => {
      const pause = PAUSES.find(([until]) => performance.now() - began < until);
      if (pause && !document.hidden && !box.classList.contains("called")) timer = setTimeout(ask, pause[1]);
    };
    link.addEventListener("click", (event) => {
      if (box.classList.contains("called")) return;
      event.preventDefault();
      ask();
    });
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (!document.hidden) ask();
    });
    wait();
  };
  document.querySelectorAll("[data-ask]").forEach(start);
})();
