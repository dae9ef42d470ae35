/** The models on one camera: how fast each is, how late, and whether its boxes are shown. */

import { colourOf } from "./colours.js";
import { element, setText } from "./dom.js";
import { formatAge, formatRate } from "./format.js";
import { describeModel } from "./modelstates.js";
import { Window, quantile } from "./stats.js";
import { modelKey } from "./wire.js";

const QUIET_MS = 3000;

export class ModelList {
  #list;
  #empty;
  #onToggle;
  #rows = new Map();

  /** @param {(key: string, role: string, on: boolean) => void} onToggle */
  constructor(root, onToggle) {
    this.#list = root.querySelector("[data-model-list]");
    this.#empty = root.querySelector("[data-model-empty]");
    this.#onToggle = onToggle;
    for (const item of this.#list.querySelectorAll("[data-model]")) this.#adopt(item);
  }

  predict(prediction) {
    const row = this.#rows.get(modelKey(prediction)) ?? this.#adopt(this.#make(prediction));
    const now = performance.now();
    row.seen = now;
    row.rate.add(1, now);
    row.latency.add((prediction.finishedAt - prediction.frame.captured_at) / 1e6, now);
  }

  /** How a model does, as its worker says. */
  report(said) {
    const row = this.#rows.get(modelKey(said));
    if (!row) return;
    row.trouble = describeModel(said);
    this.#show(row, performance.now());
  }

  tick() {
    const now = performance.now();
    this.#empty.hidden = this.#rows.size > 0;
    for (const row of this.#rows.values()) this.#show(row, now);
  }

  #show(row, now) {
    if (row.trouble) {
      row.item.dataset.kind = row.trouble.kind;
      setText(row.numbers, row.trouble.detail);
      return;
    }
    const working = row.seen > 0 && now - row.seen < QUIET_MS;
    row.item.dataset.kind = working ? "ok" : "wait";
    const numbers = `${formatRate(row.rate.rate(now))} /s · ${formatAge(quantile(row.latency.values(now), 0.5))}`;
    setText(
      row.numbers,
      working ? numbers : row.seen ? "no predictions at the moment" : "waiting for its first prediction",
    );
  }

  #adopt(item) {
    const { model, version, role } = item.dataset;
    const row = {
      item,
      numbers: item.querySelector("[data-numbers]"),
      seen: 0,
      trouble: null,
      rate: new Window(5000),
      latency: new Window(5000),
    };
    const key = modelKey({ model, version });
    item.style.setProperty("--colour", colourOf(model));
    const toggle = item.querySelector("input");
    toggle.addEventListener("change", () => this.#onToggle(key, role, toggle.checked));
    this.#rows.set(key, row);
    return row;
  }

  /** A row for a model that came after the page was made: the template's row, filled in. */
  #make({ model, version, role }) {
    const item = this.#list.parentElement.querySelector("template").content.firstElementChild.cloneNode(true);
    Object.assign(item.dataset, { model, version, role });
    setText(item.querySelector("[data-name]"), `${model} ${version}`);
    item.querySelector("[data-shadow]").hidden = role !== "shadow";
    item.querySelector("input").checked = role !== "shadow";
    item.querySelector("input").setAttribute("aria-label", `Show what ${model} ${version} sees`);
    this.#list.append(item);
    return item;
  }
}
