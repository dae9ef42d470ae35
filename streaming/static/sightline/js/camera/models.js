/**
 * The models on one camera: how fast each is, how late, whether its boxes are shown, how far it
 * agrees with others.
 */

import { colourOf } from "../core/colours.js";
import { Agreement, agreementWords, sharedObjects } from "./compare.js";
import { element, setText } from "../core/dom.js";
import { filters } from "../core/filters.js";
import { formatAge, formatRate, formatScore } from "../core/format.js";
import { describeModel } from "../core/model-states.js";
import { preferences } from "../core/prefs.js";
import { Window, quantile } from "../core/stats.js";
import { modelKey } from "../core/wire.js";

const QUIET_MS = 3000;
const MAX_CHIPS = 6;

export class ModelList {
  #list;
  #empty;
  #onToggle;
  #rows = new Map();
  #shared;
  #agreement = new Agreement();

  /** @param {(key: string, role: string, on: boolean) => void} onToggle */
  constructor(root, onToggle) {
    this.#list = root.querySelector("[data-model-list]");
    this.#empty = root.querySelector("[data-model-empty]");
    this.#shared = root.querySelector("[data-shared]");
    this.#onToggle = onToggle;
    for (const item of this.#list.querySelectorAll("[data-model]")) this.#adopt(item);
    preferences.addEventListener("change", () => this.#showSwitches());
  }

  predict(prediction) {
    const row = this.#rows.get(modelKey(prediction)) ?? this.#adopt(this.#make(prediction));
    const now = performance.now();
    row.seen = now;
    row.rate.add(1, now);
    row.latency.add((prediction.finishedAt - prediction.frame.captured_at) / 1e6, now);
    this.#agreement.add(prediction, now);
  }

  isShadow(key) {
    return this.#rows.get(key)?.item.dataset.role === "shadow";
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
    for (const [key, row] of this.#rows) {
      this.#show(row, now);
      this.#showAgreement(key, row, now);
    }
    this.#showShared(now);
  }

  #showSwitches() {
    for (const [key, { item }] of this.#rows)
      if (item.dataset.role !== "shadow")
        item.querySelector("input").checked = !filters.now.hidesModel(key);
  }

  #showAgreement(key, row, now) {
    const { model, role } = row.item.dataset;
    const strict = (other) => role === "shadow" || other.startsWith(`${model}@`);
    // Measured against what counts: a live version, of the same model if there is one.
    const common = this.#agreement.of(key, now).filter((item) => !this.isShadow(item.key));
    const chosen = common.find((item) => item.key.startsWith(`${model}@`)) ?? common[0];
    setText(row.agreement, chosen ? agreementWords(chosen, strict(chosen.key)) : "");
    row.agreement.hidden = !chosen;
  }

  /** The objects of the newest frame that more than one model sees. */
  #showShared(now) {
    const allowed = ({ model, version, detections }) => ({
      model,
      version,
      detections: detections.filter((detection) =>
        filters.now.allows({ model, version, ...detection }),
      ),
    });
    const said = this.#agreement.newest(now).map(allowed);
    const objects = sharedObjects(said.sort((a, b) => this.#rank(a) - this.#rank(b)));
    this.#shared.hidden = objects.length === 0;
    const chips = objects.slice(0, MAX_CHIPS).map(sharedChip);
    if (objects.length > MAX_CHIPS)
      chips.push(element("li", {}, `and ${objects.length - MAX_CHIPS} more`));
    this.#shared.querySelector("ul").replaceChildren(...chips);
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
      working
        ? numbers
        : row.seen
          ? "no predictions at the moment"
          : "waiting for its first prediction",
    );
  }

  /** Live models first, in the order of the list. */
  #rank(prediction) {
    const key = modelKey(prediction);
    return [...this.#rows.keys()].indexOf(key) + (this.isShadow(key) ? this.#rows.size : 0);
  }

  #adopt(item) {
    const { model, version, role } = item.dataset;
    const row = {
      item,
      numbers: item.querySelector("[data-numbers]"),
      agreement: item.querySelector("[data-agreement]"),
      seen: 0,
      trouble: null,
      rate: new Window(5000),
      latency: new Window(5000),
    };
    const key = modelKey({ model, version });
    item.style.setProperty("--colour", colourOf(model));
    const toggle = item.querySelector("input");
    if (role !== "shadow") toggle.checked = !filters.now.hidesModel(key);
    toggle.addEventListener("change", () => this.#onToggle(key, role, toggle.checked));
    this.#rows.set(key, row);
    return row;
  }

  /** A row for a model that came after the page was made: the template's row, filled in. */
  #make({ model, version, role }) {
    const item = this.#list.parentElement
      .querySelector("template")
      .content.firstElementChild.cloneNode(true);
    Object.assign(item.dataset, { model, version, role });
    setText(item.querySelector("[data-name]"), `${model} ${version}`);
    item.querySelector("[data-shadow]").hidden = role !== "shadow";
    item.querySelector("input").checked = role !== "shadow";
    item.querySelector("input").setAttribute("aria-label", `Show what ${model} ${version} sees`);
    this.#list.append(item);
    return item;
  }
}

/**
 * "PARCEL-0041 · qr 1 = qr 2" where they agree, "faces face 0.91 · people person 0.88" where they
 * do not.
 */
function sharedChip({ seen, agreed }) {
  const names = seen.map(({ model, version }) => `${model} ${version}`);
  const said = seen.map(
    ({ detection }) => `${detection.text || detection.label} ${formatScore(detection.score)}`,
  );
  const { text, label } = seen[0].detection;
  const words = agreed
    ? `${text || label} · ${names.join(" = ")}`
    : said.map((what, index) => `${names[index]}: ${what}`).join(" · ");
  return element(
    "li",
    { class: "chip", "data-kind": agreed ? "ok" : "warn" },
    element("span", { class: "dot" }),
    words,
  );
}
