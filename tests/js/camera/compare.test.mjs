import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Agreement,
  agreementWords,
  iou,
  sameObjects,
  sharedObjects,
} from "../../../streaming/static/sightline/js/camera/compare.js";

const seen = (label, box, text = null) => ({ label, score: 0.9, box, text });
const LEFT = [0.1, 0.1, 0.3, 0.3];
const NEARLY_LEFT = [0.11, 0.1, 0.31, 0.3];
const RIGHT = [0.6, 0.1, 0.8, 0.3];

let seq = 0;
const says = (model, detections, frame = { seq, captured_at: seq }, version = "1") => ({
  model,
  version,
  frame,
  detections,
});
const nextFrame = () => ({ seq: (seq += 1), captured_at: seq * 1e8 });

test("boxes overlap by their intersection over their union", () => {
  assert.equal(iou(LEFT, LEFT), 1);
  assert.equal(iou(LEFT, RIGHT), 0);
  assert.ok(Math.abs(iou([0, 0, 1, 1], [0.5, 0, 1.5, 1]) - 1 / 3) < 1e-9);
  assert.equal(iou(LEFT, null), 0);
});

test("each detection is in one pair at most, the best one", () => {
  const [a, b] = [seen("face", LEFT), seen("face", NEARLY_LEFT)];
  const [c, d] = [seen("face", LEFT), seen("face", RIGHT)];
  assert.deepEqual(sameObjects([a, b], [c, d]), [[a, c]]);
});

test("an object that three models see is one chip, which says whether they agree", () => {
  const frame = nextFrame();
  const objects = sharedObjects([
    says("a", [seen("face", LEFT), seen("face", RIGHT)], frame),
    says("b", [seen("face", NEARLY_LEFT)], frame),
    says("c", [seen("person", NEARLY_LEFT), seen("whole picture", null)], frame),
  ]);
  assert.equal(objects.length, 1);
  assert.deepEqual(
    objects[0].seen.map(({ model }) => model),
    ["a", "b", "c"],
  );
  assert.equal(objects[0].agreed, false);
});

test("texts that both have read must be the same, too", () => {
  const codes = (first, second) =>
    sharedObjects([says("a", [seen("qr", LEFT, first)]), says("b", [seen("qr", LEFT, second)])])[0]
      .agreed;
  assert.equal(codes("P-1", "P-1"), true);
  assert.equal(codes("P-1", null), true);
  assert.equal(codes("P-1", "P-2"), false);
});

test("agreement is counted once a frame, whichever model comes first, and from both sides", () => {
  const agreement = new Agreement();
  for (let round = 0; round < 20; round += 1) {
    const frame = nextFrame();
    const live = says("qr", [seen("qr", LEFT), seen("qr", RIGHT)], frame);
    const shadow = says("qr", [seen(round % 4 ? "qr" : "box", NEARLY_LEFT)], frame, "2");
    for (const prediction of round % 2 ? [live, shadow] : [shadow, live])
      agreement.add(prediction, round * 100);
  }
  assert.deepEqual(agreement.of("qr@2", 2000), [
    { key: "qr@1", both: 20, agreed: 15, missed: 20, added: 0 },
  ]);
  assert.deepEqual(agreement.of("qr@1", 2000), [
    { key: "qr@2", both: 20, agreed: 15, missed: 0, added: 20 },
  ]);
});

test("agreement is forgotten after five minutes, and little of it is not told", () => {
  const agreement = new Agreement();
  const meet = (count, now) => {
    for (let round = 0; round < count; round += 1) {
      const frame = nextFrame();
      agreement.add(says("a", [seen("face", LEFT)], frame), now);
      agreement.add(says("b", [seen("face", LEFT)], frame), now);
    }
  };
  meet(9, 0);
  assert.deepEqual(agreement.of("a@1", 0), []);
  meet(1, 0);
  assert.equal(agreement.of("a@1", 0)[0].both, 10);
  assert.deepEqual(agreement.of("a@1", 320_000), []);
});

test("the chips are those of the frame on which most models have spoken", () => {
  const agreement = new Agreement();
  const [older, newer] = [nextFrame(), nextFrame()];
  agreement.add(says("a", [], older), 0);
  agreement.add(says("b", [], older), 0);
  agreement.add(says("a", [], newer), 100);
  assert.deepEqual(
    agreement.newest(200).map(({ model }) => model),
    ["a", "b"],
  );
  assert.deepEqual(agreement.newest(5000), []);
});

test("agreement is put into words", () => {
  const common = { key: "qr@1", both: 1204, agreed: 1168, missed: 12, added: 0 };
  assert.equal(agreementWords(common, false), "agrees with qr 1 on 97.0 % of 1,204 objects");
  assert.equal(
    agreementWords(common, true),
    "agrees with qr 1 on 97.0 % of 1,204 objects, misses 12",
  );
  assert.match(
    agreementWords({ ...common, agreed: 1204, added: 3 }, true),
    /on 100 % of 1,204 objects, misses 12, sees 3 more$/,
  );
  assert.match(
    agreementWords({ ...common, both: 100_000, agreed: 99_999 }, false),
    /on 99\.9 % of/,
  );
});
