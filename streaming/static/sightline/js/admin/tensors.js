/** A table of a model's tensors. */

import { element } from "../core/dom.js";

/** @param {number[]} shape as in "any × 3 × 640 × 640" */
export function shapeText(shape) {
  return shape.length
    ? shape.map((length) => (length < 0 ? "any" : String(length))).join(" × ")
    : "one value";
}

export function tensorTable(inputs, outputs) {
  const rows = [...inputs.map((spec) => ["in", spec]), ...outputs.map((spec) => ["out", spec])];
  return element(
    "table",
    { class: "mf-tensors" },
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["", "Tensor", "Type", "Shape"].map((text) => element("th", { scope: "col" }, text)),
      ),
    ),
    element("tbody", {}, ...rows.map(tensorRow)),
  );
}

function tensorRow([way, { name, datatype, shape }]) {
  return element(
    "tr",
    {},
    ...[way, name, datatype || "?", shapeText(shape)].map((text) => element("td", {}, text)),
  );
}
