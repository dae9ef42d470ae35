/** The wall: all cameras of a viewer. */

import { announce, toast } from "../core/banners.js";
import { Board } from "./board.js";
import { connect } from "../core/connection.js";
import { showCounters } from "./counters.js";
import { setText } from "../core/dom.js";
import { Dragging } from "./drag.js";
import { Feed } from "../tile/feed.js";
import { FilterMenu } from "../tile/filter-menu.js";
import { bindFullscreen, onKiosk, toggleFullscreen } from "../core/fullscreen.js";
import { bindGroups } from "./groups.js";
import { bindKeyHelp, bindKeys, viewKeys } from "../core/keys.js";
import { bindKiosk, followVersion } from "./kiosk.js";
import { bindLayoutMenu } from "./layout-menu.js";
import { OpenLayout } from "./layouts.js";
import { bindMenus, openMenu } from "../core/menu.js";
import { moveIn } from "./move.js";
import { Pager } from "./pager.js";
import { preferences } from "../core/prefs.js";
import { bindSearch } from "./search.js";
import { stateChange } from "../tile/states.js";
import { followModels, openTiles } from "../tile/tiles.js";
import { bindToolbar } from "../tile/toolbar.js";

const wall = document.getElementById("wall");
const grid = document.getElementById("grid");
const opening = JSON.parse(wall.dataset.opening);
const focusedTile = () => document.activeElement?.closest("#grid [data-camera]") ?? null;
const linkOf = (root) => root.querySelector("[data-part=link]");

function showPanel() {
  wall.classList.toggle("has-panel", preferences.get("panel"));
}

function showFound(board) {
  const count = board.found.length;
  setText(document.querySelector("[data-count]"), `${count} camera${count === 1 ? "" : "s"}`);
  document.querySelector("[data-no-match]").hidden = count > 0 || !board.query;
  document.querySelector("[data-no-cameras]").hidden = count > 0 || board.query !== "";
  document.querySelector("[data-elsewhere]").hidden = !board.isElsewhere;
}

function goTo(board, event) {
  const among = board.shown;
  if (!among.length) return false;
  const to = moveIn(among.indexOf(focusedTile()), event.key, among.length, board.columns);
  linkOf(among[to]).focus();
}

function moveTile(board, layout, event) {
  const root = focusedTile();
  if (!root) return false;
  const to = moveIn(board.found.indexOf(root), event.key, board.found.length, board.columns);
  if (!board.move(root, board.found[to])) return;
  board.reveal(root);
  linkOf(root).focus();
  keepOrder(board, layout, root);
}

async function keepOrder(board, layout, root) {
  announce(`${root.dataset.name}: place ${board.found.indexOf(root) + 1} of ${board.found.length}`);
  try {
    await layout.saveOrder();
  } catch (error) {
    toast(`The new order was not saved. ${error.message}`);
  }
}

function turn(pager, board, step) {
  if (board.pages < 2) return false;
  const wasInside = focusedTile() !== null;
  pager.turn(step);
  if (wasInside) linkOf(board.shown[0]).focus();
}

function chooseColumns(event) {
  preferences.set("columns", event.key === "0" ? "auto" : Number(event.key));
}

// Said once in a tab, not at each reload.
function tellMissing({ layout, missing }) {
  if (!missing.length) return;
  const names = missing.join(", ");
  const words = `“${layout.name}” names cameras that are gone or no longer yours to see: ${names}. They are skipped.`;
  try {
    if (sessionStorage.getItem("sightline.missing") === words) return;
    sessionStorage.setItem("sightline.missing", words);
  } catch {
    // Then it is said again.
  }
  toast(words);
}

function followStates(tiles, feed, clock) {
  for (const tile of tiles.values()) {
    tile.addEventListener("reported", ({ detail: { before, status } }) => {
      const change = stateChange(tile.name, before, status, clock.now);
      if (!change) return;
      feed.state(tile.camera, { ...change, href: tile.link });
      announce(change.title);
    });
  }
}

function start(board, menu) {
  const socket = connect();
  const name = (camera) => tiles.get(camera)?.name ?? camera;
  const feed = new Feed(
    document.getElementById("feed"),
    socket.clock,
    ({ camera, model, version }) => ({
      second: `${name(camera)} · ${model} ${version}`,
      href: tiles.get(camera)?.link ?? "#",
    }),
  );
  const tiles = openTiles(board.order, socket, { fps: 10 }, (all) => {
    showCounters(all);
    feed.tick();
  });
  socket.addEventListener("predictions", ({ detail }) => {
    feed.predict(detail);
    menu.see(detail);
  });
  for (const tile of tiles.values()) {
    tile.addEventListener("painted", ({ detail }) => feed.illustrate(detail));
    tile.addEventListener("shape", () => board.layOut());
  }
  followStates(tiles, feed, socket.clock);
  followModels(socket, feed, (camera) => tiles.get(camera)?.link ?? "#");
  followVersion(socket, opening.version);
  socket.open();
}

function bindWallKeys(board, pager, layout) {
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  const each = (keys, action) => Object.fromEntries(keys.map((key) => [key, action]));
  bindKeys({
    ...viewKeys,
    ...each(arrows, (event) => goTo(board, event)),
    ...Object.fromEntries(
      arrows.map((key) => [`Alt+${key}`, (event) => moveTile(board, layout, event)]),
    ),
    ...each([..."0123456789"], chooseColumns),
    PageUp: () => turn(pager, board, -1),
    PageDown: () => turn(pager, board, 1),
    " ": () => (board.pages > 1 ? pager.togglePause() : false),
    f: toggleFullscreen,
    o: () => openMenu(document.querySelector("[data-layout-menu]")),
    p: () => preferences.toggle("panel"),
    t: () => openMenu(document.querySelector("[data-filter-menu]")),
  });
}

const board = new Board(grid);
board.group = opening.group;
const layout = new OpenLayout(opening.layout, board);
if (opening.cycle !== null) preferences.layOver({ ...preferences.over, cycle: opening.cycle });
bindMenus();
bindToolbar();
bindKeyHelp();
bindFullscreen();
bindGroups(board);
bindLayoutMenu(layout, board);
const pager = new Pager(board, grid, { stands: opening.cycle === 0 });
const menu = new FilterMenu(
  new Set([...grid.querySelectorAll("[data-model]")].map(({ dataset }) => dataset.model)),
);
new Dragging(grid, board, (root) => keepOrder(board, layout, root));
board.addEventListener("change", () => showFound(board));
bindSearch(
  (query) => board.setQuery(query),
  () => board.links,
);
bindWallKeys(board, pager, layout);
preferences.addEventListener("change", showPanel);
showPanel();
onKiosk(() => pager.reset());
bindKiosk(opening.kiosk);
board.show();
start(board, menu);
tellMissing(opening);
