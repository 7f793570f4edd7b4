// The table of runs: two of them are compared, so a third tick takes the place of the oldest.

let ticked = [];

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-pick-two] input[type=checkbox]");
  if (!box) return;
  ticked = ticked.filter((other) => other !== box && other.isConnected && other.checked);
  if (box.checked) ticked.push(box);
  while (ticked.length > 2) ticked.shift().checked = false;
});

// While somebody chooses, the table stays as it is.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "runs" && event.target.querySelector(":checked")) event.preventDefault();
});
