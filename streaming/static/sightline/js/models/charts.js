/** The charts of a model's last hour. */

import { makeChart } from "../charts/chart.js";
import { formatRate } from "../core/format.js";
import { errorSeries, latencySeries, rateSeries, takenUpAfter } from "./history.js";
import { formatLatency } from "./words.js";
import { poll } from "../core/poll.js";

const PAUSE_MS = 10_000;
const MINUTES = 60;
const NOTHING = "Nothing was reported in the last hour.";

const CHARTS = {
  rate: { title: "Answers", note: "per second, last hour", format: formatRate, least: 2 },
  latency: { title: "Latency", note: "last hour", format: formatLatency, least: 1 },
  errors: { title: "Errors", note: "per second, last hour", format: formatRate, least: 1 },
};

export class ModelCharts {
  #charts = {};
  #history = { versions: [] };

  /** @param {HTMLElement} root has `[data-chart]` elements */
  constructor(root, address) {
    for (const place of root.querySelectorAll("[data-chart]"))
      this.#charts[place.dataset.chart] = makeChart(place, {
        sync: "model",
        ...CHARTS[place.dataset.chart],
      });
    poll(
      () => `${address}?minutes=${MINUTES}`,
      PAUSE_MS,
      (history) => this.#show(history),
      (sentence) => this.#say(sentence),
    );
  }

  /**
   * How late the newest frames were when a version took them up, ms; null when that is not known.
   */
  takenUpAfter(version) {
    return takenUpAfter(this.#history, version);
  }

  #show(history) {
    this.#history = history;
    const series = {
      rate: rateSeries(history),
      latency: latencySeries(history),
      errors: errorSeries(history),
    };
    for (const [name, chart] of Object.entries(this.#charts)) {
      chart.show(history.at, series[name]);
      chart.say(series[name].length ? "" : NOTHING);
    }
  }

  #say(sentence) {
    for (const chart of Object.values(this.#charts)) chart.say(sentence);
  }
}
