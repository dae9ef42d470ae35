import assert from "node:assert/strict";
import { test } from "node:test";

import {
  caption,
  formatAge,
  formatAgo,
  formatSize,
  formatSpan,
} from "../../../streaming/static/sightline/js/core/format.js";
import { matches } from "../../../streaming/static/sightline/js/core/words.js";
import {
  describe,
  kindOf,
  showsNothingNew,
  stateChange,
} from "../../../streaming/static/sightline/js/tile/states.js";

const facts = {
  state: "live",
  since: 1000,
  detail: "",
  connected: true,
  painted: 99_900,
  watched: 50_000,
};

test("ages and spans are read at a glance", () => {
  assert.deepEqual([62.4, 999, 1400, 12_000].map(formatAge), ["62 ms", "999 ms", "1.4 s", "12 s"]);
  assert.deepEqual([999, 59_999, 180_000, 7_200_000, 400_000_000].map(formatSpan), [
    "0 s",
    "59 s",
    "3 min",
    "2 h",
    "4 days",
  ]);
  assert.deepEqual([-5, 1400, 3200].map(formatAgo), ["now", "now", "3 s"]);
  assert.equal(formatAge(null), "–");
  assert.equal(formatSize(1280, 720), "1280 × 720");
  assert.equal(formatSize(0, 0), "–");
});

test("a caption has what is switched on", () => {
  const face = { label: "face", score: 0.98, text: null };
  const code = { label: "qr", score: 0.99, text: "PARCEL-0041" };
  assert.equal(caption(face), "face 0.98");
  assert.equal(caption(code), "PARCEL-0041 · 0.99");
  assert.equal(caption(face, { labels: true, scores: false }), "face");
  assert.equal(caption(face, { labels: false, scores: false }), "");
});

test("a live tile has nothing to say", () => {
  const truth = describe(facts, 100_000);
  assert.deepEqual([truth.alive, truth.title, truth.kind], [true, "", "ok"]);
});

test("a picture that stopped is never shown as alive", () => {
  const truth = describe(facts, 103_000);
  assert.deepEqual([truth.alive, truth.state, truth.title], [false, "stale", "No picture for 3 s"]);
});

test("a picture from before the page was left is not alive", () => {
  assert.equal(describe({ ...facts, painted: 40_000, watched: 99_000 }, 100_000).alive, false);
});

test("each state has a title, what happened and what to check", () => {
  for (const state of [
    "connecting",
    "stalled",
    "frozen",
    "black",
    "auth-failed",
    "unreachable",
    "disabled",
    "unknown",
    "deleted",
    "forbidden",
  ]) {
    const truth = describe({ ...facts, state }, 100_000);
    assert.ok(truth.title && truth.detail && truth.hint && !truth.alive, state);
    assert.equal(truth.state, state);
  }
  assert.equal(
    describe({ ...facts, state: "stalled", since: 88_000 }, 100_000).title,
    "Stalled for 12 s",
  );
  assert.equal(describe({ ...facts, connected: false }, 100_000).state, "offline");
});

test("the server's own sentence is preferred, and a state from the future is still shown", () => {
  assert.equal(
    describe({ ...facts, state: "stalled", detail: "Trying again in 4 s." }, 100_000).detail,
    "Trying again in 4 s.",
  );
  assert.match(describe({ ...facts, state: "melting" }, 100_000).title, /melting/);
  assert.equal(kindOf("melting"), "bad");
});

test("a frozen or black camera is greyed although its pictures keep coming", () => {
  const [frozen, black] = ["frozen", "black"].map((state) =>
    describe({ ...facts, state, since: 88_000 }, 100_000),
  );
  assert.deepEqual([frozen.title, black.title], ["Frozen for 12 s", "Black picture for 12 s"]);
  assert.deepEqual(
    [frozen.alive, black.alive, frozen.kind, black.kind],
    [false, false, "warn", "warn"],
  );
  assert.ok(showsNothingNew("frozen") && showsNothingNew("black") && !showsNothingNew("stalled"));
  const change = stateChange("Gate", report("live", 1), report("frozen", 88_000), 100_000);
  assert.equal(change.title, "Gate froze");
});

test("what to check belongs to the cause, and is not said twice", () => {
  const down = { ...facts, state: "unreachable", since: 88_000, detail: "There is no such path." };
  const hint = (cause) => describe({ ...down, cause }, 100_000).hint;
  assert.match(hint("no-answer"), /its power/);
  assert.deepEqual(["not-found", "name-unknown", "refused"].map(hint), ["", "", ""]);
  assert.match(hint(""), /address/);
  assert.equal(hint("of-a-later-release"), "");
});

const report = (state, since, detail = "") => ({ state, since, detail });

test("being live is news only after trouble", () => {
  const live = report("live", 90_000);
  assert.equal(stateChange("Gate", null, live, 100_000), null);
  assert.equal(stateChange("Gate", report("connecting", 80_000), live, 100_000), null);
  assert.deepEqual(stateChange("Gate", report("stalled", 80_000), live, 100_000), {
    title: "Gate is live again",
    second: "Pictures arrive.",
    kind: "ok",
    at: 90_000,
  });
  assert.equal(stateChange("Gate", live, report("stalled", 95_000), 100_000).title, "Gate stalled");
});

test("what nobody reported for a while is not dated back to when the camera began", () => {
  const before = report("unknown", 95_000);
  assert.equal(stateChange("Gate", before, report("live", 5_000), 100_000).at, 100_000);
});

test("a report of the same state is no event, and what the page missed is none", () => {
  assert.equal(stateChange("Gate", report("live", 1), report("live", 1), 100_000), null);
  assert.equal(stateChange("Gate", report("live", 1), report("stale", 1), 100_000), null);
});

test("a camera is found by parts of its name, whatever the case and the accents", () => {
  assert.ok(matches("Küche Nord kueche-nord", "kuche no"));
  assert.ok(matches("Gate A", ""));
  assert.ok(!matches("Gate A", "gate b"));
});
