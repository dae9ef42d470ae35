/** The list of models: asks how they do every few seconds. */

import { setText } from "../core/dom.js";
import { perSecond } from "./words.js";
import { poll } from "../core/poll.js";

const PAUSE_MS = 2000;
const root = document.getElementById("models");
const rows = new Map(
  [...root.querySelectorAll("[data-model]")].map((row) => [row.dataset.model, row]),
);

function show({ models }) {
  setText(document.querySelector("[data-age]"), "");
  for (const model of models) {
    const row = rows.get(model.slug);
    if (!row) continue;
    row.querySelector("[data-state]").dataset.kind = model.kind;
    setText(row.querySelector("[data-word]"), model.word);
    setText(row.querySelector("[data-detail]"), model.detail);
    setText(row.querySelector("[data-predicted]"), perSecond(model.predicted));
  }
}

poll(
  () => root.dataset.state,
  PAUSE_MS,
  show,
  (sentence) => setText(document.querySelector("[data-age]"), sentence),
);
