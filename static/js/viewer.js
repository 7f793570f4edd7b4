// The slice with its axes: windows, neighbouring slices, zoom, scale bar.

const SMALLEST_VIEW_MM = 70;
const SVG = "http://www.w3.org/2000/svg";

// Whoever zoomed to one lesion of a queue wants to see the next one likewise.
let zoomed = false;

class Viewer {
  constructor(element) {
    this.data = JSON.parse(element.dataset.viewer);
    this.element = element;
    this.find = (name) => element.querySelector(`[data-${name}]`);
    this.stage = this.find("stage");
    this.picture = this.find("picture");
    this.image = this.find("image");
    this.axes = this.find("axes");
    this.slider = this.find("slider");
    this.index = this.data.key;
    this.window = element.querySelector('[data-window][aria-pressed="true"]').dataset.window;
    this.zoomed = zoomed;
    this.find("zoom").setAttribute("aria-pressed", String(zoomed));
    this.overlay = true;
    this.ready = new Map();
    this.slider.max = String(this.data.slices.length - 1);
    for (const part of element.querySelectorAll(".slice-bar button, .slice-bar input")) part.disabled = this.data.slices.length < 2;
    this.drawAxes();
    this.bind();
    this.show();
    this.frame();
  }

  // A pixel's centre is a whole number, its left edge half a pixel before it; the drawing counts from the edge.
  drawAxes() {
    const [x11, y11, x12, y12, x21, y21, x22, y22] = this.data.points.map((value) => value + 0.5);
    const [left, top, right, bottom] = this.data.box.map((value) => value + 0.5);
    const set = (selector, values) => {
      const shape = this.axes.querySelector(selector);
      for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value);
    };
    set(".long", { x1: x11, y1: y11, x2: x12, y2: y12 });
    set(".short", { x1: x21, y1: y21, x2: x22, y2: y22 });
    set(".box", { x: left, y: top, width: right - left, height: bottom - top });
    for (const other of this.data.others ?? []) this.drawOther(other);
    const stretch = this.data.spacing[1] / this.data.spacing[0];
    this.find("frame").setAttribute("transform", `scale(1 ${stretch})`);
    this.stretch = stretch;
  }

  // The other mark of a pair, on its own slice.
  drawOther({ number, points }) {
    const ends = points.map((value) => value + 0.5);
    for (const start of [0, 4]) {
      const line = document.createElementNS(SVG, "line");
      const [x1, y1, x2, y2] = ends.slice(start, start + 4);
      for (const [name, value] of Object.entries({ x1, y1, x2, y2, class: "axis other", "vector-effect": "non-scaling-stroke", "data-on": number })) line.setAttribute(name, value);
      this.axes.append(line);
    }
  }

  bind() {
    for (const button of this.element.querySelectorAll("[data-window]")) {
      button.addEventListener("click", () => this.choose(button));
    }
    for (const button of this.element.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.go(this.index + Number(button.dataset.step)));
    }
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.find("key-slice").addEventListener("click", () => this.go(this.data.key));
    this.find("zoom").addEventListener("click", () => this.toggleZoom());
    this.find("overlay").addEventListener("click", () => this.toggleOverlay());
    this.stage.addEventListener("dblclick", () => this.toggleZoom());
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    const key = (event) => {
      // A card that was replaced leaves nothing listening.
      if (this.element.isConnected) this.key(event);
      else document.removeEventListener("keydown", key);
    };
    document.addEventListener("keydown", key);
    new ResizeObserver(() => this.scale()).observe(this.stage);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range]), textarea, select")) return;
    if (document.querySelector("dialog[open]")) return;
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[event.key];
    if (step && event.key.startsWith("Page") && document.activeElement !== this.stage) return;
    if (step && event.target !== this.slider) {
      if (this.data.slices.length < 2) return;
      this.go(this.index + step);
    } else if (/^[0-4]$/.test(event.key)) this.choose(this.element.querySelectorAll("[data-window]")[Number(event.key)]);
    else if (event.key === "z") this.toggleZoom();
    else if (event.key === "o") this.toggleOverlay();
    else if (event.key === "p" || event.key === "n") {
      if (this.element === document.querySelector("[data-viewer]")) document.querySelector(`[data-key="${event.key}"]`)?.click();
      return;
    }
    else return;
    event.preventDefault();
  }

  wheel(event) {
    if (event.ctrlKey || this.data.slices.length < 2) return;
    event.preventDefault();
    this.wheeled = (this.wheeled ?? 0) + event.deltaY;
    if (Math.abs(this.wheeled) < 40) return;
    this.go(this.index + Math.sign(this.wheeled));
    this.wheeled = 0;
  }

  choose(button) {
    this.window = button.dataset.window;
    for (const other of this.element.querySelectorAll("[data-window]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    this.ready.clear();
    this.show();
  }

  go(index) {
    const next = Math.max(0, Math.min(this.data.slices.length - 1, index));
    if (next === this.index) return;
    this.index = next;
    this.show();
  }

  address(index) {
    const [low, high] = this.window.split(",");
    return `${this.data.slices[index].url}?low=${low}&high=${high}`;
  }

  show() {
    const { index } = this;
    const slice = this.data.slices[index];
    const off = slice.number - this.data.slices[this.data.key].number;
    const address = this.address(index);
    this.slider.value = String(index);
    this.slider.setAttribute("aria-valuetext", `slice ${slice.number}`);
    const [low, high] = this.window.split(",").map(Number);
    this.find("slice-reading").textContent = off ? `slice ${slice.number} (${off > 0 ? "+" : "−"}${Math.abs(off)})` : `slice ${slice.number}, key slice`;
    this.find("window-reading").textContent = `${low} to ${high} HU`.replaceAll("-", "−");
    this.axes.classList.toggle("elsewhere", off !== 0);
    for (const line of this.axes.querySelectorAll(".other")) line.style.display = line.dataset.on === String(slice.number) ? "inline" : "none";
    this.find("stage-note").hidden = slice.stored;
    this.stage.classList.toggle("no-image", !slice.stored);
    if (!slice.stored) { this.image.removeAttribute("href"); return; }
    this.fetch(index).then(() => {
      // Only the latest wish counts, when slices are passed quickly.
      if (this.address(this.index) === address) { this.image.setAttribute("href", address); this.stage.dataset.shown = address; }
    }).catch(() => { this.find("stage-note").hidden = false; });
    for (const near of [index + 1, index - 1, index + 2, index - 2]) {
      if (this.data.slices[near]?.stored) this.fetch(near).catch(() => {});
    }
  }

  fetch(index) {
    const address = this.address(index);
    if (!this.ready.has(address)) {
      const image = new Image();
      image.src = address;
      this.ready.set(address, image.decode());
    }
    return this.ready.get(address);
  }

  toggleZoom() {
    this.zoomed = zoomed = !this.zoomed;
    this.find("zoom").setAttribute("aria-pressed", String(this.zoomed));
    this.frame();
  }

  toggleOverlay() {
    this.overlay = !this.overlay;
    this.find("overlay").setAttribute("aria-pressed", String(this.overlay));
    this.axes.classList.toggle("off", !this.overlay);
  }

  frame() {
    const { columns, rows, box, spacing } = this.data;
    let view = [0, 0, columns, rows * this.stretch];
    if (this.zoomed) {
      const [left, top, right, bottom] = box.map((value) => value + 0.5);
      const side = Math.max(SMALLEST_VIEW_MM / spacing[0], 1.9 * Math.max(right - left, (bottom - top) * this.stretch));
      view = [(left + right) / 2 - side / 2, ((top + bottom) / 2) * this.stretch - side / 2, side, side];
    }
    this.view = view;
    this.picture.setAttribute("viewBox", view.join(" "));
    this.scale();
  }

  scale() {
    if (!this.view) return;
    const { clientWidth, clientHeight } = this.stage;
    const perPixel = Math.max(this.view[2] / clientWidth, this.view[3] / clientHeight) * this.data.spacing[0];
    const length = [100, 50, 20, 10, 5].find((mm) => mm / perPixel < clientWidth * 0.3) ?? 5;
    const bar = this.find("scale");
    bar.style.setProperty("--length", `${length / perPixel}px`);
    bar.firstElementChild.textContent = `${length} mm`;
  }
}

function start() {
  for (const element of document.querySelectorAll("[data-viewer]:not([data-started])")) {
    element.dataset.started = "";
    new Viewer(element);
  }
}

start();
document.body.addEventListener("htmx:afterSettle", start);
