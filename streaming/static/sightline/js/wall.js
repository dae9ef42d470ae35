/** The wall: all cameras of a viewer. */

import { announce } from "./banners.js";
import { connect } from "./connection.js";
import { showCounters } from "./counters.js";
import { Feed } from "./feed.js";
import { bindFullscreen, toggleFullscreen } from "./fullscreen.js";
import { columnsFor } from "./grid.js";
import { bindKeyHelp, bindKeys, viewKeys } from "./keys.js";
import { moveIn } from "./move.js";
import { preferences } from "./prefs.js";
import { bindSearch } from "./search.js";
import { stateWords } from "./states.js";
import { followModels, openTiles } from "./tiles.js";
import { bindToolbar } from "./toolbar.js";

const grid = document.getElementById("grid");
const roots = [...grid.querySelectorAll("[data-camera]")];
const shown = () => roots.filter((root) => !root.hidden);
const links = () => shown().map((root) => root.querySelector("[data-part=link]"));
const aspectOf = ({ dataset }) => Number(dataset.width) / Number(dataset.height) || 16 / 9;

function layOut() {
  const { top } = grid.getBoundingClientRect();
  const height = Math.max(innerHeight - (top + scrollY) - 16, 200);
  const columns = columnsFor(preferences.get("columns"), shown().map(aspectOf), grid.clientWidth, height);
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--tile-most", `${Math.max(innerHeight - 32, 200)}px`);
}

function showPanel() {
  document.getElementById("wall").classList.toggle("has-panel", preferences.get("panel"));
  layOut();
}

function move(event) {
  const among = links();
  const columns = Number(getComputedStyle(grid).getPropertyValue("--columns"));
  among[moveIn(among.indexOf(document.activeElement), event.key, among.length, columns)]?.focus();
}

function chooseColumns(event) {
  preferences.set("columns", event.key === "0" ? "auto" : event.key);
}

function followStates(tiles, feed) {
  for (const tile of tiles.values()) {
    tile.addEventListener("state", ({ detail: { before, truth } }) => {
      const words = stateWords(tile.name, before?.state, truth);
      if (!words) return;
      feed.state(tile.camera, { ...words, kind: truth.kind, since: truth.since, href: tile.link });
      announce(words.title);
    });
  }
}

function start() {
  const socket = connect();
  const name = (camera) => tiles.get(camera)?.name ?? camera;
  const feed = new Feed(document.getElementById("feed"), socket.clock, ({ camera, model, version }) => ({
    second: `${name(camera)} · ${model} ${version}`,
    href: tiles.get(camera)?.link ?? "#",
  }));
  const tiles = openTiles(roots, socket, { fps: 10 }, (all) => {
    showCounters(all);
    feed.tick();
  });
  socket.addEventListener("predictions", ({ detail }) => feed.predict(detail));
  for (const tile of tiles.values()) {
    tile.addEventListener("painted", ({ detail }) => feed.illustrate(detail));
    tile.addEventListener("shape", layOut);
  }
  followStates(tiles, feed);
  followModels(socket, feed, (camera) => tiles.get(camera)?.link ?? "#");
  socket.open();
}

bindToolbar();
bindKeyHelp();
bindFullscreen();
bindSearch(roots, layOut);
const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].map((key) => [key, move]);
const digits = ["0", "1", "2", "3", "4", "5", "6"].map((key) => [key, chooseColumns]);
bindKeys({
  ...viewKeys,
  ...Object.fromEntries([...arrows, ...digits]),
  f: toggleFullscreen,
  p: () => preferences.toggle("panel"),
});
preferences.addEventListener("change", showPanel);
addEventListener("resize", layOut);
showPanel();
start();
