/**
 * How this viewer likes to look: kept in this browser, one object for all pages. Event: `change`
 * {name, value}.
 */

const KEY = "sightline.view";
const DEFAULTS = {
  mode: "synced",
  boxes: true,
  labels: true,
  scores: false,
  threshold: 0,
  hiddenModels: [],
  hiddenLabels: [],
  columns: "auto",
  tiles: "auto",
  cycle: 0,
  panel: true,
};

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...DEFAULTS, ...kept };
  } catch {
    return { ...DEFAULTS };
  }
}

class Preferences extends EventTarget {
  #values = load();
  #over = {};

  get all() {
    return { ...this.#values, ...this.#over };
  }

  get(name) {
    return Object.hasOwn(this.#over, name) ? this.#over[name] : this.#values[name];
  }

  set(name, value) {
    if (JSON.stringify(this.get(name)) === JSON.stringify(value)) return;
    if (Object.hasOwn(this.#over, name)) this.#over = { ...this.#over, [name]: value };
    else this.#keep({ ...this.#values, [name]: value });
    this.dispatchEvent(new CustomEvent("change", { detail: { name, value } }));
  }

  toggle(name) {
    this.set(name, !this.get(name));
  }

  /** Values that go before this browser's, see `layOver`. */
  get over() {
    return { ...this.#over };
  }

  /**
   * Values of a saved layout go before this browser's; what is changed of them is not kept in the
   * browser.
   */
  layOver(values) {
    this.#over = { ...values };
    this.dispatchEvent(new CustomEvent("change", { detail: {} }));
  }

  #keep(values) {
    this.#values = values;
    try {
      localStorage.setItem(KEY, JSON.stringify(values));
    } catch {
      // A browser that keeps nothing still shows what was chosen.
    }
  }
}

export const preferences = new Preferences();
