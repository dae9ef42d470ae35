/** The list of predictions and changes of state beside the pictures. */

import { element, setText } from "../core/dom.js";
import { filters } from "../core/filters.js";
import { caption, formatAgo } from "../core/format.js";
import { cropFor } from "./labels.js";
import { Sightings } from "./sightings.js";

const THUMB = { width: 112, height: 72 };
const RENEW_MS = 1500;

export class Feed {
  #list;
  #empty;
  #clock;
  #sightings = new Sightings();
  #rows = new Map();
  #describe;
  #shadows;
  #choice;
  #paused = false;

  /**
   * @param {HTMLElement} root has a list `[data-feed-list]`, `[data-feed-empty]` and a button
   *   `[data-feed-pause]`
   * @param clock the server's
   * @param {(prediction, detection) => {second: string, href: string, open?: (entry) => void}}
   *   describe a row's second line, where it leads, and what opens in the place of that on this
   *   page
   * @param {{shadows?: boolean, choice?: () => any}} options whether shadow versions are listed,
   *   and which detections are
   */
  constructor(root, clock, describe, { shadows = false, choice = () => filters.now } = {}) {
    this.#shadows = shadows;
    this.#choice = choice;
    this.#list = root.querySelector("[data-feed-list]");
    this.#empty = root.querySelector("[data-feed-empty]");
    this.#clock = clock;
    this.#describe = describe;
    const pause = root.querySelector("[data-feed-pause]");
    pause.addEventListener("click", () => this.#pause(pause));
  }

  predict(prediction) {
    if (this.#paused || (prediction.role !== "live" && !this.#shadows)) return;
    const { model, version } = prediction;
    const { allows } = this.#choice();
    for (const detection of prediction.detections) {
      if (!allows({ model, version, ...detection })) continue;
      const title = detection.text || caption(detection);
      const facts = { kind: "sighting", title, ...this.#describe(prediction, detection) };
      this.#sightings.see(sightingKey(prediction, detection), facts, this.#clock.local);
    }
  }

  /** Takes thumbnails from a painted frame for the rows that it belongs to. */
  illustrate({ frame, predictions }) {
    if (this.#paused) return;
    for (const prediction of predictions) {
      for (const detection of prediction.detections) {
        const entry = this.#sightings.get(sightingKey(prediction, detection));
        if (entry) this.#cutOut(entry, frame.bitmap, detection.box);
      }
    }
  }

  /**
   * A camera changed its state: {title, second, kind, at, href}, `at` when it happened, in ms by
   * the server's clock. One row per camera.
   */
  state(camera, { at, ...facts }) {
    const { local, offset } = this.#clock;
    this.#sightings.see(`state/${camera}`, { ...facts, isState: true }, local, at - offset);
  }

  /** Brings the list up to date; called about twice a second. */
  tick() {
    const entries = this.#sightings.list();
    this.#empty.hidden = entries.length > 0;
    const keep = new Set(entries.map((entry) => entry.key));
    for (const [key, row] of this.#rows) if (!keep.has(key)) this.#forget(key, row);
    entries.forEach((entry, index) => this.#place(entry, index));
  }

  #place(entry, index) {
    const row = this.#rows.get(entry.key) ?? this.#make(entry);
    if (this.#list.children[index] !== row.item)
      this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
    row.item.dataset.kind = entry.kind;
    row.link.setAttribute("href", entry.href);
    setText(row.title, entry.title);
    setText(row.second, entry.second);
    setText(row.age, formatAgo(this.#clock.local - (entry.isState ? entry.at : entry.last)));
    if (entry.fresh) this.#flash(entry, row);
  }

  #make(entry) {
    const [title, second, age] = [element("b"), element("span"), element("time")];
    const canvas = entry.isState ? null : element("canvas", { ...THUMB, "aria-hidden": "true" });
    const words = element("span", { class: "feed-words" }, title, second);
    const link = element("a", { class: "feed-row" }, ...(canvas ? [canvas] : []), words, age);
    link.addEventListener("click", (event) => openHere(event, entry));
    const row = { item: element("li", {}, link), link, title, second, age, canvas };
    this.#rows.set(entry.key, row);
    if (canvas && entry.thumb) this.#show(canvas, entry.thumb);
    return row;
  }

  #flash(entry, row) {
    entry.fresh = false;
    row.item.classList.remove("is-new");
    requestAnimationFrame(() => row.item.classList.add("is-new"));
  }

  #forget(key, row) {
    row.item.remove();
    this.#rows.delete(key);
  }

  // An entry's thumbnail is cut when it appears and now and then while it stays.
  #cutOut(entry, bitmap, box) {
    const now = performance.now();
    if (entry.cutAt && now - entry.cutAt < RENEW_MS) return;
    entry.cutAt = now;
    entry.thumb ??= element("canvas", THUMB);
    const from = cropFor(box, bitmap.width, bitmap.height, THUMB.width / THUMB.height);
    const context = entry.thumb.getContext("2d", { alpha: false });
    context.drawImage(bitmap, from.x, from.y, from.w, from.h, 0, 0, THUMB.width, THUMB.height);
    const row = this.#rows.get(entry.key);
    if (row?.canvas) this.#show(row.canvas, entry.thumb);
  }

  #show(canvas, thumb) {
    canvas.getContext("2d", { alpha: false }).drawImage(thumb, 0, 0);
  }

  #pause(button) {
    this.#paused = !this.#paused;
    button.setAttribute("aria-pressed", this.#paused);
    setText(button, this.#paused ? "Resume" : "Pause");
  }
}

// With a key held down it is the browser's: another tab, another window.
function openHere(event, entry) {
  if (!entry.open || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  entry.open(entry);
}

const sightingKey = ({ camera }, { text, label }) => `${camera}/${text || label}`;
