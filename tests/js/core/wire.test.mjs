import assert from "node:assert/strict";
import { test } from "node:test";

import {
  frameKey,
  parseBox,
  parseFrame,
  parsePrediction,
  parseStatus,
} from "../../../streaming/static/sightline/js/core/wire.js";

function message(header, body) {
  const head = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(4 + head.length + body.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  bytes.set(body, 4 + head.length);
  return bytes.buffer;
}

test("a frame message gives its header and its JPEG", () => {
  const { header, jpeg } = parseFrame(message({ camera: "gate-ä", seq: 7 }, [255, 216, 1]));
  assert.deepEqual(header, { camera: "gate-ä", seq: 7 });
  assert.deepEqual([...jpeg], [255, 216, 1]);
});

test("a frame message that lies about its length is refused", () => {
  assert.throws(() => parseFrame(new Uint8Array([0, 0, 1, 0, 123]).buffer), RangeError);
  assert.throws(() => parseFrame(new Uint8Array([0, 0]).buffer), RangeError);
});

test("frame and prediction of one frame have the same key, at nanoseconds too", () => {
  const frame = JSON.parse('{"seq": 3, "captured_at": 1763622000123456789}');
  const { frame: predicted } = parsePrediction(
    JSON.parse('{"frame": {"seq": 3, "captured_at": 1763622000123456789}}'),
  );
  assert.equal(frameKey(frame), frameKey(predicted));
});

test("boxes are clamped to the picture and nonsense is no box", () => {
  assert.deepEqual(parseBox([-0.2, 0.1, 1.4, 0.5]), [0, 0.1, 1, 0.5]);
  for (const box of [undefined, [0, 0, 1], [0, 0, "1", 1], [0.5, 0, 0.5, 1], [0, 0, NaN, 1]])
    assert.equal(parseBox(box), null);
});

test("a prediction full of nonsense becomes a harmless one", () => {
  const prediction = parsePrediction({
    camera: 5,
    role: "boss",
    predictions: [{ label: { a: 1 }, score: "high" }, null],
  });
  assert.equal(prediction.role, "live");
  assert.deepEqual(prediction.detections[0], {
    label: "[object Object]",
    score: 0,
    box: null,
    text: null,
  });
  assert.equal(prediction.detections[1].label, "");
  assert.deepEqual(parsePrediction({ predictions: "x" }).detections, []);
});

test("the times of a status are in milliseconds", () => {
  assert.equal(parseStatus({ state: "live", since: 2_000_000 }).since, 2);
  assert.equal(parseStatus({}).state, "unknown");
  assert.equal(parseStatus({ cause: "no-answer" }).cause, "no-answer");
});
