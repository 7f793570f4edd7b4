// Draws the points of the map with WebGL 2: the columns lie in the graphics memory as they came over the wire, and a
// frame is one call, whatever the zoom.

import { CODES, stamps } from "./map_shapes.js";

const VERTEX = `#version 300 es
in float x, z, type;
uniform vec4 place;           // scale and shift from the body to clip space
uniform float size;
uniform float shown[${CODES.length}];
flat out float tile;
void main() {
  tile = type < 0.0 ? 0.0 : type;
  bool drawn = shown[int(tile)] > 0.5;
  gl_Position = drawn ? vec4(vec2(x, z) * place.xy + place.zw, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
flat in float tile;
uniform sampler2D pictures;
uniform float alpha;
out vec4 colour;
void main() {
  colour = texture(pictures, vec2((tile + gl_PointCoord.x) / ${CODES.length}.0, gl_PointCoord.y)) * alpha;
}`;

// Throws where the browser offers no WebGL 2.
export class GLPoints {
  constructor(canvas, points) {
    this.canvas = canvas;
    this.points = points;
    this.gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    if (!this.gl) throw new Error("no WebGL 2");
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.build(); this.theme(this.look.size, this.look.ratio); canvas.dispatchEvent(new Event("redraw")); });
  }

  build() {
    const { gl, points } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    for (const [name, values, kind] of [["x", points.x, gl.FLOAT], ["z", points.z, gl.FLOAT], ["type", points.type, gl.BYTE]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
      const attribute = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(attribute);
      gl.vertexAttribPointer(attribute, 1, kind, false, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, points.order, gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.uniform = Object.fromEntries(["place", "size", "shown", "alpha"].map((name) => [name, gl.getUniformLocation(program, name)]));
  }

  theme(size, ratio) {
    const { gl } = this;
    const { canvas, tile } = stamps(size, ratio);
    this.look = { size, ratio };
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, canvas);
    gl.uniform1f(this.uniform.size, tile);
  }

  // `place` maps x and z of the body to device pixels: scale along x, along z, shift along x, along z.
  draw([scaleX, scaleZ, shiftX, shiftZ], hidden, alpha) {
    const { gl, uniform } = this;
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(uniform.place, (2 * scaleX) / width, (-2 * scaleZ) / height, (2 * shiftX) / width - 1, 1 - (2 * shiftZ) / height);
    gl.uniform1fv(uniform.shown, CODES.map((code) => (hidden.has(code) ? 0 : 1)));
    gl.uniform1f(uniform.alpha, alpha);
    gl.drawElements(gl.POINTS, this.points.order.length, gl.UNSIGNED_INT, 0);
  }
}
