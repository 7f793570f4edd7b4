// The API's documentation, drawn from its schema, in the theme of the page.

import { isDark } from "./site.js";

const target = document.getElementById("swagger");

function follow() {
  document.documentElement.classList.toggle("dark-mode", isDark());
}

follow();
document.addEventListener("themechange", follow);

window.SwaggerUIBundle({
  url: target.dataset.schema,
  domNode: target,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
