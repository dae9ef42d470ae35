/** Draws boxes and their labels on a tile's canvas, in device pixels. */

import { colourOf } from "../core/colours.js";
import { caption } from "../core/format.js";
import { placeLabels } from "./labels.js";

const INK = "#06110f";
const widths = new Map();

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{detection: any, alpha: number, dashed: boolean}[]} marks
 * @param {import("./labels.js").Rect} picture where the frame lies on the canvas
 * @param {{labels: boolean, scores: boolean, scale: number, taken: import("./labels.js").Rect[]}}
 *   options `scale` is device pixels per CSS pixel
 */
export function drawMarks(context, marks, picture, { labels, scores, scale, taken }) {
  const largest = Math.max(15, innerWidth / 190);
  const size = Math.max(9, Math.min(largest, 7.5 + picture.w / scale / 130)) * scale;
  context.font = `600 ${size}px "Inter Variable", system-ui, sans-serif`;
  context.textBaseline = "middle";
  const drawn = marks.map((mark) => prepare(context, mark, picture, { labels, scores, size }));
  for (const mark of drawn) if (mark.detection.box) strokeBox(context, mark, scale);
  const named = drawn.filter((mark) => mark.text);
  const places = placeLabels(named, picture, taken);
  named.forEach((mark, index) => fillLabel(context, mark, places[index], size));
  context.globalAlpha = 1;
}

function prepare(context, { detection, alpha, dashed }, picture, { labels, scores, size }) {
  const [x0, y0, x1, y1] = detection.box ?? [0, 0, 0, 0];
  const { x, y, w, h } = picture;
  const box = { x: x + x0 * w, y: y + y0 * h, w: (x1 - x0) * w, h: (y1 - y0) * h };
  const padding = size * 0.5;
  const text = shorten(context, caption(detection, { labels, scores }), w - 2 * padding);
  const textSize = { w: measure(context, text) + 2 * padding, h: size * 1.55 };
  return {
    detection,
    alpha,
    dashed,
    box,
    text,
    padding,
    size: textSize,
    colour: colourOf(detection.label),
  };
}

function measure(context, text) {
  const key = `${context.font}|${text}`;
  if (!widths.has(key)) {
    if (widths.size > 2000) widths.clear();
    widths.set(key, context.measureText(text).width);
  }
  return widths.get(key);
}

function shorten(context, text, room) {
  if (measure(context, text) <= room) return text;
  let length = text.length;
  while (length > 1 && measure(context, `${text.slice(0, length)}…`) > room) length -= 1;
  return `${text.slice(0, length)}…`;
}

function strokeBox(context, { box, colour, alpha, dashed }, scale) {
  const line = Math.max(1.5, Math.min(2.5, box.w / scale / 40)) * scale;
  const inset = line / 2;
  context.globalAlpha = alpha;
  context.setLineDash(dashed ? [6 * scale, 4 * scale] : []);
  context.beginPath();
  context.roundRect(
    box.x + inset,
    box.y + inset,
    Math.max(1, box.w - line),
    Math.max(1, box.h - line),
    2 * scale,
  );
  // A dark edge keeps the colour readable on a bright picture.
  context.strokeStyle = "rgba(4, 7, 10, 0.5)";
  context.lineWidth = line + 1.5 * scale;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.stroke();
  context.setLineDash([]);
}

function fillLabel(context, { text, colour, alpha, padding }, place, size) {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(place.x, place.y, place.w, place.h, size * 0.22);
  context.fill();
  context.fillStyle = INK;
  context.fillText(text, place.x + padding, place.y + place.h / 2 + size * 0.04);
}
