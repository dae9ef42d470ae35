import assert from "node:assert/strict";
import { test } from "node:test";

import { Cycle } from "../../../streaming/static/sightline/js/wall/cycle.js";
import { filtersOf } from "../../../streaming/static/sightline/js/core/filters.js";
import {
  differs,
  fieldsOf,
  preferencesOf,
} from "../../../streaming/static/sightline/js/wall/layouts.js";
import {
  chooseCameras,
  moveTo,
  pageCount,
  pageOf,
  tilesPerPage,
  wrapPage,
} from "../../../streaming/static/sightline/js/wall/pages.js";
import { Wants } from "../../../streaming/static/sightline/js/core/wants.js";

const camera = (name, groups = [], included = true) => ({
  name,
  camera: name.toLowerCase(),
  groups,
  included,
});
const cameras = [
  camera("Gate", ["dock"]),
  camera("Hall", ["office"]),
  camera("Yard", ["dock", "office"]),
  camera("Roof", [], false),
];
const names = ({ found, isElsewhere }) => [found.map(({ name }) => name).join(" "), isElsewhere];

test("a wall shows the cameras of its layout and group", () => {
  assert.deepEqual(names(chooseCameras(cameras)), ["Gate Hall Yard", false]);
  assert.deepEqual(names(chooseCameras(cameras, { group: "dock" })), ["Gate Yard", false]);
  assert.deepEqual(names(chooseCameras(cameras, { group: "dock", query: "ya" })), ["Yard", false]);
});

test("a search that finds nothing here finds it elsewhere, and says so", () => {
  assert.deepEqual(names(chooseCameras(cameras, { group: "dock", query: "hall" })), ["Hall", true]);
  assert.deepEqual(names(chooseCameras(cameras, { query: "roof" })), ["Roof", true]);
  assert.deepEqual(names(chooseCameras(cameras, { query: "cellar" })), ["", false]);
});

test("pages have the chosen number of tiles, 64 at most", () => {
  assert.deepEqual(["auto", 4, "9", 200, 0, -3, "x"].map(tilesPerPage), [64, 4, 9, 64, 64, 1, 64]);
  assert.deepEqual(
    [0, 1, 4, 5].map((count) => pageCount(count, 4)),
    [1, 1, 1, 2],
  );
  assert.deepEqual(pageOf([1, 2, 3, 4, 5], 1, 4), [5]);
  assert.deepEqual(
    [-1, 0, 3, 7].map((page) => wrapPage(page, 3)),
    [2, 0, 0, 1],
  );
});

test("a tile takes the place of another, forward and back", () => {
  const order = ["a", "b", "c", "d"];
  assert.deepEqual(moveTo(order, "a", "c"), ["b", "c", "a", "d"]);
  assert.deepEqual(moveTo(order, "d", "b"), ["a", "d", "b", "c"]);
  assert.equal(moveTo(order, "a", "a"), order);
  assert.equal(moveTo(order, "a", "x"), order);
});

test("pages turn when their time has passed, and not while somebody looks closer", () => {
  const cycle = new Cycle();
  cycle.set(10, 0);
  assert.equal(cycle.tick(9000), false);
  assert.equal(cycle.progress, 0.9);
  cycle.hold("hover", true);
  assert.equal(cycle.tick(60_000), false);
  cycle.hold("hover", false);
  assert.equal(cycle.tick(60_500), false);
  assert.equal(cycle.tick(61_000), true);
  assert.equal(cycle.progress, 0);
  cycle.paused = true;
  assert.equal(cycle.tick(99_000), false);
});

test("a cycle that is off never turns", () => {
  const cycle = new Cycle();
  cycle.set(0, 0);
  assert.deepEqual([cycle.tick(1e9), cycle.isOn, cycle.progress], [false, false, 0]);
});

