/** How many cameras are live, stalled, failing: in the head of the page. */

import { setText } from "../core/dom.js";

export function showCounters(tiles) {
  const root = document.querySelector("[data-counters]");
  const counts = { ok: 0, warn: 0, bad: 0 };
  for (const { kind } of tiles) if (kind in counts) counts[kind] += 1;
  root.hidden = tiles.length === 0;
  for (const item of root.querySelectorAll("[data-counter]")) {
    const count = counts[item.dataset.counter];
    item.hidden = count === 0 && item.dataset.counter !== "ok";
    setText(item.querySelector("b"), String(count));
  }
}
