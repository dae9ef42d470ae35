/** The tiles of a page on one socket: hands out what arrives, and keeps them true. */

import { announce } from "../core/banners.js";
import { modelChange, modelName } from "../core/model-states.js";
import { preferences } from "../core/prefs.js";
import { Tile } from "./tile.js";

const TICK_MS = 500;
const AWAY_MS = 10_000;

/** Lists what changes about models, one line a model, whatever the number of its cameras. */
export function followModels(socket, feed, linkOf) {
  const before = new Map();
  socket.addEventListener("model", ({ detail: said }) => {
    const name = modelName(said);
    const words = modelChange(before.get(name), said);
    before.set(name, said);
    if (!words) return;
    const at = said.since || socket.clock.now;
    feed.state(`model/${name}`, { ...words, at, href: linkOf(said.cameras[0]) });
    announce(words.title);
  });
}

/**
 * @param {Iterable<HTMLElement>} roots
 * @param {any} options of each tile, and `accepts` (prediction => whether the tiles show it),
 *   `viewOf` (preferences => how they are shown here)
 * @param {(tiles: Tile[]) => void} onTick called after each round of `tick`
 * @returns {Map<string, Tile>} by camera
 */
export function openTiles(roots, socket, options, onTick) {
  const { accepts = () => true, viewOf = (all) => all, ...rest } = options;
  const made = [...roots].map((root) => new Tile(root, socket, viewOf(preferences.all), rest));
  const tiles = new Map(made.map((tile) => [tile.camera, tile]));
  socket.addEventListener("frame", ({ detail: { header, jpeg } }) => {
    const tile = tiles.get(header.camera);
    if (tile) tile.receive(header, jpeg);
    else socket.acknowledge(header.camera, header.seq);
  });
  socket.addEventListener(
    "predictions",
    ({ detail }) => accepts(detail) && tiles.get(detail.camera)?.predict(detail),
  );
  socket.addEventListener("model", ({ detail }) =>
    detail.cameras.forEach((camera) => tiles.get(camera)?.reportModel(detail)),
  );
  socket.addEventListener("status", ({ detail }) => tiles.get(detail.camera)?.report(detail));
  socket.addEventListener("open", () => made.forEach((tile) => tile.restart()));
  socket.addEventListener("close", () => made.forEach((tile) => tile.tick()));
  preferences.addEventListener("change", () =>
    made.forEach((tile) => tile.setView(viewOf(preferences.all))),
  );
  setInterval(() => {
    made.forEach((tile) => tile.tick());
    onTick(made);
  }, TICK_MS);
  socket.follow(tiles.keys());
  leaveWhenHidden(made);
  return tiles;
}

// A tab in the background asks for nothing; a short look elsewhere changes nothing.
function leaveWhenHidden(tiles) {
  let timer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden)
      timer = setTimeout(() => tiles.forEach((tile) => tile.setLooking(false)), AWAY_MS);
    else tiles.forEach((tile) => tile.setLooking(true));
  });
}
