// Shapes of the lesion types in a square of 16, the same as in the page's symbols, drawn as small pictures ("stamps")
// in the colours of the theme.

const SHAPES = {
  1: "M8 1.5 14.5 8 8 14.5 1.5 8z",
  2: "M2.5 2.5h11v11h-11z",
  3: "M8 2 14.6 13.6H1.4z",
  4: "M8 14 1.4 2.4h13.2z",
  5: "M14 8a6 6 0 1 1-12 0 6 6 0 1 1 12 0z",
  6: "M5.7 1.8h4.6v3.9h3.9v4.6h-3.9v3.9H5.7v-3.9H1.8V5.7h3.9z",
  7: "M8 1l2 4.9 5.3.4-4 3.4 1.2 5.2L8 12.1l-4.5 2.8 1.2-5.2-4-3.4L6 5.9z",
  8: "M8 1.3l5.8 3.35v6.7L8 14.7l-5.8-3.35v-6.7z",
  "-1": "M12.6 8a4.6 4.6 0 1 1-9.2 0 4.6 4.6 0 1 1 9.2 0z",
};

export const CODES = Object.keys(SHAPES).map(Number).sort((a, b) => a - b);

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// One stamp beside the other, in the order of CODES; each is a square of `tile` device pixels.
export function stamps(size, ratio) {
  const shape = Math.round(size * ratio);
  const tile = shape + 4;
  const canvas = document.createElement("canvas");
  canvas.width = tile * CODES.length;
  canvas.height = tile;
  const context = canvas.getContext("2d");
  CODES.forEach((code, place) => {
    context.setTransform(shape / 16, 0, 0, shape / 16, place * tile + 2, 2);
    const path = new Path2D(SHAPES[code]);
    context.fillStyle = token(`--type-${code === -1 ? "unknown" : code}`);
    context.strokeStyle = token("--surface");
    context.lineWidth = size < 8 ? 1.1 : 1.6;
    context.fill(path);
    context.stroke(path);
  });
  return { canvas, tile };
}
