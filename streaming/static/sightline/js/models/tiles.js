/** What a model sees now: its cameras with its boxes alone, and a list of what it found. */

import { connect } from "../core/connection.js";
import { Feed } from "../tile/feed.js";
import { filtersOf } from "../core/filters.js";
import { formatScore } from "../core/format.js";
import { preferences } from "../core/prefs.js";
import { openTiles } from "../tile/tiles.js";
import { modelKey } from "../core/wire.js";

// More than are shown: a model that skips frames has looked at some of them only.
const FPS = 4;

/**
 * What is hidden elsewhere is shown here: this page is about this model, and about the frames that
 * it looked at.
 */
const viewOf = (all) => ({
  ...all,
  mode: "seen",
  boxes: true,
  labels: true,
  hiddenModels: [],
  hiddenLabels: [],
});

export function openModelTiles(root) {
  const socket = connect();
  const accepts = ({ model }) => model === root.dataset.model;
  const feed = new Feed(document.getElementById("feed"), socket.clock, describe, {
    shadows: true,
    choice: () => filtersOf({ threshold: preferences.get("threshold") }),
  });
  const tiles = openTiles(
    root.querySelectorAll(".tile[data-camera]"),
    socket,
    { fps: FPS, accepts, viewOf },
    () => feed.tick(),
  );
  for (const tile of tiles.values())
    tile.addEventListener("painted", ({ detail }) => feed.illustrate(detail));
  socket.addEventListener("predictions", ({ detail }) => {
    if (!accepts(detail)) return;
    tiles.get(detail.camera)?.picture.matcher.compared.add(modelKey(detail));
    feed.predict(detail);
  });
  socket.open();

  function describe({ camera, version }, { text, score }) {
    const tile = tiles.get(camera);
    return {
      second: [tile?.name ?? camera, `version ${version}`, text && formatScore(score)]
        .filter(Boolean)
        .join(" · "),
      href: tile?.link ?? "#",
    };
  }
}
