import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ACTIVE_MS,
  FrameMatcher,
  HELD_MAX,
  HOLD_MS,
} from "../../../streaming/static/sightline/js/tile/matching.js";

const frame = (seq) => ({ seq, captured_at: 1_000_000 + seq });
const prediction = (seq, model = "qr", role = "live") => ({
  model,
  version: "1",
  role,
  frame: frame(seq),
  detections: [],
});

function matcherWith(...models) {
  const matcher = new FrameMatcher();
  for (const model of models) matcher.addPrediction(prediction(0, model), 0);
  return matcher;
}

function add(matcher, seq, now) {
  matcher.addFrame(frame(seq), matcher.ticket(now), now);
}

const shown = (matcher, now) => matcher.next(now).frame?.seq ?? null;

test("a frame is shown at once when no model looks at the camera", () => {
  const matcher = matcherWith();
  add(matcher, 1, 0);
  assert.equal(shown(matcher, 0), 1);
});

test("a frame waits for the prediction of exactly that frame", () => {
  const matcher = matcherWith("qr");
  add(matcher, 2, 10);
  assert.equal(shown(matcher, 10), null);
  matcher.addPrediction(prediction(1), 20);
  assert.equal(shown(matcher, 20), null);
  matcher.addPrediction(prediction(2), 30);
  assert.equal(shown(matcher, 30), 2);
  assert.equal(matcher.predictionsFor(frame(2)).length, 1);
});

test("the same seq of another run of the camera is another frame", () => {
  const matcher = matcherWith("qr");
  add(matcher, 2, 10);
  matcher.addPrediction({ ...prediction(2), frame: { seq: 2, captured_at: 5 } }, 20);
  assert.equal(shown(matcher, 20), null);
});

test("a frame waits for every active model", () => {
  const matcher = matcherWith("qr", "motion");
  add(matcher, 1, 0);
  matcher.addPrediction(prediction(1, "motion"), 5);
  assert.equal(shown(matcher, 5), null);
  matcher.addPrediction(prediction(1, "qr"), 50);
  assert.equal(shown(matcher, 50), 1);
});

test("a prediction that came before its frame counts", () => {
  const matcher = matcherWith("qr");
  matcher.addPrediction(prediction(4), 10);
  add(matcher, 4, 20);
  assert.equal(shown(matcher, 20), 4);
});

test("a frame is shown without boxes when its time is over", () => {
  const matcher = matcherWith("qr");
  add(matcher, 1, 0);
  assert.equal(matcher.deadline, HOLD_MS);
  assert.equal(shown(matcher, HOLD_MS - 1), null);
  assert.equal(shown(matcher, HOLD_MS), 1);
  assert.deepEqual(matcher.predictionsFor(frame(1)), []);
});

test("a newer complete frame goes first and older ones are dropped", () => {
  const matcher = matcherWith("qr");
  add(matcher, 1, 0);
  add(matcher, 2, 100);
  matcher.addPrediction(prediction(2), 150);
  const { frame: newest, dropped } = matcher.next(150);
  assert.equal(newest.seq, 2);
  assert.deepEqual(
    dropped.map(({ seq }) => seq),
    [1],
  );
  assert.equal(matcher.deadline, null);
});

test("a frame decoded after a newer one was shown is dropped", () => {
  const matcher = matcherWith();
  const [first, second] = [matcher.ticket(0), matcher.ticket(1)];
  matcher.addFrame(frame(2), second, 2);
  assert.equal(shown(matcher, 2), 2);
  matcher.addFrame(frame(1), first, 3);
  const { frame: late, dropped } = matcher.next(3);
  assert.equal(late, null);
  assert.deepEqual(
    dropped.map(({ seq }) => seq),
    [1],
  );
});

test("a model that has been silent is not waited for", () => {
  const matcher = matcherWith("qr");
  add(matcher, 1, ACTIVE_MS + 1);
  assert.equal(shown(matcher, ACTIVE_MS + 1), 1);
});

test("a hidden model and a shadow are not waited for", () => {
  const matcher = matcherWith("qr");
  matcher.addPrediction(prediction(0, "next", "shadow"), 0);
  matcher.hides = (key) => key === "qr@1";
  add(matcher, 1, 10);
  assert.equal(shown(matcher, 10), 1);
});

test("live mode shows the newest frame at once", () => {
  const matcher = matcherWith("qr");
  matcher.mode = "live";
  add(matcher, 1, 0);
  add(matcher, 2, 1);
  const { frame: newest, dropped } = matcher.next(1);
  assert.equal(newest.seq, 2);
  assert.deepEqual(
    dropped.map(({ seq }) => seq),
    [1],
  );
});

test("the queue is bounded, and a fast camera with a slow model still moves", () => {
  const matcher = matcherWith("qr");
  const seen = [];
  for (let seq = 1; seq <= 60; seq += 1) {
    add(matcher, seq, seq * 20);
    const { frame: next } = matcher.next(seq * 20);
    if (next) seen.push(next.seq);
  }
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.equal(seen.length, 60 - HELD_MAX);
  assert.equal(matcher.clear().length, HELD_MAX);
});
