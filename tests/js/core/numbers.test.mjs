import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { backoff } from "../../../streaming/static/sightline/js/core/backoff.js";
import { ServerClock } from "../../../streaming/static/sightline/js/core/clock.js";
import { PALETTE, colourOf } from "../../../streaming/static/sightline/js/core/colours.js";
import { gridFor } from "../../../streaming/static/sightline/js/wall/grid.js";
import { moveIn } from "../../../streaming/static/sightline/js/wall/move.js";
import { Sightings } from "../../../streaming/static/sightline/js/tile/sightings.js";
import { Window, quantile } from "../../../streaming/static/sightline/js/core/stats.js";
import { watchWidth } from "../../../streaming/static/sightline/js/tile/widths.js";

test("a word has the colour that the imprinted stream gives it", () => {
  const colours = JSON.parse(readFileSync(new URL("../colours.json", import.meta.url)));
  for (const [word, colour] of Object.entries(colours)) assert.equal(colourOf(word), colour, word);
});

test("a word keeps its colour, and common labels do not share one", () => {
  assert.equal(colourOf("face"), colourOf("Faces"));
  assert.equal(colourOf("people"), colourOf("person"));
  const common = [
    "qr",
    "face",
    "person",
    "motion",
    "car",
    "cup",
    "cat",
    "dog",
    "truck",
    "bicycle",
  ].map(colourOf);
  assert.equal(new Set(common).size, common.length);
  for (const word of ["", "Ω", "a very long label ".repeat(20)])
    assert.ok(PALETTE.includes(colourOf(word)));
});

test("the clock difference is that of the shortest round trip", () => {
  const clock = new ServerClock(() => 0);
  clock.hint(900);
  assert.equal(clock.offset, 900);
  clock.sample(0, 200, 1180);
  clock.sample(1000, 1010, 2005);
  clock.sample(2000, 2100, 3020);
  assert.equal(clock.offset, 1000);
});

test("a clock that was set is followed at once", () => {
  const clock = new ServerClock(() => 0);
  clock.sample(0, 10, 5);
  clock.sample(1000, 1040, 4_601_020);
  assert.equal(clock.offset, 4_600_000);
});

test("reconnecting waits longer each time, between half a second and ten", () => {
  const waits = Array.from({ length: 12 }, (_, attempt) => backoff(attempt, () => 1));
  assert.deepEqual(waits.slice(0, 3), [500, 750, 1125]);
  assert.deepEqual(
    waits,
    [...waits].sort((a, b) => a - b),
  );
  assert.equal(Math.max(...waits), 10_000);
  assert.ok(backoff(9, () => 0) < backoff(9, () => 1));
  assert.ok(backoff(0, () => 0) >= 500);
});

const desk = { width: 1250, height: 780, gap: 12 };
const phone = { width: 340, height: 560, gap: 10 };
const wide = (count) => Array(count).fill(16 / 9);

test("all cameras are in sight, as large as they can be", () => {
  const columns = (count, room = desk) => gridFor("auto", wide(count), room).columns;
  assert.deepEqual(
    [1, 2, 4, 6, 9, 36].map((count) => columns(count)),
    [1, 2, 2, 3, 3, 6],
  );
  assert.deepEqual(
    [1, 3, 10].map((count) => columns(count, phone)),
    [1, 1, 2],
  );
  assert.deepEqual(
    [9, 64].map((count) => columns(count, { width: 3800, height: 1990, gap: 12 })),
    [3, 8],
  );
});

test("no wall is higher than its room while its tiles can be 160 pixels wide", () => {
  for (let count = 1; count <= 42; count += 1) {
    const aspects = wide(count).map((aspect, index) => [aspect, 4 / 3, 9 / 16][index % 3]);
    const { columns, tileHeight } = gridFor("auto", aspects, desk);
    const rows = Math.ceil(count / columns);
    assert.ok(rows * tileHeight + (rows - 1) * desk.gap <= desk.height, `${count} tiles`);
    assert.ok((desk.width - desk.gap * (columns - 1)) / columns >= 160, `${count} tiles`);
  }
});

test("portrait cameras stand beside each other", () => {
  assert.equal(gridFor("auto", Array(4).fill(9 / 16), desk).columns, 4);
});

test("tiles that could not be read are larger, and the page scrolls", () => {
  assert.deepEqual(gridFor("auto", wide(40), phone), { columns: 1, tileHeight: 560 });
});

test("chosen columns are kept unless tiles could not be read", () => {
  assert.equal(gridFor(6, [1, 1], desk).columns, 6);
  assert.equal(gridFor("6", [1, 1], phone).columns, 2);
});

test("arrows move within the grid", () => {
  assert.equal(moveIn(0, "ArrowRight", 5, 3), 1);
  assert.equal(moveIn(1, "ArrowDown", 5, 3), 4);
  assert.equal(moveIn(2, "ArrowDown", 5, 3), 4);
  assert.equal(moveIn(4, "ArrowDown", 5, 3), 4);
  assert.equal(moveIn(0, "ArrowLeft", 5, 3), 0);
  assert.equal(moveIn(-1, "ArrowDown", 5, 3), 0);
  assert.equal(moveIn(2, "End", 5, 3), 4);
});

test("the same thing seen again refreshes its entry and holds its place", () => {
  const sightings = new Sightings(2, 2);
  sightings.see("a", {}, 0);
  sightings.see("b", {}, 100);
  sightings.see("a", {}, 200);
  assert.deepEqual(
    sightings.list().map(({ key, last }) => [key, last]),
    [
      ["b", 100],
      ["a", 200],
    ],
  );
  sightings.see("b", {}, 9000);
  sightings.see("a", {}, 9001);
  assert.deepEqual(
    sightings.list().map(({ key }) => key),
    ["a", "b"],
  );
  sightings.see("c", {}, 9100);
  assert.deepEqual(
    sightings.list().map(({ key }) => key),
    ["c", "a"],
  );
});

test("rows are sorted by when something happened, not by when the page heard of it", () => {
  const sightings = new Sightings();
  sightings.see("person", {}, 1000);
  sightings.see("gate stalled", {}, 2000, 500);
  sightings.see("yard froze", {}, 2100, 1500);
  assert.deepEqual(
    sightings.list().map(({ key }) => key),
    ["yard froze", "person", "gate stalled"],
  );
  sightings.see("gate stalled", {}, 2200, 2150);
  assert.equal(sightings.list()[0].key, "gate stalled");
});

test("the list is bounded", () => {
  const sightings = new Sightings();
  for (let index = 0; index < 1000; index += 1) sightings.see(`thing ${index}`, {}, index);
  assert.equal(sightings.list().length, 50);
  assert.equal(sightings.list()[0].key, "thing 999");
  assert.equal(sightings.get("thing 10"), undefined);
});

test("rates and quantiles come from the window only", () => {
  const window = new Window(2000);
  for (let at = 0; at <= 5000; at += 100) window.add(at, at);
  assert.equal(Math.round(window.rate(5000)), 10);
  assert.equal(Math.round(window.rate(5080)), 10);
  assert.ok(window.rate(6500) < 5);
  assert.equal(window.rate(9000), 0);
  assert.equal(quantile([5, 1, 4, 2, 3], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4], 0.95), 4);
  assert.equal(quantile([], 0.95), null);
});

test("frames are asked for in a few widths", () => {
  assert.deepEqual([100, 320, 321, 1000, 5000].map(watchWidth), [160, 320, 480, 1280, 1920]);
});
