import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ScreenAges,
  ageSeries,
  labelSeries,
  rateSeries,
  skippedShare,
} from "../../../streaming/static/sightline/js/camera/history-rows.js";
import {
  lonely,
  momentWords,
  summary,
  tableRows,
  timeMarks,
} from "../../../streaming/static/sightline/js/charts/words.js";

const START = Date.UTC(2026, 10, 20, 14, 0, 0);
const at = [0, 1, 2, 3].map((step) => START + step * 10_000);
const model = (name, version, rest) => ({
  model: name,
  version,
  predicted: [10, 10, null, 8],
  failed: [0, 0, null, 0],
  skipped: [0, 0, null, 2],
  transport_p95: [5, 6, null, 7],
  waiting_p95: [1, 1, null, 1],
  model_p95: [20, 30, null, 40],
  labels: { qr: [20, 30, null, 10] },
  ...rest,
});
const history = (...models) => ({
  camera: "gate",
  step: 10,
  at,
  capture: { fps: [10, 10, null, 10] },
  models,
});
const none = () => false;

test("the rate has the camera and each model that was there", () => {
  const lines = rateSeries(
    history(model("qr", "1"), model("old", "1", { predicted: [null, null, null, null] })),
    none,
  );
  assert.deepEqual(
    lines.map(({ label }) => label),
    ["camera", "qr 1"],
  );
  assert.deepEqual(lines[0].values, [10, 10, null, 10]);
  assert.equal(rateSeries(history(model("qr", "2")), () => true)[1].dashed, true);
});

test("a stage is as old as the slowest model makes it, and a gap stays a gap", () => {
  const slow = model("face", "1", { model_p95: [25, 25, null, 90] });
  const lines = ageSeries(history(model("qr", "1"), slow), [null, null, null, 120]);
  assert.deepEqual(
    lines.map(({ label }) => label),
    ["transport", "waiting", "model", "on this screen"],
  );
  assert.deepEqual(lines[2].values, [25, 30, null, 90]);
  assert.deepEqual(lines[3].values, [null, null, null, 120]);
});

test("labels are counted a minute, over live models, the rare ones together", () => {
  const lines = labelSeries(history(model("qr", "1"), model("qr", "2")), (key) => key === "qr@2");
  assert.deepEqual(
    lines.map(({ label, values }) => [label, values]),
    [["qr", [120, 180, null, 60]]],
  );
  const many = Object.fromEntries(
    [..."abcdefgh"].map((label, index) => [label, [index, 0, null, 0]]),
  );
  const ranked = labelSeries(
    history(model("m", "1", { labels: { ...many, other: [1, 1, null, 1] } })),
    none,
  );
  assert.deepEqual(
    ranked.map(({ label }) => label),
    ["h", "g", "f", "e", "d", "c", "other"],
  );
  assert.deepEqual(ranked.at(-1).values, [12, 6, null, 6]);
});

test("the share of skipped frames is that of the newest moments of live models", () => {
  assert.equal(skippedShare(history(model("qr", "1")), none), (100 * 2) / 30);
  assert.equal(skippedShare(history(model("qr", "1")), none, 1), 20);
  assert.equal(
    skippedShare(history(model("qr", "1")), () => true),
    null,
  );
});

test("ages on the screen fall into the steps of the history", () => {
  const ages = new ScreenAges();
  ages.add(null, at[0]);
  ages.add(80, at[1] + 1);
  ages.add(60, at[1] + 9999);
  ages.add(50, at[3]);
  ages.add(40, at[3] + 60_000);
  assert.deepEqual(ages.along(at, 10), [null, 80, null, 50]);
  assert.deepEqual(ages.along([at[0]], 60), [80]);
});

test("a chart is told in a sentence for each line", () => {
  const ms = (value) => `${value} ms`;
  const words = summary(
    "Age",
    at,
    [
      { label: "model", values: [20, 30, null, 25] },
      { label: "web", values: [null, null, null, null] },
    ],
    ms,
  );
  assert.match(
    words,
    /^Age, \d\d:00 to \d\d:00\. model: latest 25 ms, lowest 20 ms at \d\d:00, highest 30 ms at \d\d:00\./,
  );
  assert.match(words, /web: nothing reported\.$/);
  assert.equal(summary("Age", [], [], ms), "Age: nothing reported yet.");
  assert.match(
    momentWords(at, [{ label: "model", values: [20, 30, null, 25] }], 2, ms),
    /:00:20: model –$/,
  );
});

test("a table has the newest moment first and no more rows than fit", () => {
  const rows = tableRows(at, [{ label: "a", values: [1, 2, null, 4] }], String, 2);
  assert.deepEqual(
    rows.map(([, value]) => value),
    ["4", "2"],
  );
});

test("a value between two gaps is drawn as a point", () => {
  assert.deepEqual(lonely([1, null, 2, 3, null, undefined, 4]), [0, 6]);
});

test("marks closer than a minute have seconds", () => {
  assert.match(timeMarks([START, START + 20_000])[1], /:00:20$/);
  assert.match(timeMarks([START, START + 60_000])[1], /^\d\d:01$/);
});
