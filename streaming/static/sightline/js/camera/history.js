/**
 * The charts of a camera's page: reloaded while the page is visible, with gaps where data is
 * missing.
 */

import { ageSeries, labelSeries, rateSeries } from "./history-rows.js";
import { makeChart } from "../charts/chart.js";
import { formatAge, formatRate } from "../core/format.js";
import { preferences } from "../core/prefs.js";

const RENEW_MS = 10_000;
const PATIENCE_MS = 8000;
const USUAL_MINUTES = 60;

const CHARTS = {
  rate: { title: "Frames per second", format: formatRate, least: 2 },
  age: { title: "Age by stage", note: "95 % are younger", format: formatAge, least: 20 },
  labels: {
    title: "Predictions by label",
    note: "per minute",
    format: (value) => `${Math.round(value)}`,
    least: 2,
  },
};

/** Event: `change` when `newest`, the latest answer, is another one. */
export class HistoryPanel extends EventTarget {
  newest = null;
  #root;
  #charts = {};
  #buttons;
  #ages;
  #isShadow;
  #asking = null;

  /**
   * @param {HTMLElement} root has `data-history`, the address; `[data-minutes]` buttons and
   *   `[data-chart]` elements
   * @param {import("./history-rows.js").ScreenAges} ages what was seen on this screen
   * @param {(key: string) => boolean} isShadow by `model@version`
   */
  constructor(root, ages, isShadow) {
    super();
    this.#root = root;
    this.#ages = ages;
    this.#isShadow = isShadow;
    for (const place of root.querySelectorAll("[data-chart]"))
      this.#charts[place.dataset.chart] = makeChart(place, {
        sync: "camera",
        ...CHARTS[place.dataset.chart],
      });
    this.#buttons = [...root.querySelectorAll("[data-minutes]")];
    for (const button of this.#buttons)
      button.addEventListener("click", () => this.#choose(button.dataset.minutes));
    document.addEventListener("visibilitychange", () => document.hidden || this.#renew());
    setInterval(() => document.hidden || this.#renew(), RENEW_MS);
    this.#choose(preferences.get("span") ?? USUAL_MINUTES);
  }

  get #minutes() {
    return Number(
      this.#buttons.find((button) => button.getAttribute("aria-pressed") === "true").dataset
        .minutes,
    );
  }

  #choose(minutes) {
    const chosen =
      this.#buttons.find((button) => button.dataset.minutes === String(minutes)) ??
      this.#buttons[0];
    for (const button of this.#buttons) button.setAttribute("aria-pressed", button === chosen);
    preferences.set("span", Number(chosen.dataset.minutes));
    this.#renew();
  }

  async #renew() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const timer = setTimeout(() => asking.abort("late"), PATIENCE_MS);
    try {
      const answer = await fetch(`${this.#root.dataset.history}?minutes=${this.#minutes}`, {
        signal: asking.signal,
      });
      const said = await answer.json();
      if (answer.ok) this.#show(said);
      else this.#say(said.error);
    } catch {
      // Another question has taken the place of this one, or the server is away.
      if (this.#asking === asking)
        this.#say(
          "The history does not come from the server now. It is asked for again by itself.",
        );
    } finally {
      clearTimeout(timer);
    }
  }

  #show(said) {
    this.newest = said;
    const lines = {
      rate: rateSeries(said, this.#isShadow),
      age: ageSeries(said, this.#ages.along(said.at, said.step)),
      labels: labelSeries(said, this.#isShadow),
    };
    for (const [name, chart] of Object.entries(this.#charts)) {
      chart.show(said.at, lines[name]);
      const anything = lines[name].some(({ values }) => values.some((value) => value !== null));
      chart.say(anything ? "" : "Nothing was reported in this time.");
    }
    this.dispatchEvent(new Event("change"));
  }

  #say(sentence) {
    for (const chart of Object.values(this.#charts)) chart.say(sentence);
  }
}
