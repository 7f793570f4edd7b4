// The lesion list: filters in a drawer on small screens, and keys to walk through the results.

const form = document.getElementById("filters");
const opener = document.querySelector("[data-drawer]");

function drawer(open) {
  form.classList.toggle("open", open);
  opener.setAttribute("aria-expanded", String(open));
  document.documentElement.classList.toggle("drawer-open", open);
  if (open) form.querySelector("[data-drawer-close]").focus();
}

opener.addEventListener("click", () => drawer(true));
for (const button of form.querySelectorAll("[data-drawer-close]")) button.addEventListener("click", () => { drawer(false); opener.focus(); });

// Ticks and choices count at once, typed numbers when the typing pauses; nothing is asked twice.
const wish = () => new URLSearchParams(new FormData(form)).toString();
let asked = wish();
let pause;

function ask() {
  clearTimeout(pause);
  if (wish() === asked) return;
  asked = wish();
  window.htmx.trigger(form, "filter");
}

form.addEventListener("change", ask);
form.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(ask, 450); });
form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });

// Empty fields say nothing; the address is clean without them.
document.body.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt !== form) return;
  const { parameters } = event.detail;
  for (const name of Object.keys(parameters)) {
    if (parameters[name] === "" || (Array.isArray(parameters[name]) && !parameters[name].length)) delete parameters[name];
  }
});

// The view that was chosen stays when a filter changes.
document.body.addEventListener("htmx:afterSettle", () => {
  const current = document.querySelector("#results .segmented [aria-current]");
  if (current) form.elements.view.value = new URL(current.href).searchParams.get("view") ?? "";
});

const links = () => [...document.querySelectorAll("#results [data-row]")];

function step(by) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by));
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && form.classList.contains("open")) { drawer(false); opener.focus(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "/") { if (getComputedStyle(opener).display !== "none") drawer(true); form.querySelector("[data-search]").focus(); }
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "ArrowDown" && document.activeElement.closest("tbody [data-row]")) step(1);
  else if (event.key === "ArrowUp" && document.activeElement.closest("tbody [data-row]")) step(-1);
  else return;
  event.preventDefault();
});
