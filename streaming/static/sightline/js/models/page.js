/** One model: how its versions do, how it has been, what it sees now. */

import { element, setText } from "../core/dom.js";
import { bindKeys } from "../core/keys.js";
import { showLetters } from "./dead-letters.js";
import { ModelCharts } from "./charts.js";
import { showRecords } from "./records.js";
import { openModelTiles } from "./tiles.js";
import { sinceWords, versionNumbers, workerWords } from "./words.js";
import { formatCount } from "../core/format.js";
import { poll } from "../core/poll.js";
import { fill } from "../core/rows.js";

const STATE_MS = 2000;
const RECORDS_MS = 3000;
const LETTERS_MS = 20_000;

const root = document.getElementById("model");
const { state, history, records, letters } = root.dataset;
const charts = root.querySelector("[data-chart]") ? new ModelCharts(root, history) : null;

function show(model) {
  const overall = document.querySelector("[data-overall]");
  overall.dataset.kind = model.kind;
  setText(overall.querySelector("[data-text]"), model.word);
  setText(document.querySelector("[data-age]"), "");
  for (const version of model.versions) {
    const place = root.querySelector(`[data-version="${CSS.escape(version.version)}"]`);
    if (place) showVersion(place, version);
  }
}

function showVersion(place, version) {
  place.dataset.kind = place.querySelector("header").dataset.kind = version.kind;
  setText(place.querySelector("[data-word]"), version.word);
  setText(place.querySelector("[data-since]"), sinceWords(version.since));
  setText(place.querySelector("[data-detail]"), version.detail);
  setText(place.querySelector("[data-workers]"), workerWords(version.workers));
  const numbers = versionNumbers(version, charts?.takenUpAfter(version.version) ?? null);
  for (const cell of place.querySelectorAll("[data-number]"))
    setText(cell, numbers[cell.dataset.number]);
  const partitions = place.querySelector("[data-partitions]");
  if (partitions) showPartitions(partitions, version.lag);
}

/** Which partitions wait; of one that is all there is, its number says enough. */
function showPartitions(list, lag) {
  const behind = (lag?.partitions ?? []).filter(({ records: waiting }) => waiting > 0);
  list.hidden = !lag || lag.count < 2 || behind.length === 0;
  fill(
    list,
    behind,
    ({ partition }) => partition,
    () => ({ item: element("li", { class: "chip" }) }),
    ({ item }, { partition, records: waiting }) =>
      setText(item, `partition ${partition}: ${formatCount(waiting)}`),
  );
}

poll(
  () => state,
  STATE_MS,
  show,
  (sentence) => setText(document.querySelector("[data-age]"), sentence),
);
if (root.querySelector("[data-camera]")) openModelTiles(root);
if (records) poll(() => records, RECORDS_MS, ...showRecords(root));
if (letters && root.querySelector("[data-letters-panel]"))
  poll(() => letters, LETTERS_MS, ...showLetters(root));
bindKeys({
  Escape: () => location.assign(document.querySelector("[data-back]").href),
  "/": () => document.getElementById("find")?.focus(),
});
