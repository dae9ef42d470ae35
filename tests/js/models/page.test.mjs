import assert from "node:assert/strict";
import { test } from "node:test";

import { formatBytes } from "../../../streaming/static/sightline/js/core/format.js";
import {
  errorSeries,
  latencySeries,
  rateSeries,
  takenUpAfter,
} from "../../../streaming/static/sightline/js/models/history.js";
import {
  formatLatency,
  formatShare,
  skippedShare,
  versionNumbers,
  workerWords,
} from "../../../streaming/static/sightline/js/models/words.js";
import {
  kindOfLevel,
  reportText,
  topicCells,
} from "../../../streaming/static/sightline/js/system/words.js";
import {
  FrameMatcher,
  SEEN_HOLD_MS,
} from "../../../streaming/static/sightline/js/tile/matching.js";

const history = {
  versions: [
    {
      version: "1",
      predicted: [9, 10],
      skipped: [0, 3],
      failed: [0, 0],
      errors: [null, null],
      latency_p50: [5, 6],
      latency_p95: [9, 12],
      transport_p95: [40, null],
    },
    {
      version: "2",
      predicted: [null, null],
      skipped: [null, null],
      failed: [null, null],
      errors: [null, null],
      latency_p50: [null, null],
      latency_p95: [null, null],
    },
  ],
};

test("a version that reported nothing has no lines; broken lines are the second of a colour", () => {
  const shape = (series) =>
    series.map(({ label, dashed = false, colour }) => [label, dashed, colour]);
  assert.deepEqual(shape(rateSeries(history)), [
    ["1 answers", false, "var(--chart-1)"],
    ["1 skipped", true, "var(--chart-1)"],
  ]);
  assert.deepEqual(shape(latencySeries({ versions: history.versions.slice(0, 1) })), [
    ["p50", false, "var(--chart-1)"],
    ["p95", true, "var(--chart-1)"],
  ]);
  assert.deepEqual(shape(errorSeries(history)), [["1 dead letters", false, "var(--chart-1)"]]);
});

test("how late frames are taken up is told while it is news", () => {
  assert.equal(takenUpAfter(history, "1"), 40);
  assert.equal(takenUpAfter(history, "2"), null);
  assert.equal(
    takenUpAfter(
      { versions: [{ version: "1", transport_p95: [40, null, null, null, null] }] },
      "1",
    ),
    null,
  );
});

test("numbers are read at a glance, and what is not known is a dash", () => {
  const version = {
    predicted: 18,
    skipped: 2,
    errors: 0.0004,
    latency_p50: 0.024,
    latency_p95: 12.3,
    lag: { total: 1234 },
  };
  assert.deepEqual(versionNumbers(version, 41), {
    predicted: "18.0 /s",
    latency_p50: "0.02 ms",
    latency_p95: "12 ms",
    errors: "< 0.1 %",
    skipped: "10.0 %",
    transport: "41 ms",
    lag: "1,234",
  });
  const unknown = {
    predicted: null,
    skipped: null,
    errors: null,
    latency_p50: null,
    latency_p95: null,
    lag: null,
  };
  assert.deepEqual(new Set(Object.values(versionNumbers(unknown, null))), new Set(["–"]));
  assert.equal(skippedShare({ predicted: 0, skipped: 0, errors: null }), null);
  assert.deepEqual([0, 0.02, 3.44, 62].map(formatLatency), ["0 ms", "0.02 ms", "3.4 ms", "62 ms"]);
  assert.deepEqual([0, 0.125, 1].map(formatShare), ["0.0 %", "12.5 %", "100.0 %"]);
});

test("workers are named in a sentence", () => {
  assert.deepEqual([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(workerWords), [
    "",
    "Run by a",
    "Run by a and b",
    "Run by a, b and c",
  ]);
});

test("bytes are rounded to what can be read", () => {
  assert.deepEqual([0, 812, 1500, 99_960, 5_300_000, 8.4e9, 3e15].map(formatBytes), [
    "0 bytes",
    "812 bytes",
    "1.5 kB",
    "100 kB",
    "5.3 MB",
    "8.4 GB",
    "3,000 TB",
  ]);
});

test("a topic of which little is known shows dashes", () => {
  const row = {
    name: "t",
    partitions: 4,
    records: 12345,
    rate: null,
    flow: null,
    about: 5_300_000,
    lags: [{ group: "g", records: 7 }],
  };
  assert.deepEqual(topicCells(row), {
    partitions: "4",
    records: "12,345",
    rate: "–",
    flow: "–",
    about: "5.3 MB",
    lags: "g: 7",
  });
});

test("a note does not make a working part look broken", () => {
  assert.deepEqual(["ok", "note", "wait", "warn", "bad"].map(kindOfLevel), [
    "ok",
    "ok",
    "wait",
    "warn",
    "bad",
  ]);
});

test("the report has every part, process and topic", () => {
  const text = reportText({
    at: Date.UTC(2026, 4, 1, 12),
    level: "bad",
    words: "Needs somebody now: Kafka.",
    parts: [
      {
        title: "Kafka",
        level: "bad",
        words: "Away.",
        facts: [["Address", "b:9092"]],
        findings: [{ level: "bad", text: "Away." }],
      },
    ],
    workers: [
      {
        name: "infer-vm-1",
        since: Date.UTC(2026, 4, 1, 11),
        memory: 5e6,
        level: "ok",
        words: "at work",
        doing: "2 models",
        runs: ["qr 1"],
        more: 3,
      },
    ],
    topics: { known: false, total: 0, rows: [] },
  });
  for (const part of [
    "2026-05-01T12:00:00.000Z",
    "BAD: Needs somebody now: Kafka.",
    "Kafka [bad] Away.",
    "Address: b:9092",
    "infer-vm-1",
    "1 h",
    "qr 1, and 3 more",
    "Topics: not known",
  ])
    assert.ok(text.includes(part), part);
});

test("seen: frames that the model looked at go before others, which are shown only when none came", () => {
  const matcher = new FrameMatcher();
  matcher.mode = "seen";
  const frame = (seq) => ({ seq, captured_at: seq });
  const predict = (seq, now) =>
    matcher.addPrediction(
      { model: "qr", version: "1", role: "live", frame: frame(seq), detections: [] },
      now,
    );
  const add = (seq, now) => matcher.addFrame(frame(seq), matcher.ticket(now), now);
  add(1, 0);
  add(2, 100);
  assert.equal(matcher.next(100).frame, null);
  predict(1, 150);
  assert.equal(matcher.next(150).frame.seq, 1);
  assert.equal(matcher.next(1000).frame, null, "frame 2 still waits");
  const late = matcher.next(100 + SEEN_HOLD_MS);
  assert.deepEqual(
    [late.frame, late.dropped.map(({ seq }) => seq)],
    [null, [2]],
    "another was shown less than a second ago",
  );
  add(3, 1200);
  assert.equal(matcher.next(1200 + SEEN_HOLD_MS).frame.seq, 3, "nothing came for a second");
});
