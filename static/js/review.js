// The card of the review queue: keys for verdicts, the overlay with the keys, and the next card's pictures in advance.

const VERDICTS = { k: "keep", x: "reject", m: "merge", d: "distinct" };
const dialog = document.querySelector("[data-keys]");
const card = () => document.querySelector("[data-review-card]");

function showKeys() {
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

function fetchAhead() {
  for (const each of document.querySelectorAll("[data-next-picture]")) new Image().src = each.dataset.nextPicture;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) showKeys();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=range]), textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?") { showKeys(); event.preventDefault(); return; }
  // A key held down must not judge a row of cards, nor one that is still on its way.
  if (dialog.open || event.repeat || card().matches(".htmx-request, :has(.htmx-request)")) return;
  const verdict = VERDICTS[event.key];
  const button = verdict
    ? card().querySelector(`[data-verdict] button[value="${verdict}"]`)
    : event.key === "u" ? card().querySelector("[data-undo] button, .undo button") : null;
  if (!button) return;
  button.click();
  event.preventDefault();
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  if (!document.querySelector("[data-review-card]")) return;
  card().querySelector("[data-review-title]").focus({ preventScroll: true });
  if (event.detail.target?.id === "review-card") window.scrollTo({ top: 0 });
  fetchAhead();
});

fetchAhead();
