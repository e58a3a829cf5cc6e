// The form of a new key says in a sentence what is being created, as it is typed; and adds the reader's
// address without a round trip. Without scripts the form works as well.
(() => {
  const form = document.querySelector("form.create");
  const told = document.getElementById("told");
  if (!form || !told) return;
  const words = told.dataset;
  const chosen = (name) => form.querySelector(`[name="${name}"]:checked`)?.closest("label");
  const text = (element) => element?.textContent.trim() ?? "";
  const part = (template, hole, value) => {
    const [before, after] = template.split(`{${hole}}`);
    const strong = document.createElement("strong");
    strong.textContent = value;
    return [before, strong, after ?? ""];
  };
  const end = () => {
    const label = chosen("expires");
    if (!label) return "";
    if (label.querySelector("input").value !== "date") return text(label.querySelector("small"));
    const day = form.elements.expires_on.valueAsDate;
    return day ? day.toLocaleDateString(document.documentElement.lang, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" }) : "";
  };
  const tell = () => {
    const name = form.elements.name.value.trim();
    const parts = [name ? part(words.name, "name", name) : [words.nameless]];
    const isService = chosen("kind")?.querySelector("input").value === "service";
    const level = chosen("level");
    if (isService) parts.push([words.service]);
    else if (level) parts.push(part(words.level, "level", [".pill", "span:last-child"].map((each) => text(level.querySelector(each))).join(" ")));
    const from = form.elements.networks.value.trim().split(/[\s,]+/).filter((each) => each && !each.startsWith("!"));
    if (from.length) parts.push(part(words.from, "addresses", from.join(", ")));
    const until = end();
    if (until) parts.push(part(words.end, "end", until));
    told.replaceChildren(...parts.flatMap((each, i) => (i ? [i === 1 ? " " : ", ", ...each] : each)), ".");
  };
  const mine = form.querySelector("[name=mine]");
  mine.addEventListener("click", (event) => {
    event.preventDefault();
    const field = form.elements.networks;
    const typed = field.value.trim().split(/[\s,]+/).filter(Boolean);
    if (!typed.includes(mine.dataset.address)) field.value = [...typed, mine.dataset.address].join(" ");
    field.focus();
    tell();
  });
  form.addEventListener("input", tell);
  told.hidden = false;
  tell();
})();
