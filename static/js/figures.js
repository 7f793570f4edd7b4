// Draws the page's figures with Plotly in the colours of the theme, and again when the theme changes.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// "--figure" or, see-through, "--figure/0.2".
function shade(name, opacity) {
  const colour = token(name);
  if (!opacity) return colour;
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgba(${parts.join(",")},${opacity})`;
}

function coloured(value) {
  if (typeof value === "string") {
    if (value.startsWith("token:")) return shade(...value.slice(6).split("/"));
    if (value === "scale:figure") return [[0, token("--scale-low")], [0.35, token("--scale-middle")], [1, token("--scale-high")]];
    return value;
  }
  if (Array.isArray(value)) return value.map(coloured);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item)]));
  return value;
}

function themed(layout) {
  const axis = {
    gridcolor: token("--line-soft"), linecolor: token("--line"), zerolinecolor: token("--line"), tickcolor: token("--line"),
    automargin: true, fixedrange: true, ticks: "", title: { standoff: 8 },
  };
  const merge = (own = {}) => ({ ...axis, ...own, title: { ...axis.title, ...own.title } });
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: token("--font"), size: 12, color: token("--text-soft") },
    margin: { l: 8, r: 24, t: 8, b: 8 }, bargap: 0.25, showlegend: false, separators: ".,",
    hoverlabel: { bgcolor: token("--surface-raised"), bordercolor: token("--line"), font: { color: token("--text"), family: token("--font") } },
    ...layout, xaxis: merge(layout.xaxis), yaxis: merge(layout.yaxis),
  };
}

// Beside the bars of a narrow figure there is no room for a long name in one line, and a cut one may say the opposite.
function broken(name) {
  return typeof name === "string" ? name.replace(/(.{10,}?) /g, "$1<br>") : name;
}

function draw(plot) {
  const figure = coloured(JSON.parse(document.getElementById(plot.dataset.figure).textContent));
  if (plot.clientWidth < 480) {
    for (const trace of figure.data) if (trace.orientation === "h") trace.y = trace.y.map(broken);
  }
  window.Plotly.react(plot, figure.data, themed(figure.layout), { displayModeBar: false, responsive: true });
}

const plots = [...document.querySelectorAll("[data-figure]")];

function drawAll() {
  if (window.Plotly) plots.forEach(draw);
}

drawAll();
document.addEventListener("themechange", drawAll);

// A part of the page that is fetched again and again brings the newest numbers of a figure that stays in its place.
document.body.addEventListener("htmx:afterSettle", () => {
  for (const live of document.querySelectorAll("[data-live-figure]")) {
    const kept = document.getElementById(live.dataset.liveFigure);
    if (!kept || kept.textContent === live.textContent) continue;
    kept.textContent = live.textContent;
    plots.filter((plot) => plot.dataset.figure === live.dataset.liveFigure).forEach(draw);
  }
});
