// The map of lesions on the body: it loads the columns, lets marks be hovered, opened and walked by keys, and regions
// be drawn. Points are drawn by WebGL (`map_gl.js`), where there is none stamp by stamp (`map_stamps.js`); body, ring
// and region are SVG around them, so that a hover redraws no point. Plotly's WebGL traces build code from text, which
// the page's security policy forbids.

import { GLPoints } from "./map_gl.js";
import { Region } from "./map_region.js";
import { StampedPoints } from "./map_stamps.js";

const MARGIN = 14;
const WIDTH = 0.6; // of x from 0 to 1, in heights of z from 0 to 1: a little broader than people are
const ARMS = 1.44; // width of the drawn body with its arms, x from 0 to 1 being 1
const NEAR = 10; // pixels around a mark in which it is hit
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The layout that `datasets.selectors.locations.map_points` writes.
function columns(buffer) {
  const count = new Uint32Array(buffer, 0, 1)[0];
  const id = new Float64Array(buffer, 8, count);
  const x = new Float32Array(buffer, 8 + 8 * count, count);
  const z = new Float32Array(buffer, 8 + 12 * count, count);
  const type = new Int8Array(buffer, 8 + 16 * count, count);
  return { count, id, x, z, type, order: shuffled(count) };
}

// Drawn in a fixed random order, so that no type lies over all others.
function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  let seed = 12345;
  for (let i = count - 1; i > 0; i -= 1) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