test("filters let through what is certain enough and not hidden", () => {
  const seen = { model: "qr", version: "1", label: "qr", score: 0.5 };
  assert.ok(filtersOf().allows(seen));
  assert.ok(filtersOf({ threshold: 50 }).allows(seen));
  assert.ok(!filtersOf({ threshold: 51 }).allows(seen));
  assert.ok(!filtersOf({ hiddenModels: ["qr@1"] }).allows(seen));
  assert.ok(filtersOf({ hiddenModels: ["qr@2"] }).allows(seen));
  assert.ok(!filtersOf({ hiddenLabels: ["qr"] }).allows(seen));
  assert.deepEqual([filtersOf().isOn, filtersOf({ threshold: 1 }).isOn], [false, true]);
  // 0.29 * 100 is a little less than 29.
  assert.ok(filtersOf({ threshold: 29 }).allows({ ...seen, score: 0.29 }));
});

test("a layout that is open and unchanged differs in nothing", () => {
  const drawn = {
    boxes: true,
    labels: false,
    scores: true,
    mode: "live",
    threshold: 40,
    hiddenModels: ["qr@1"],
    hiddenLabels: [],
  };
  const layout = { group: "dock", columns: 0, tiles: 9, cycle: 20, drawn };
  const view = preferencesOf(layout);
  assert.deepEqual([view.columns, view.tiles, view.cycle, view.threshold], ["auto", 9, 20, 40]);
  assert.ok(!differs(layout, fieldsOf(view, "dock")));
  assert.ok(differs(layout, fieldsOf(view, "")));
  assert.ok(differs(layout, fieldsOf({ ...view, columns: "3" }, "dock")));
  assert.ok(differs(layout, fieldsOf({ ...view, hiddenModels: [] }, "dock")));
});

test("what a layout does not say is as the viewer has it", () => {
  const layout = { group: null, columns: 2, tiles: 0, cycle: 0, drawn: { boxes: false } };
  const view = {
    boxes: false,
    labels: true,
    scores: false,
    mode: "synced",
    threshold: 0,
    hiddenModels: [],
    hiddenLabels: [],
    ...preferencesOf(layout),
  };
  assert.ok(!differs(layout, fieldsOf(view, "")));
});

test("a page of tiles is asked for in one message, and left in one", () => {
  const wants = new Wants();
  wants.follow(["a", "b", "c"]);
  assert.deepEqual(wants.takeChanges(), [
    { type: "watch", fps: 0, width: 640, cameras: ["a", "b", "c"] },
  ]);
  wants.watch("a", 10, 320);
  wants.watch("b", 10, 320);
  assert.deepEqual(wants.takeChanges(), [
    { type: "watch", fps: 10, width: 320, cameras: ["a", "b"] },
  ]);
  wants.unwatch("a");
  wants.watch("c", 10, 320);
  assert.deepEqual(wants.takeChanges(), [
    { type: "watch", fps: 0, width: 640, cameras: ["a"] },
    { type: "watch", fps: 10, width: 320, cameras: ["c"] },
  ]);
  assert.deepEqual(wants.takeChanges(), []);
  assert.deepEqual(
    wants.takeAll().map(({ fps, cameras: asked }) => [fps, asked.length]),
    [
      [10, 2],
      [0, 1],
    ],
  );
});

test("what is not followed is left", () => {
  const wants = new Wants();
  assert.equal(wants.watch("a", 10, 320), true);
  assert.equal(wants.watch("a", 10, 320), false);
  wants.takeChanges();
  assert.equal(wants.unwatch("a"), true);
  assert.equal(wants.unwatch("a"), false);
  assert.deepEqual(wants.takeChanges(), [{ type: "unwatch", camera: "a" }]);
});

test("very many cameras are asked for in several messages", () => {
  const wants = new Wants();
  wants.follow(Array.from({ length: 1000 }, (_, index) => `c${index}`));
  assert.deepEqual(
    wants.takeAll().map(({ cameras: part }) => part.length),
    [512, 488],
  );
});
