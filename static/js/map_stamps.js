// Draws the points of the map stamp by stamp, where the browser offers no WebGL (remote desktops, old drivers).

import { CODES, stamps } from "./map_shapes.js";

export class StampedPoints {
  constructor(canvas, points) {
    this.canvas = canvas;
    this.points = points;
    this.context = canvas.getContext("2d");
  }

  theme(size, ratio) {
    this.stamps = stamps(size, ratio);
  }

  draw([scaleX, scaleZ, shiftX, shiftZ], hidden, alpha) {
    const { context, points: { x, z, type, order } } = this;
    const { canvas: picture, tile } = this.stamps;
    const { width, height } = this.canvas;
    const column = new Map(CODES.map((code, place) => [code, place * tile]));
    context.clearRect(0, 0, width, height);
    context.globalAlpha = alpha;
    for (const i of order) {
      const left = Math.round(x[i] * scaleX + shiftX - tile / 2);
      const top = Math.round(z[i] * scaleZ + shiftZ - tile / 2);
      if (hidden.has(type[i]) || left < -tile || top < -tile || left > width || top > height) continue;
      context.drawImage(picture, column.get(type[i]), 0, tile, tile, left, top, tile, tile);
    }
  }
}
