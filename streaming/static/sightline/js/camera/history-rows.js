/**
 * What the last hours of a camera look like as lines: from `history.json` to the series of the
 * charts. Pure.
 */

import { colourOf } from "../core/colours.js";
import { modelName } from "../core/model-states.js";
import { modelKey } from "../core/wire.js";

const MAX_LABELS = 6;
const OTHER = "other";

const present = (values) => values.some((value) => value !== null && value !== undefined);
const empty = (at) => at.map(() => null);

/** The greatest of several lines at each moment; null where none has a value. */
export function greatest(at, lines) {
  return at.map((_, index) => {
    const values = lines
      .map((line) => line?.[index])
      .filter((value) => value !== null && value !== undefined);
    return values.length ? Math.max(...values) : null;
  });
}

/** Frames per second: those that the camera delivers, and those that each model looks at. */
export function rateSeries({ at, capture, models }, isShadow) {
  const camera = { label: "camera", colour: "var(--muted)", values: capture?.fps ?? empty(at) };
  const looked = models.map((item) => ({
    label: modelName(item),
    colour: colourOf(item.model),
    dashed: isShadow(modelKey(item)),
    values: item.predicted,
  }));
  return [camera, ...looked.filter(({ values }) => present(values))];
}

/**
 * Milliseconds by stage, 95th percentile; of several models the slowest one at each moment.
 * @param {any} history as the server lays it out
 * @param {(number|null)[]} screen the age of the pictures on this screen
 */
export function ageSeries({ at, models }, screen) {
  const slowest = (name) =>
    greatest(
      at,
      models.map((item) => item[name]),
    );
  return [
    { label: "transport", colour: "var(--chart-1)", values: slowest("transport_p95") },
    { label: "waiting", colour: "var(--chart-2)", values: slowest("waiting_p95") },
    { label: "model", colour: "var(--chart-3)", values: slowest("model_p95") },
    { label: "on this screen", colour: "var(--chart-4)", values: screen },
  ];
}

/**
 * Predictions a minute by label, the most frequent ones first, the others together. Shadow models
 * do not count.
 */
export function labelSeries({ at, step, models }, isShadow) {
  const live = models.filter((item) => !isShadow(modelKey(item)));
  const names = [...new Set(live.flatMap(({ labels }) => Object.keys(labels ?? {})))];
  const lines = names.map((label) => ({
    label,
    colour: colourOf(label),
    values: perMinute(at, step, live, label),
  }));
  const total = ({ values }) => values.reduce((sum, value) => sum + (value ?? 0), 0);
  const ranked = lines.filter(({ label }) => label !== OTHER).sort((a, b) => total(b) - total(a));
  const rest = [...ranked.slice(MAX_LABELS), ...lines.filter(({ label }) => label === OTHER)];
  const shown = ranked.slice(0, MAX_LABELS);
  if (rest.length)
    shown.push({
      label: OTHER,
      colour: "var(--faint)",
      values: summed(
        at,
        rest.map(({ values }) => values),
      ),
    });
  return shown;
}

function perMinute(at, step, models, label) {
  const counts = summed(at, models.map(({ labels }) => labels?.[label]).filter(Boolean));
  return counts.map((count) => (count === null ? null : (count * 60) / step));
}

function summed(at, lines) {
  return at.map((_, index) => {
    const values = lines
      .map((line) => line[index])
      .filter((value) => value !== null && value !== undefined);
    return values.length ? values.reduce((sum, value) => sum + value, 0) : null;
  });
}

/**
 * Share of the camera's frames, in percent, that live models left out in the newest moments; null
 * when nothing is known.
 */
export function skippedShare({ models }, isShadow, moments = 6) {
  let [skipped, all] = [0, 0];
  for (const item of models.filter((model) => !isShadow(modelKey(model)))) {
    for (const index of item.predicted.keys()) {
      if (index < item.predicted.length - moments || item.predicted[index] === null) continue;
      skipped += item.skipped[index] ?? 0;
      all += item.predicted[index] + (item.skipped[index] ?? 0) + (item.failed[index] ?? 0);
    }
  }
  return all > 0 ? (100 * skipped) / all : null;
}

/** Ages as they were seen on this screen, kept by the time steps that the history uses. */
export class ScreenAges {
  #worst = new Map();
  #finest;
  #most;

  constructor(finest = 10, hours = 24) {
    this.#finest = finest * 1000;
    this.#most = (hours * 3600) / finest;
  }

  /**
   * @param {number | null} age ms; @param {number} now ms since the epoch, by the server's clock
   */
  add(age, now) {
    if (age === null) return;
    const slot = Math.floor(now / this.#finest) * this.#finest;
    this.#worst.set(slot, Math.max(age, this.#worst.get(slot) ?? 0));
    while (this.#worst.size > this.#most) this.#worst.delete(this.#worst.keys().next().value);
  }

  /** One value for each of `at`, the beginnings of steps of `step` seconds. */
  along(at, step) {
    const values = at.map(() => null);
    for (const [slot, age] of this.#worst) {
      const index = Math.floor((slot - at[0]) / (step * 1000));
      if (index >= 0 && index < values.length) values[index] = Math.max(age, values[index] ?? 0);
    }
    return values;
  }
}
