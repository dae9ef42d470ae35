/** One camera, large: what is there now, how old it is, what the models see, how it has been. */

import { announce } from "./banners.js";
import { connect } from "./connection.js";
import { setText } from "./dom.js";
import { Feed } from "./feed.js";
import { formatAge, formatCount, formatRate, formatScore, formatSize } from "./format.js";
import { bindFullscreen, toggleFullscreen } from "./fullscreen.js";
import { bindKeyHelp, bindKeys, viewKeys } from "./keys.js";
import { ModelList } from "./models.js";
import { Sparkline } from "./sparkline.js";
import { stateWords } from "./states.js";
import { Window, quantile } from "./stats.js";
import { bindStreamLinks } from "./streamlinks.js";
import { followModels, openTiles } from "./tiles.js";
import { bindToolbar } from "./toolbar.js";

const WINDOW_MS = 10_000;
const root = document.querySelector("[data-camera]");
const card = (name) => document.querySelector(`[data-card=${name}]`);
const frameAges = new Window(WINDOW_MS);
const boxAges = new Window(WINDOW_MS);
const lines = Object.fromEntries(
  [...document.querySelectorAll("[data-line]")].map((canvas) => [canvas.dataset.line, new Sparkline(canvas)]),
);

function showCards(tile) {
  const now = performance.now();
  const { rate } = tile.numbers();
  const alive = tile.truth.alive;
  setText(card("rate"), alive ? `${formatRate(rate)} fps` : "–");
  setText(card("age"), formatAge(quantile(frameAges.values(now), 0.95)));
  setText(card("boxes"), formatAge(quantile(boxAges.values(now), 0.95)));
  setText(card("dropped"), tile.status ? formatCount(tile.status.dropped) : "–");
  setText(card("size"), formatSize(tile.status?.width, tile.status?.height));
  setText(card("codec"), tile.status?.codec || "codec unknown");
}

function drawLines(tile) {
  const now = performance.now();
  lines.rate?.add(tile.truth.alive ? tile.numbers().rate : 0);
  lines.age?.add(quantile(frameAges.values(now), 0.95));
  lines.boxes?.add(quantile(boxAges.values(now), 0.95));
}

function showState(tile) {
  const chip = document.querySelector("[data-state-chip]");
  const { truth } = tile;
  chip.dataset.kind = truth.kind;
  const age = formatAge(tile.numbers().age);
  setText(chip.querySelector("[data-text]"), truth.alive ? `${truth.state} · ${age}` : truth.title || truth.state);
}

function toggleModel(tile, key, role, on) {
  const { hidden, compared } = tile.picture.matcher;
  hidden[on ? "delete" : "add"](key);
  if (role === "shadow") compared[on ? "add" : "delete"](key);
  tile.picture.redraw();
}

function follow(tile, socket, feed, models) {
  tile.addEventListener("painted", ({ detail }) => {
    feed.illustrate(detail);
    if (!detail.repeated) frameAges.add(detail.age, performance.now());
    if (detail.marks.length) boxAges.add(detail.age, performance.now());
  });
  tile.addEventListener("state", ({ detail: { before, truth } }) => {
    const words = stateWords(tile.name, before?.state, truth);
    if (!words) return;
    feed.state(tile.camera, { ...words, kind: truth.kind, since: truth.since, href: location.pathname });
    announce(words.title);
  });
  socket.addEventListener("model", ({ detail }) => models.report(detail));
  followModels(socket, feed, () => location.pathname);
  socket.addEventListener("predictions", ({ detail }) => {
    models.predict(detail);
    feed.predict(detail);
  });
}

function start() {
  const socket = connect();
  const models = new ModelList(document.getElementById("models"), (...change) => toggleModel(tile, ...change));
  const line = (...parts) => parts.filter(Boolean).join(" · ");
  const feed = new Feed(
    document.getElementById("feed"),
    socket.clock,
    ({ model, version, frame }, { text, score }) => ({
      second: line(`${model} ${version}`, text && formatScore(score), `frame ${frame.seq}`),
      href: root.dataset.snapshot,
    }),
  );
  let ticks = 0;
  const tiles = openTiles([root], socket, { fps: 30, bar: false }, () => {
    showCards(tile);
    showState(tile);
    models.tick();
    feed.tick();
    if ((ticks += 1) % 2 === 0) drawLines(tile);
  });
  const tile = tiles.get(root.dataset.camera);
  follow(tile, socket, feed, models);
  socket.open();
}

bindToolbar();
bindKeyHelp();
bindFullscreen();
bindStreamLinks();
bindKeys({
  ...viewKeys,
  f: toggleFullscreen,
  Escape: () => location.assign(document.querySelector("[data-back]").href),
});
start();
