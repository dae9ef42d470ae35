/** The menu that says what is drawn: from which score on, and of which models. */

import { colourOf } from "../core/colours.js";
import { element, setText } from "../core/dom.js";
import { filters } from "../core/filters.js";
import { keyOf, modelName } from "../core/model-states.js";
import { preferences } from "../core/prefs.js";
import { modelKey } from "../core/wire.js";

/**
 * The slider of the score, `[data-threshold]` with an `<output>` beside it.
 * @param {ParentNode} root
 */
export function bindThreshold(root = document) {
  const slider = root.querySelector("[data-threshold]");
  const show = () => {
    const percent = preferences.get("threshold");
    const words = percent ? `${percent} % or more` : "any score";
    slider.value = String(percent);
    slider.setAttribute("aria-valuetext", words);
    setText(slider.parentElement.querySelector("output"), words);
  };
  slider.addEventListener("input", () => filters.setThreshold(Number(slider.value)));
  preferences.addEventListener("change", show);
  show();
}

/** Switches for models, with those that appear later. */
export class FilterMenu {
  #root = document.querySelector("[data-filter-menu]");
  #list = this.#root.querySelector("[data-filter-models]");
  #switches = new Map();

  /** @param {Iterable<string>} names of models as the pages write them: "qr 1" */
  constructor(names) {
    bindThreshold(this.#root);
    for (const name of names) this.#add(keyOf(name), name);
    this.#root.querySelector("[data-filter-reset]").addEventListener("click", () => {
      filters.setThreshold(0);
      preferences.set("hiddenModels", []);
      preferences.set("hiddenLabels", []);
    });
    preferences.addEventListener("change", () => this.#show());
    this.#show();
  }

  /** A model spoke. */
  see(prediction) {
    const key = modelKey(prediction);
    if (prediction.role === "live" && !this.#switches.has(key))
      this.#add(key, modelName(prediction));
  }

  #add(key, name) {
    const box = element("input", {
      class: "switch",
      type: "checkbox",
      role: "switch",
      autocomplete: "off",
    });
    const swatch = element("i", { class: "swatch" });
    swatch.style.setProperty("--colour", colourOf(name.split(" ")[0]));
    box.checked = !filters.now.hidesModel(key);
    box.addEventListener("change", () => filters.showModel(key, box.checked));
    this.#list.append(
      element("li", {}, element("label", {}, swatch, element("span", {}, name), box)),
    );
    this.#switches.set(key, box);
    this.#root.querySelector("[data-filter-none]").hidden = true;
  }

  #show() {
    const { isOn, hidesModel } = filters.now;
    for (const [key, box] of this.#switches) box.checked = !hidesModel(key);
    this.#root.classList.toggle("is-on", isOn);
    this.#root.querySelector("[data-filter-reset]").disabled = !isOn;
    const threshold = preferences.get("threshold");
    setText(
      this.#root.querySelector("[data-filter-words]"),
      threshold ? `≥ ${threshold} %` : "Filter",
    );
  }
}
