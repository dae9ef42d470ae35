/** One camera, large: what is there now, how old it is, what the models see, how it has been. */

import { announce } from "../core/banners.js";
import { ScreenAges, skippedShare } from "./history-rows.js";
import { connect } from "../core/connection.js";
import { setText } from "../core/dom.js";
import { Feed } from "../tile/feed.js";
import { filters } from "../core/filters.js";
import {
  formatAge,
  formatCount,
  formatRate,
  formatScore,
  formatShare,
  formatSize,
} from "../core/format.js";
import { bindFullscreen, toggleFullscreen } from "../core/fullscreen.js";
import { HistoryPanel } from "./history.js";
import { bindKeyHelp, bindKeys, viewKeys } from "../core/keys.js";
import { bindMenus } from "../core/menu.js";
import { LabelChips } from "./label-chips.js";
import { ModelList } from "./models.js";
import { bindMoment, openMoment } from "./moment.js";
import { saveSnapshot } from "./snapshot.js";
import { Sparkline } from "./sparkline.js";
import { stateChange } from "../tile/states.js";
import { Window, quantile } from "../core/stats.js";
import { bindStreamLinks } from "./stream-links.js";
import { bindThreshold } from "../tile/filter-menu.js";
import { followModels, openTiles } from "../tile/tiles.js";
import { bindToolbar } from "../tile/toolbar.js";

const WINDOW_MS = 10_000;
const root = document.querySelector("[data-camera]");
const card = (name) => document.querySelector(`[data-card=${name}]`);
const frameAges = new Window(WINDOW_MS);
const boxAges = new Window(WINDOW_MS);
const screenAges = new ScreenAges();
const labels = new LabelChips(document.querySelector("[data-labels]"));
const lines = Object.fromEntries(
  [...document.querySelectorAll("[data-line]")].map((canvas) => [
    canvas.dataset.line,
    new Sparkline(canvas),
  ]),
);

function showCards(tile) {
  const now = performance.now();
  const { rate } = tile.numbers();
  const { status } = tile;
  setText(card("rate"), tile.truth.alive ? `${formatRate(rate)} fps` : "–");
  setText(card("age"), formatAge(quantile(frameAges.values(now), 0.95)));
  setText(card("boxes"), formatAge(quantile(boxAges.values(now), 0.95)));
  setText(card("dropped"), status ? formatCount(status.dropped) : "–");
  card("size").hidden = !status?.width;
  const line = tile.isReduced ? "shown smaller: slow line" : "";
  setText(
    card("size"),
    [formatSize(status?.width, status?.height), status?.codec, line].filter(Boolean).join(" · "),
  );
}

function drawLines(tile) {
  const now = performance.now();
  lines.rate.add(tile.truth.alive ? tile.numbers().rate : 0);
  lines.age.add(quantile(frameAges.values(now), 0.95));
  lines.boxes.add(quantile(boxAges.values(now), 0.95));
}

function showState(tile) {
  const chip = document.querySelector("[data-state-chip]");
  const { truth } = tile;
  chip.dataset.kind = truth.kind;
  const age = formatAge(tile.numbers().age);
  setText(
    chip.querySelector("[data-text]"),
    truth.alive ? `${truth.state} · ${age}` : truth.title || truth.state,
  );
}

// What is hidden is hidden on all pages; a shadow's boxes are asked for on this page only.
function toggleModel(tile, key, role, on) {
  if (role !== "shadow") return filters.showModel(key, on);
  tile.picture.matcher.compared[on ? "add" : "delete"](key);
  tile.picture.redraw();
}

function follow(tile, socket, feed, models) {
  tile.addEventListener("painted", ({ detail }) => {
    feed.illustrate(detail);
    if (!detail.repeated) frameAges.add(detail.age, performance.now());
    if (detail.marks.length) boxAges.add(detail.age, performance.now());
  });
  tile.addEventListener("reported", ({ detail: { before, status } }) => {
    const change = stateChange(tile.name, before, status, socket.clock.now);
    if (!change) return;
    feed.state(tile.camera, { ...change, href: location.pathname });
    announce(change.title);
  });
  socket.addEventListener("model", ({ detail }) => models.report(detail));
  followModels(socket, feed, () => location.pathname);
  socket.addEventListener("predictions", ({ detail }) => {
    models.predict(detail);
    labels.see(detail);
    feed.predict(detail);
  });
}

function makeFeed(socket) {
  const dialog = document.getElementById("moment");
  bindMoment(dialog);
  const line = (...parts) => parts.filter(Boolean).join(" · ");
  const frameOf = ({ offset }) =>
    root.dataset.frames.replace("/0.jpg", `/${Math.max(0, offset)}.jpg`);
  return new Feed(document.getElementById("feed"), socket.clock, (prediction, detection) => ({
    second: line(
      `${prediction.model} ${prediction.version}`,
      detection.text && formatScore(detection.score),
      `frame ${prediction.frame.seq}`,
    ),
    href: frameOf(prediction.frame),
    open: (entry) => openMoment(dialog, entry),
    prediction,
    detection,
  }));
}

function openHistory(models) {
  const isShadow = (key) => models.isShadow(key);
  const panel = new HistoryPanel(document.getElementById("history"), screenAges, isShadow);
  panel.addEventListener("change", () =>
    setText(card("skipped"), formatShare(skippedShare(panel.newest, isShadow))),
  );
}

function bindSnapshots(tile) {
  for (const button of document.querySelectorAll("[data-snapshot]"))
    button.addEventListener("click", () => saveSnapshot(tile, button.dataset.snapshot === "shown"));
}

function start() {
  const socket = connect();
  const models = new ModelList(document.getElementById("models"), (...change) =>
    toggleModel(tile, ...change),
  );
  const feed = makeFeed(socket);
  let ticks = 0;
  const tiles = openTiles([root], socket, { fps: 30, bar: false }, () => {
    showCards(tile);
    showState(tile);
    models.tick();
    feed.tick();
    if ((ticks += 1) % 2 === 0) drawLines(tile);
    screenAges.add(quantile(frameAges.values(performance.now()), 0.95), socket.clock.now);
  });
  const tile = tiles.get(root.dataset.camera);
  follow(tile, socket, feed, models);
  openHistory(models);
  bindSnapshots(tile);
  bindStreamLinks(socket.clock);
  bindKeys({
    ...viewKeys,
    f: toggleFullscreen,
    x: () => saveSnapshot(tile, true),
    X: () => saveSnapshot(tile, false),
    k: () => document.querySelector("[data-stream-link]").click(),
    p: () => document.querySelector("[data-feed-pause]").click(),
    Escape: () => location.assign(document.querySelector("[data-back]").href),
  });
  socket.open();
}

bindToolbar();
bindThreshold(document.querySelector("[data-drawn]"));
bindMenus();
bindKeyHelp();
bindFullscreen();
start();
