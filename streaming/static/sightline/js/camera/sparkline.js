/** A small line of recent values in a number's card. */

/** Points of a line through `values` within a rectangle, newest at the right edge. Pure. */
export function points(values, slots, width, height) {
  const high = Math.max(...values.filter((value) => value !== null), 1e-9);
  const step = width / Math.max(slots - 1, 1);
  return values.map((value, index) =>
    value === null
      ? null
      : { x: width - (values.length - 1 - index) * step, y: height - (value / high) * height },
  );
}

const FEW = 12;

export class Sparkline {
  #canvas;
  #slots;
  #values = [];

  constructor(canvas, slots = 90) {
    this.#canvas = canvas;
    this.#slots = slots;
  }

  /** @param {number | null} value null leaves a gap */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > this.#slots) this.#values.shift();
    this.#draw();
  }

  #draw() {
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = clientWidth * devicePixelRatio;
    this.#canvas.height = clientHeight * devicePixelRatio;
    const context = this.#canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    context.translate(0, 2);
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    let drawing = false;
    for (const point of points(
      this.#values,
      Math.max(this.#values.length, FEW),
      clientWidth,
      clientHeight - 4,
    )) {
      if (point) context[drawing ? "lineTo" : "moveTo"](point.x, point.y);
      drawing = point !== null;
    }
    context.stroke();
  }
}
