/**
 * Lines over time, drawn by uPlot, with their values in words for the mouse, the keyboard and
 * screen readers.
 */

import uPlot from "../../vendor/uplot/uPlot.esm.js";
import {
  ceiling,
  formatOr,
  lonely,
  momentWords,
  newest,
  summary,
  tableRows,
  timeMarks,
} from "./words.js";
import { element, setText } from "../core/dom.js";

const HEIGHT = 168;
const NARROWEST = 120;
const MARK_SPACE = 64;
const themed = new Set();

/**
 * @param {HTMLElement} root an empty element of the class `chart`
 * @param {object} options `title`; `note` beside it; `format` (value => words); `least` the
 *   smallest top of the axis; `sync` a name: charts of the same name show the same moment
 * @returns {Chart}
 */
export const makeChart = (root, options) => new Chart(root, options);

class Chart {
  #options;
  #parts;
  #plot = null;
  #shape = "";
  #at = [];
  #series = [];

  constructor(root, options) {
    this.#options = { note: "", least: 1, sync: "charts", ...options };
    this.#parts = build(root, this.#options);
    new ResizeObserver(() => this.#resize()).observe(this.#parts.plot);
    this.#parts.plot.addEventListener("keydown", (event) => this.#onKey(event));
    this.#parts.toggle.addEventListener("click", () => this.#toggleTable());
    themed.add(() => this.#plot?.redraw(false));
  }

  /**
   * Shows these lines in the place of all before.
   * @param {number[]} at ms since the epoch, ascending
   * @param {{label: string, colour: string, values: (number|null)[], dashed?: boolean}[]} series
   *   `values`: one for each of `at`, null for a gap; `colour`: any CSS colour, custom properties
   *   included
   */
  show(at, series) {
    this.#at = at;
    this.#series = series;
    const shape = JSON.stringify(
      series.map(({ label, colour, dashed }) => [label, colour, dashed]),
    );
    if (shape !== this.#shape) this.#rebuild(shape);
    else this.#plot?.setData(this.#data());
    this.#describe();
  }

  /** A sentence over the lines: why there are none, or no new ones. Empty: nothing to say. */
  say(sentence) {
    setText(this.#parts.notice, sentence);
    this.#parts.notice.hidden = !sentence;
  }

  #data() {
    return [this.#at, ...this.#series.map(({ values }) => values)];
  }

  #rebuild(shape) {
    this.#shape = shape;
    this.#parts.keys.replaceChildren(...this.#series.map(makeKey));
    this.#plot?.destroy();
    this.#plot = null;
    this.#resize();
  }

  #resize() {
    const width = Math.floor(this.#parts.plot.clientWidth);
    if (width < NARROWEST || this.#series.length === 0) return;
    if (this.#plot) this.#plot.setSize({ width, height: this.#height });
    else
      this.#plot = new uPlot(
        this.#plotOptions(width),
        /** @type {uPlot.AlignedData} */ (this.#data()),
        this.#parts.plot,
      );
  }

  get #height() {
    return Math.round(HEIGHT * this.#zoom);
  }

  get #zoom() {
    return Number.parseFloat(getComputedStyle(this.#parts.plot).getPropertyValue("--zoom")) || 1;
  }

  /** @returns {uPlot.Options} */
  #plotOptions(width) {
    const { plot, keys } = this.#parts;
    // Asked at each drawing: the theme may have changed.
    const colours = getComputedStyle(plot);
    const font = `${Math.round(11 * this.#zoom)}px ${colours.fontFamily}`;
    const grid = { stroke: () => colours.textDecorationColor, width: 1 };
    const axis = { stroke: () => colours.color, font, ticks: { show: false }, grid };
    const size = Math.round(24 * this.#zoom);
    const lines = this.#series.map(({ label, dashed }, index) => ({
      label,
      stroke: () => getComputedStyle(keys.children[index].firstElementChild).color,
      width: 1.5 * this.#zoom,
      dash: dashed ? [5, 4] : undefined,
      points: { show: false, size: 4, filter: (u, line) => lonely(u.data[line]) },
    }));
    return {
      width,
      height: this.#height,
      ms: 1,
      padding: [10, 8, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: this.#options.sync },
        drag: { x: false, y: false },
        y: false,
        points: { size: 6 },
      },
      scales: { y: { range: (_plot, _low, high) => [0, ceiling(high, this.#options.least)] } },
      axes: [
        {
          ...axis,
          size,
          space: MARK_SPACE * this.#zoom,
          values: (_, splits) => timeMarks(splits),
          grid: { show: false },
        },
        {
          ...axis,
          size: Math.round(52 * this.#zoom),
          space: 34,
          values: (_, splits) => splits.map(this.#options.format),
        },
      ],
      series: [{}, ...lines],
      hooks: { setCursor: [(u) => this.#showValues(u.cursor.idx)] },
    };
  }

  #describe() {
    const { title, format } = this.#options;
    this.#parts.plot.setAttribute("aria-label", summary(title, this.#at, this.#series, format));
    this.#showValues(this.#plot?.cursor.idx);
    if (!this.#parts.table.hidden) this.#fillTable();
  }

  /** The values at the cursor, or else the newest. */
  #showValues(index) {
    const at = index ?? null;
    setText(
      this.#parts.moment,
      at === null ? this.#options.note : timeMarks([this.#at[at], this.#at[at] + 1])[0],
    );
    this.#series.forEach(({ values }, line) => {
      const value = this.#parts.keys.children[line]?.lastElementChild;
      if (value) setText(value, formatOr(values[at ?? newest(values)], this.#options.format));
    });
  }

  #onKey(event) {
    const last = this.#at.length - 1;
    if (!this.#plot || last < 0) return;
    const here = this.#plot.cursor.idx ?? last + 1;
    const stride = event.shiftKey ? 10 : 1;
    const places = { ArrowLeft: here - stride, ArrowRight: here + stride, Home: 0, End: last };
    if (event.key === "Escape" && this.#plot.cursor.idx !== null) this.#setCursor(-10);
    else if (event.key in places) this.#moveTo(Math.max(0, Math.min(last, places[event.key])));
    else return;
    event.preventDefault();
  }

  #moveTo(index) {
    this.#setCursor(this.#plot.valToPos(this.#at[index], "x"));
    setText(this.#parts.spoken, momentWords(this.#at, this.#series, index, this.#options.format));
  }

  /** Here and in the charts beside it; below 0: nowhere. */
  #setCursor(left) {
    this.#plot.setCursor({ left, top: Math.min(left, 1) }, true, true);
  }

  #toggleTable() {
    const { table, plot, toggle } = this.#parts;
    [table.hidden, plot.hidden] = [!table.hidden, table.hidden];
    setText(toggle, table.hidden ? "Table" : "Chart");
    if (!table.hidden) this.#fillTable();
  }

  #fillTable() {
    const cells = (tag, words) => element("tr", {}, ...words.map((word) => element(tag, {}, word)));
    const head = element(
      "thead",
      {},
      cells("th", ["Time", ...this.#series.map(({ label }) => label)]),
    );
    const rows = tableRows(this.#at, this.#series, this.#options.format).map((row) =>
      cells("td", row),
    );
    const table = element(
      "table",
      {},
      element("caption", { class: "for-readers" }, this.#options.title),
      head,
    );
    table.append(element("tbody", {}, ...rows));
    this.#parts.table.replaceChildren(table);
  }
}

function build(root, { title, note }) {
  const [moment, keys] = [
    element("small", {}, note),
    element("ul", { class: "chart-keys", role: "list" }),
  ];
  const toggle = element("button", { class: "quiet-button", type: "button" }, "Table");
  const table = element("div", {
    class: "chart-table",
    tabindex: "0",
    role: "region",
    "aria-label": `${title}, as a table`,
    hidden: true,
  });
  const notice = element("p", { class: "chart-notice", role: "status", hidden: true });
  const plot = element("div", {
    class: "chart-plot",
    tabindex: "0",
    role: "img",
    "aria-roledescription": "chart",
    "aria-label": title,
  });
  const spoken = element("p", { class: "for-readers", "aria-live": "polite" });
  const stage = element("div", { class: "chart-stage" }, plot, table, notice);
  root.append(element("h2", {}, title, moment, toggle), keys, stage, spoken);
  return { moment, keys, toggle, table, notice, plot, spoken };
}

function makeKey({ label, colour, dashed }) {
  const key = element(
    "li",
    {},
    element("i", { class: dashed ? "is-dashed" : "" }),
    element("span", {}, label),
    element("b"),
  );
  key.style.setProperty("--colour", colour);
  return key;
}

const redrawAll = () => themed.forEach((redraw) => redraw());
if (typeof document !== "undefined") {
  new MutationObserver(redrawAll).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
}
