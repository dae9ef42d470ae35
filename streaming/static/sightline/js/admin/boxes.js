/** A picture with the boxes of predictions over it. */

import { colourOf } from "../core/colours.js";
import { element } from "../core/dom.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @returns {HTMLElement} the picture at `source`, a rectangle for each prediction that has a box,
 * and its label
 */
export function drawn(source, predictions) {
  const boxed = predictions.filter((item) => item.box);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(...boxed.map(rectangle));
  const image = element("img", { src: source, alt: "The picture that was tried" });
  return element("figure", { class: "mf-picture" }, image, svg, ...boxed.map(caption));
}

function rectangle({ label, box: [x0, y0, x1, y1] }) {
  const rect = document.createElementNS(SVG, "rect");
  const attributes = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, stroke: colourOf(label) };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, value);
  return rect;
}

function caption({ label, score, text, box }) {
  const tag = element("figcaption", {}, `${text ?? label} ${score.toFixed(2)}`);
  const { left, top, inside } = captionPlace(box);
  tag.style.left = `${left * 100}%`;
  tag.style.top = `${top * 100}%`;
  tag.style.background = colourOf(label);
  tag.classList.toggle("mf-inside", inside);
  return tag;
}

/** Where a label stands: above its box, or inside it at the top edge of the picture. */
export function captionPlace([x0, y0]) {
  const inside = y0 < 0.08;
  return { left: Math.min(Math.max(x0, 0), 0.95), top: Math.max(y0, 0), inside };
}
