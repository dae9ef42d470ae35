/** The labels that were seen, each a button that shows or hides it. */

import { colourOf } from "../core/colours.js";
import { element } from "../core/dom.js";
import { filters } from "../core/filters.js";
import { preferences } from "../core/prefs.js";

const MOST = 40;

export class LabelChips {
  #list;
  #chips = new Map();

  constructor(list) {
    this.#list = list;
    for (const label of preferences.get("hiddenLabels")) this.#add(label);
    preferences.addEventListener("change", () => this.#show());
  }

  see({ detections }) {
    for (const { label } of detections)
      if (!this.#chips.has(label) && this.#chips.size < MOST) this.#add(label);
  }

  #add(label) {
    const chip = element(
      "button",
      { class: "chip", type: "button", title: `Show or hide ${label}` },
      label,
    );
    chip.style.setProperty("--colour", colourOf(label));
    chip.addEventListener("click", () =>
      filters.showLabel(label, chip.getAttribute("aria-pressed") !== "true"),
    );
    this.#chips.set(label, chip);
    this.#list.append(element("li", {}, chip));
    this.#show();
  }

  #show() {
    const hidden = new Set(preferences.get("hiddenLabels"));
    for (const [label, chip] of this.#chips) chip.setAttribute("aria-pressed", !hidden.has(label));
  }
}
