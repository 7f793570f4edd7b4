// The map of lesions on the body. A canvas of its own, because Plotly's WebGL traces build code from text, which the
// page's security policy forbids; a hundred thousand marks are stamped from one small picture per type.

import { SHAPES, silhouette } from "./map_shapes.js";

const MARGIN = { left: 12, right: 12, top: 12, bottom: 12 };
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const typeToken = (code) => `--type-${code === -1 ? "unknown" : code}`;

class LesionMap {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.tip = element.querySelector(".map-tip");
    this.note = element.querySelector(".map-note");
    this.context = this.canvas.getContext("2d");
    this.hidden = new Set();
    this.view = { scale: 1, x: 0, y: 0 };
    this.cards = new Map();
    this.hovered = -1;
    this.bind();
    this.load();
  }

  async load() {
    this.say("Loading the map…");
    try {
      const response = await fetch(this.element.dataset.source, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      const columns = await response.json();
      let id = 0;
      this.count = columns.id.length;
      this.id = Float64Array.from(columns.id, (step) => (id += step));
      this.type = Int8Array.from(columns.type);
      this.long = Float32Array.from(columns.long, (value) => value / 10);
      this.x = Float32Array.from(columns.x, (value) => value / 10000);
      this.z = Float32Array.from(columns.z, (value) => value / 10000);
      this.order = shuffled(this.count);
      this.say("");
      this.resize();
    } catch {
      this.say("The map could not be loaded. Reload the page to try again.");
    }
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  bind() {
    new ResizeObserver(() => this.resize()).observe(this.element);
    document.addEventListener("themechange", () => { this.stamps = null; this.draw(); });
    const canvas = this.canvas;
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    canvas.addEventListener("pointerdown", (event) => {
      this.drag = { x: event.clientX, y: event.clientY, moved: false };
      if (this.view.scale > 1) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", () => { this.released = this.drag; this.drag = null; });
    canvas.addEventListener("pointercancel", () => { this.drag = null; });
    canvas.addEventListener("click", (event) => {
      if (this.released?.moved) return;
      this.open(this.nearest(...this.place(event)));
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && this.view.scale === 1 && event.deltaY > 0) return;
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...this.place(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const button of this.element.querySelectorAll("[data-map-zoom]")) {
      button.addEventListener("click", () => this.zoom(Number(button.dataset.mapZoom), this.width / 2, this.height / 2));
    }
    this.element.querySelector("[data-map-reset]").addEventListener("click", () => {
      this.view = { scale: 1, x: 0, y: 0 };
      this.draw();
    });
    for (const button of document.querySelectorAll("[data-map-type]")) {
      button.addEventListener("click", () => {
        const code = Number(button.dataset.mapType);
        const show = this.hidden.delete(code);
        if (!show) this.hidden.add(code);
        button.setAttribute("aria-pressed", String(show));
        this.draw();
      });
    }
  }

  key(event) {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step && this.view.scale > 1) this.pan(...step);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5, this.width / 2, this.height / 2);
    else if (event.key === "-") this.zoom(1 / 1.5, this.width / 2, this.height / 2);
    else if (event.key === "Escape") { this.view = { scale: 1, x: 0, y: 0 }; this.draw(); }
    else return;
    event.preventDefault();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    this.width = clientWidth;
    this.height = clientHeight;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(clientWidth * this.ratio);
    this.canvas.height = Math.round(clientHeight * this.ratio);
    this.stamps = null;
    this.draw();
  }

  // The body keeps its proportions: the map is as wide as x from 0 to 1 needs, and centred.
  frame() {
    const height = this.height - MARGIN.top - MARGIN.bottom;
    const width = Math.min(this.width - MARGIN.left - MARGIN.right, height * 0.82);
    return { left: (this.width - width) / 2, top: MARGIN.top, width, height };
  }

  screenX(x) { const f = this.frame(); return (f.left + x * f.width) * this.view.scale + this.view.x; }
  screenY(z) { const f = this.frame(); return (f.top + z * f.height) * this.view.scale + this.view.y; }

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

  move(event) {
    if (this.drag) {
      const dx = event.clientX - this.drag.x;
      const dy = event.clientY - this.drag.y;
      if (Math.hypot(dx, dy) > 4 || this.drag.moved) {
        if (this.view.scale > 1) this.pan(dx, dy);
        this.drag = { x: event.clientX, y: event.clientY, moved: true };
      }
      return;
    }
    this.hover(this.nearest(...this.place(event)));
  }

  nearest(x, y) {
    let best = -1;
    let least = 100;
    if (!this.count) return best;
    const f = this.frame();
    const { scale, x: shiftX, y: shiftY } = this.view;
    for (let i = 0; i < this.count; i += 1) {
      const dx = (f.left + this.x[i] * f.width) * scale + shiftX - x;
      const dy = (f.top + this.z[i] * f.height) * scale + shiftY - y;
      const distance = dx * dx + dy * dy;
      if (distance < least && !this.hidden.has(this.type[i])) { least = distance; best = i; }
    }
    return best;
  }

  open(index) {
    if (index < 0) return;
    location.href = this.element.dataset.lesion.replace("/0/", `/${this.id[index]}/`) + this.element.dataset.query;
  }

  async hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.canvas.style.cursor = index < 0 ? (this.view.scale > 1 ? "grab" : "default") : "pointer";
    this.draw();
    this.tip.hidden = true;
    if (index < 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(index), 60);
  }

  async show(index) {
    const id = this.id[index];
    if (!this.cards.has(id)) {
      const response = await fetch(this.element.dataset.lesion.replace("/0/", `/${id}/card/`).replace(/\?.*/, ""));
      if (!response.ok) return;
      this.cards.set(id, await response.text());
    }
    if (this.hovered !== index) return;
    this.tip.innerHTML = this.cards.get(id);
    this.tip.hidden = false;
    const x = this.screenX(this.x[index]);
    const y = this.screenY(this.z[index]);
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 16 + width > this.width ? x - width - 16 : x + 16;
    this.tip.style.left = `${Math.max(4, Math.min(this.width - width - 4, left))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(this.height - height - 4, y - height / 2))}px`;
  }

  stamp(code) {
    const size = Math.round((this.count > 8000 ? 6.5 : 9) * this.ratio);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size + 4;
    const context = canvas.getContext("2d");
    context.translate(2, 2);
    context.scale(size / 16, size / 16);
    const path = new Path2D(SHAPES[code] ?? SHAPES[-1]);
    context.fillStyle = token(typeToken(code));
    context.strokeStyle = token("--surface");
    context.lineWidth = (this.count > 8000 ? 8 : 16) / size;
    context.fill(path);
    context.stroke(path);
    return canvas;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }

  paint() {
    if (!this.width) return;
    const { context, ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.paintBody();
    if (!this.count) return;
    this.stamps ??= new Map(Object.keys(SHAPES).map((code) => [Number(code), this.stamp(Number(code))]));
    const f = this.frame();
    const { scale, x, y } = this.view;
    context.globalAlpha = this.count > 8000 ? 0.8 : 0.88;
    for (const i of this.order) {
      const code = this.type[i];
      if (this.hidden.has(code)) continue;
      const left = ((f.left + this.x[i] * f.width) * scale + x) * ratio;
      const top = ((f.top + this.z[i] * f.height) * scale + y) * ratio;
      if (left < -20 || top < -20 || left > this.canvas.width + 20 || top > this.canvas.height + 20) continue;
      const picture = this.stamps.get(code) ?? this.stamps.get(-1);
      context.drawImage(picture, Math.round(left - picture.width / 2), Math.round(top - picture.height / 2));
    }
    context.globalAlpha = 1;
    if (this.hovered >= 0) this.paintRing(this.hovered);
    this.element.dataset.drawn = String(this.count);
  }

  paintRing(index) {
    const { context, ratio } = this;
    context.beginPath();
    context.arc(this.screenX(this.x[index]) * ratio, this.screenY(this.z[index]) * ratio, 9 * ratio, 0, 2 * Math.PI);
    context.lineWidth = 2.5 * ratio;
    context.strokeStyle = token("--text");
    context.stroke();
  }

  paintBody() {
    const { context, ratio } = this;
    const f = this.frame();
    const { scale, x, y } = this.view;
    context.save();
    context.setTransform(f.width * scale * ratio, 0, 0, f.height * scale * ratio, (f.left * scale + x) * ratio, (f.top * scale + y) * ratio);
    const body = new Path2D(silhouette);
    context.fillStyle = token("--body-fill");
    context.fill(body);
    context.restore();
    context.save();
    context.fillStyle = token("--text-faint");
    context.font = `600 ${11 * ratio}px ${token("--font")}`;
    const low = (f.left * ratio);
    const high = (f.left + f.width) * ratio;
    const line = (f.top + 10) * ratio;
    context.fillText("R", Math.max(4 * ratio, low - 2 * ratio), line);
    context.textAlign = "right";
    context.fillText("L", Math.min(this.canvas.width - 4 * ratio, high + 2 * ratio), line);
    context.restore();
  }
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

for (const element of document.querySelectorAll("[data-map]")) new LesionMap(element);
