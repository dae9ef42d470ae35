import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cropFor,
  fitPicture,
  placeLabels,
} from "../../../streaming/static/sightline/js/tile/labels.js";

const bounds = { x: 0, y: 0, w: 400, h: 200 };
const size = { w: 80, h: 16 };
const place = (box, ...taken) => placeLabels([{ box, size }], bounds, taken)[0];

const isInside = (rect) =>
  rect.x >= bounds.x &&
  rect.y >= bounds.y &&
  rect.x + rect.w <= bounds.x + bounds.w &&
  rect.y + rect.h <= bounds.y + bounds.h;

test("a label lies above its box", () => {
  assert.deepEqual(place({ x: 50, y: 60, w: 100, h: 50 }), { x: 50, y: 44, ...size });
});

test("a label goes inside its box when it does not fit above", () => {
  assert.deepEqual(place({ x: 50, y: 5, w: 100, h: 50 }), { x: 50, y: 5, ...size });
});

test("a label is never clipped by the picture", () => {
  const boxes = [];
  for (let x = 0; x < 400; x += 37)
    for (let y = 0; y < 200; y += 13)
      boxes.push({ x, y, w: 400 - x, h: 200 - y }, { x, y, w: 4, h: 3 });
  for (const rect of placeLabels(
    boxes.map((box) => ({ box, size })),
    bounds,
  ))
    assert.ok(isInside(rect), JSON.stringify(rect));
});

test("a label moves away from another before it covers what is in its box", () => {
  const box = { x: 60, y: 60, w: 30, h: 50 };
  const taken = { x: 20, y: 40, w: 100, h: 20 };
  assert.equal(place(box, taken).y, 110);
});

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

test("labels of objects that stand in a row cover neither each other nor the objects", () => {
  const boxes = [10, 60, 110, 160].map((x) => ({ x, y: 80, w: 40, h: 40 }));
  const labels = placeLabels(
    boxes.map((box) => ({ box, size })),
    bounds,
  );
  for (const [index, label] of labels.entries()) {
    assert.ok(isInside(label));
    for (const other of labels.slice(index + 1)) assert.ok(!overlap(label, other), "two labels");
    for (const box of boxes) assert.ok(!overlap(label, box), "a label and an object");
  }
});

test("a label at the picture's edge leaves a neighbour free", () => {
  const boxes = [
    { x: 340, y: 60, w: 60, h: 40 },
    { x: 300, y: 40, w: 36, h: 36 },
  ];
  const [label] = placeLabels(
    boxes.map((box) => ({ box, size })),
    bounds,
  );
  assert.ok(isInside(label) && !overlap(label, boxes[1]));
});

test("a large box around others does not chase their labels away", () => {
  const around = { x: 0, y: 20, w: 400, h: 170 };
  const boxes = [around, { x: 100, y: 100, w: 40, h: 40 }];
  assert.deepEqual(
    placeLabels(
      boxes.map((box) => ({ box, size })),
      bounds,
    )[1],
    { x: 100, y: 84, ...size },
  );
});

test("a picture keeps its shape on the canvas", () => {
  assert.deepEqual(fitPicture(100, 200, 400, 200), { x: 150, y: 0, w: 100, h: 200 });
});

test("a thumbnail shows the box within the picture and in the right shape", () => {
  for (const box of [[0, 0, 0.1, 0.1], [0.9, 0.8, 1, 1], [0.4, 0.1, 0.5, 0.9], null]) {
    const crop = cropFor(box, 640, 480, 1.5);
    assert.ok(
      crop.x >= 0 && crop.y >= 0 && crop.x + crop.w <= 640.001 && crop.y + crop.h <= 480.001,
    );
    assert.ok(Math.abs(crop.w / crop.h - 1.5) < 1e-6);
  }
});