class LesionMap {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.tip = element.querySelector(".map-tip");
    this.note = element.querySelector(".map-note");
    this.said = element.querySelector("[data-map-said]");
    this.ring = element.querySelector("[data-map-ring]");
    this.body = element.querySelector("[data-map-body]");
    this.selector = element.querySelector("[data-map-select]");
    this.hidden = new Set();
    this.view = { scale: 1, x: 0, y: 0 };
    this.cards = new Map();
    this.hovered = -1;
    this.region = new Region(element, this);
    this.load();
  }

  async load() {
    this.say("Loading the map…");
    try {
      const response = await fetch(this.element.dataset.source);
      if (!response.ok) throw new Error(String(response.status));
      this.points = columns(await response.arrayBuffer());
    } catch {
      this.say("The map could not be loaded. Reload the page to try again.");
      return;
    }
    try {
      this.marks = new GLPoints(this.canvas, this.points);
      this.element.dataset.drawnBy = "webgl";
    } catch {
      this.marks = new StampedPoints(this.canvas, this.points);
      this.element.dataset.drawnBy = "canvas";
    }
    this.many = this.points.count > 8000;
    this.say("");
    this.bind();
    this.resize();
    // After Back the browser fills the form in again.
    this.region.typed();
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  bind() {
    const { canvas } = this;
    new ResizeObserver(() => this.resize()).observe(this.element);
    document.addEventListener("themechange", () => { this.theme(); this.draw(); });
    canvas.addEventListener("redraw", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.gesture = null; });
    canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") this.hover(-1); });
    canvas.addEventListener("blur", () => this.hover(-1));
    canvas.addEventListener("click", (event) => this.click(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    for (const button of this.element.querySelectorAll("[data-map-zoom]")) {
      button.addEventListener("click", () => this.zoom(Number(button.dataset.mapZoom), this.width / 2, this.height / 2));
    }
    this.element.querySelector("[data-map-reset]").addEventListener("click", () => this.reset());
    this.selector.addEventListener("click", () => this.selecting(this.selector.getAttribute("aria-pressed") !== "true"));
    for (const button of document.querySelectorAll("[data-map-type]")) {
      button.addEventListener("click", () => {
        const code = Number(button.dataset.mapType);
        const show = this.hidden.delete(code);
        if (!show) this.hidden.add(code);
        button.setAttribute("aria-pressed", String(show));
        this.draw();
        this.region.show();
      });
    }
  }

  // While the button is pressed a finger draws instead of scrolling the page, and a mouse instead of moving the map.
  selecting(on) {
    this.selector.setAttribute("aria-pressed", String(on));
    this.canvas.classList.toggle("selecting", on);
  }

  press(event) {
    if (event.button !== 0) return;
    const chosen = this.canvas.classList.contains("selecting");
    const moves = this.view.scale > 1 && !event.shiftKey;
    const select = chosen || (event.pointerType === "mouse" && !moves);
    this.gesture = { select, moves, from: this.place(event), last: this.place(event), moved: false };
    if (select || moves) this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    const [x, y] = this.place(event);
    const { gesture } = this;
    if (!gesture) { if (event.pointerType !== "touch") this.hover(this.nearest(x, y)); return; }
    if (!gesture.moved && Math.hypot(x - gesture.from[0], y - gesture.from[1]) <= 4) return;
    gesture.moved = true;
    if (gesture.select) { this.hover(-1); this.region.draw(this.bodyAt(...gesture.from), this.bodyAt(x, y)); }
    else if (gesture.moves) this.pan(x - gesture.last[0], y - gesture.last[1]);
    gesture.last = [x, y];
  }

  release(event) {
    this.dragged = Boolean(this.gesture?.moved);
    if (this.dragged && this.gesture.select && event.pointerType !== "mouse") this.selecting(false);
    this.gesture = null;
  }

  click(event) {
    if (this.dragged) { this.dragged = false; return; }
    const index = this.nearest(...this.place(event));
    // A finger cannot hover: its first tap tells, its second one opens.
    if (event.pointerType === "touch" && index !== this.hovered) this.hover(index);
    else if (index >= 0) this.open(index);
    else this.region.clear();
  }

  wheel(event) {
    const wanted = event.ctrlKey || event.metaKey || document.activeElement === this.canvas;
    if (!wanted || (this.view.scale === 1 && event.deltaY > 0)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), ...this.place(event));
  }

  key(event) {
    const arrow = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (arrow && event.shiftKey) this.region.grow(...arrow, this.hovered < 0 ? null : this.spot(this.hovered));
    else if (arrow) this.step(...arrow);
    else if (event.key === "Enter" && this.region.range) this.region.list();
    else if (event.key === "Enter") this.open(this.hovered);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5, this.width / 2, this.height / 2);
    else if (event.key === "-") this.zoom(1 / 1.5, this.width / 2, this.height / 2);
    else if (event.key === "Escape" && this.region.range) this.region.clear();
    else if (event.key === "Escape") { this.hover(-1); this.reset(); }
    else return false;
    return true;
  }

  // Goes to the next mark in a direction: near, and rather straight ahead than to the side.
  step(right, down) {
    const { points } = this;
    const [scaleX, scaleZ] = this.transform();
    const from = this.hovered < 0 ? { x: 0.5, z: 0.5 } : this.spot(this.hovered);
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < points.count; i += 1) {
      if (i === this.hovered || this.hidden.has(points.type[i])) continue;
      const dx = (points.x[i] - from.x) * scaleX;
      const dy = (points.z[i] - from.z) * scaleZ;
      const ahead = dx * right + dy * down;
      const aside = Math.abs(dx * down) + Math.abs(dy * right);
      if (ahead > 0.5 && aside <= ahead && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = i; }
    }
    if (best < 0) return;
    const [x, y] = this.screen(best);
    if (x < 0 || y < 0 || x > this.width || y > this.height) this.pan(this.width / 2 - x, this.height / 2 - y);
    this.hover(best);
  }

  spot(index) { return { x: this.points.x[index], z: this.points.z[index] }; }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !this.marks) return;
    this.width = clientWidth;
    this.height = clientHeight;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(clientWidth * this.ratio);
    this.canvas.height = Math.round(clientHeight * this.ratio);
    this.theme();
    this.draw();
  }

  theme() { this.marks.theme(this.many ? 7 : 10, this.ratio); }

  // From the body's x and z to pixels of the page: scale along both, shift along both. The body keeps its proportions.
  transform() {
    const tall = this.height - 2 * MARGIN;
    const wide = Math.min(tall * WIDTH, (this.width - 2 * MARGIN) / ARMS);
    const { scale, x, y } = this.view;
    return [wide * scale, tall * scale, ((this.width - wide) / 2) * scale + x, MARGIN * scale + y];
  }

  screen(index) {
    const [scaleX, scaleZ, shiftX, shiftZ] = this.transform();
    return [this.points.x[index] * scaleX + shiftX, this.points.z[index] * scaleZ + shiftZ];
  }

  bodyAt(x, y) {
    const [scaleX, scaleZ, shiftX, shiftZ] = this.transform();
    return { x: (x - shiftX) / scaleX, z: (y - shiftZ) / scaleZ };
  }

  reset() {
    this.view = { scale: 1, x: 0, y: 0 };
    this.draw();
  }

  zoom(factor, x, y) {
    const scale = Math.min(20, Math.max(1, this.view.scale * factor));
    const real = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * real, y: y - (y - this.view.y) * real };
    this.pan(0, 0);
  }

  pan(dx, dy) {
    const { scale } = this.view;
    this.view.x = Math.min(0, Math.max(this.width * (1 - scale), this.view.x + dx));
    this.view.y = Math.min(0, Math.max(this.height * (1 - scale), this.view.y + dy));
    this.draw();
  }

  nearest(x, y) {
    const { points } = this;
    const [scaleX, scaleZ, shiftX, shiftZ] = this.transform();
    let best = -1;
    let least = NEAR * NEAR;
    for (let i = 0; i < points.count; i += 1) {
      const dx = points.x[i] * scaleX + shiftX - x;
      const dy = points.z[i] * scaleZ + shiftZ - y;
      const distance = dx * dx + dy * dy;
      if (distance < least && !this.hidden.has(points.type[i])) { least = distance; best = i; }
    }
    return best;
  }

  open(index) {
    if (index < 0) return;
    location.href = this.element.dataset.lesion.replace("/0/", `/${this.points.id[index]}/`) + this.element.dataset.query;
  }

  hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.canvas.style.cursor = index >= 0 ? "pointer" : "";
    this.tip.hidden = true;
    this.over();
    clearTimeout(this.timer);
    if (index >= 0) this.timer = setTimeout(() => this.tell(index), 60);
  }

  async tell(index) {
    const id = this.points.id[index];
    if (!this.cards.has(id)) {
      // Without an answer there is no card; the mark can be opened all the same.
      const response = await fetch(this.element.dataset.lesion.replace("/0/", `/${id}/card/`)).catch(() => null);
      if (!response?.ok) return;
      this.cards.set(id, await response.text());
    }
    if (this.hovered !== index) return;
    this.tip.innerHTML = this.cards.get(id);
    this.tip.hidden = false;
    this.said.textContent = this.tip.textContent;
    const [x, y] = this.screen(index);
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 16 + width > this.width ? x - width - 16 : x + 16;
    this.tip.style.left = `${Math.max(4, Math.min(this.width - width - 4, left))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(this.height - height - 4, y - height / 2))}px`;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }

  paint() {
    if (!this.width) return;
    const [scaleX, scaleZ, shiftX, shiftZ] = this.transform();
    this.marks.draw([scaleX, scaleZ, shiftX, shiftZ].map((value) => value * this.ratio), this.hidden, this.many ? 0.85 : 0.92);
    this.body.setAttribute("transform", `matrix(${scaleX} 0 0 ${scaleZ} ${shiftX} ${shiftZ})`);
    this.over();
    this.element.dataset.drawn = String(this.points.count);
  }

  // What lies over the marks: the ring around the one that is told of, and the region.
  over() {
    this.ring.toggleAttribute("hidden", this.hovered < 0);
    if (this.hovered >= 0) {
      const [x, y] = this.screen(this.hovered);
      this.ring.setAttribute("cx", x);
      this.ring.setAttribute("cy", y);
    }
    this.region.outline();
  }
}

const drawIn = (part) => { for (const element of part.querySelectorAll("[data-map]")) new LesionMap(element); };

drawIn(document);
// The card with the map comes later where the lesions are still being located.
document.body.addEventListener("htmx:load", (event) => { if (event.target !== document.body) drawIn(event.target); });
