import assert from "node:assert/strict";
import { test } from "node:test";

import { captionPlace } from "../../../streaming/static/sightline/js/admin/boxes.js";
import { partsShown, rowShown, takes } from "../../../streaming/static/sightline/js/admin/parts.js";
import { shapeText } from "../../../streaming/static/sightline/js/admin/tensors.js";

const onnx = {
  runtime: "onnx",
  kind: { takes: ["pictures", "records"], tensors: true, files: true },
  adapter: "yolo",
  mode: "fields",
};
const qr = {
  runtime: "builtin-qr",
  kind: { takes: ["pictures"], tensors: false, files: false },
  adapter: "yolo",
  mode: "fields",
};
const named = (choice) =>
  Object.entries(partsShown(choice)).flatMap(([name, shown]) => (shown ? [name] : []));

test("a file that sees pictures has the sections of pictures", () => {
  assert.deepEqual(named({ ...onnx, sees: "pictures" }), [
    "file",
    "describe",
    "input",
    "output",
    "run-pictures",
    "run-batch",
    "try-pictures",
  ]);
});

test("a file that sees records has those of records", () => {
  assert.deepEqual(named({ ...onnx, sees: "records" }), [
    "file",
    "describe",
    "record-tensors",
    "records",
    "run-batch",
    "run-records",
    "try-records",
  ]);
});

test("a built-in model has no tensors to describe", () => {
  assert.deepEqual(named({ ...qr, sees: "pictures" }), [
    "run-pictures",
    "run-batch",
    "try-pictures",
  ]);
});

test("an option is shown for its runtimes, or for its adapter", () => {
  assert.equal(rowShown({ runtimes: "kserve-rest onnx" }, onnx), true);
  assert.equal(rowShown({ runtimes: "kserve-rest" }, onnx), false);
  assert.equal(rowShown({ adapter: "yolo" }, onnx), true);
  assert.equal(rowShown({ adapter: "ssd" }, onnx), false);
});

test("a Python class says itself what it takes", () => {
  const python = {
    runtime: "python",
    kind: { takes: ["pictures", "records"] },
    pythonModel: "iris",
  };
  assert.deepEqual(takes(python, { iris: { takes: ["records"] } }), ["records"]);
  assert.deepEqual(takes(python, {}), ["pictures", "records"]);
});

test("a label stands inside a box at the top of the picture", () => {
  assert.deepEqual(captionPlace([0.5, 0.5, 0.7, 0.7]), { left: 0.5, top: 0.5, inside: false });
  assert.deepEqual(captionPlace([0.99, 0.01, 1, 0.2]), { left: 0.95, top: 0.01, inside: true });
});

test("open lengths are told in words", () => {
  assert.equal(shapeText([-1, 3, 640]), "any × 3 × 640");
  assert.equal(shapeText([]), "one value");
});
