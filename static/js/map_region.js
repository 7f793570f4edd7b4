// A region of the map: drawn by mouse or finger, grown by keys, or typed as numbers into its form, which asks the lesion
// list for what lies in it. The page's address follows it, so that it can be shared.

const STEP = 0.02;
const NAMES = ["x__gte", "x__lte", "z__gte", "z__lte"];
const SETTLED_MS = 250; // while a region is drawn, the address waits: browsers refuse it many times a second
const within = (value) => Math.min(1, Math.max(0, value));

export class Region {
  constructor(element, map) {
    this.map = map;
    this.range = null; // [x from, x to, z from, z to]
    this.rect = element.querySelector("[data-map-rect]");
    this.form = document.querySelector("[data-map-region]");
    this.inputs = NAMES.map((name) => this.form.elements[name]);
    this.button = this.form.querySelector("[type=submit]");
    this.restore();
    this.form.addEventListener("input", () => this.typed());
    this.form.addEventListener("reset", () => setTimeout(() => this.clear()));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.list(); });
  }

  // Three digits, and outwards: what lies in the drawn region lies in the written one.
  draw(one, other) {
    const down = (value) => Math.floor(within(value) * 1000) / 1000;
    const up = (value) => Math.ceil(within(value) * 1000) / 1000;
    this.range = [
      down(Math.min(one.x, other.x)), up(Math.max(one.x, other.x)), down(Math.min(one.z, other.z)), up(Math.max(one.z, other.z)),
    ];
    this.write();
  }

  // Grows towards an arrow; the first one starts at a mark, or in the middle of the body.
  grow(right, down, spot) {
    const [x, z] = spot ? [spot.x, spot.z] : [0.5, 0.5];
    let [left, wide, top, deep] = this.range ?? [x - STEP, x + STEP, z - STEP, z + STEP];
    if (right < 0) left -= STEP;
    if (right > 0) wide += STEP;
    if (down < 0) top -= STEP;
    if (down > 0) deep += STEP;
    this.draw({ x: left + 1e-9, z: top + 1e-9 }, { x: wide - 1e-9, z: deep - 1e-9 });
  }

  write() {
    this.range.forEach((value, at) => { this.inputs[at].value = String(value); });
    this.show();
  }

  typed() {
    const values = this.inputs.map((input) => (input.value.trim() === "" || !input.validity.valid ? NaN : Number(input.value)));
    const [left, right, top, bottom] = values.map((value, at) => (Number.isNaN(value) ? at % 2 : value));
    this.range = values.every(Number.isNaN) ? null : [left, right, top, bottom];
    this.show();
  }

  clear() {
    this.range = null;
    for (const input of this.inputs) input.value = "";
    this.show();
  }

  show() {
    this.outline();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.keep(), SETTLED_MS);
    const count = this.range ? this.count() : 0;
    this.button.textContent = this.range ? `List ${count.toLocaleString("en")} lesion${count === 1 ? "" : "s"}` : "List lesions";
  }

  // From the address; what the form makes nothing of stays empty.
  restore() {
    const wish = new URLSearchParams(location.search);
    NAMES.forEach((name, at) => { if (wish.has(name)) this.inputs[at].value = wish.get(name); });
  }

  // Into the address.
  keep() {
    const here = new URL(location.href);
    NAMES.forEach((name, at) => {
      const { value, validity } = this.inputs[at];
      if (value && validity.valid) here.searchParams.set(name, value);
      else here.searchParams.delete(name);
    });
    if (here.href !== location.href) history.replaceState(history.state, "", here);
  }

  outline() {
    const { map, rect, range } = this;
    rect.toggleAttribute("hidden", !range);
    if (!range || !map.width) return;
    const [scaleX, scaleZ, shiftX, shiftZ] = map.transform();
    rect.setAttribute("x", range[0] * scaleX + shiftX);
    rect.setAttribute("y", range[2] * scaleZ + shiftZ);
    rect.setAttribute("width", Math.max(0, range[1] - range[0]) * scaleX);
    rect.setAttribute("height", Math.max(0, range[3] - range[2]) * scaleZ);
  }

  count() {
    const { points, hidden } = this.map;
    if (!points) return 0;
    // The columns are single precision, so the bounds must be.
    const [left, right, top, bottom] = this.range.map(Math.fround);
    let found = 0;
    for (let i = 0; i < points.count; i += 1) {
      const x = points.x[i];
      const z = points.z[i];
      if (x >= left && x <= right && z >= top && z <= bottom && !hidden.has(points.type[i])) found += 1;
    }
    return found;
  }

  // Asks the list for the region, and for the types that are shown where some are hidden.
  list() {
    this.keep();
    const wish = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) if (value) wish.append(name, value);
    if (this.map.hidden.size) {
      for (const button of document.querySelectorAll("[data-map-type][aria-pressed=true]")) wish.append("type", button.textContent.trim());
    }
    location.href = `${this.form.getAttribute("action")}?${wish}`;
  }
}
