// Sets the remembered theme before anything is drawn.
(function () {
  var theme = null;
  try { theme = localStorage.getItem("theme"); } catch (error) { /* storage is off: the system's theme it is */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  document.documentElement.classList.add("scripts");
})();
