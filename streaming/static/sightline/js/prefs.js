/** How this viewer likes to look: kept in this browser, one object for all pages. Event: `change`. */

const KEY = "sightline.view";
const DEFAULTS = { mode: "synced", boxes: true, labels: true, scores: false, columns: "auto", panel: true };

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

  get all() {
    return { ...this.#values };
  }

  get(name) {
    return this.#values[name];
  }

  set(name, value) {
    if (this.#values[name] === value) return;
    this.#values = { ...this.#values, [name]: value };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // A browser that keeps nothing still shows what was chosen.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: { name, value } }));
  }

  toggle(name) {
    this.set(name, !this.#values[name]);
  }
}

export const preferences = new Preferences();
