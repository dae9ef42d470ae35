/**
 * Controls that show and change a preference: buttons with `data-toggle="boxes"` or
 * `data-set="mode" data-value="live"`, and `<select data-choose="cycle">`.
 */

import { element } from "../core/dom.js";
import { preferences } from "../core/prefs.js";

/** @param {DOMStringMap} button */
const isOn = ({ toggle, set, value }) =>
  toggle ? Boolean(preferences.get(toggle)) : String(preferences.get(set)) === value;

/** @param {DOMStringMap} button */
function press({ toggle, set, value }) {
  if (toggle) preferences.toggle(toggle);
  else preferences.set(set, value);
}

export function bindToolbar(root = document) {
  const buttons = [...root.querySelectorAll("[data-toggle], [data-set]")];
  const lists = [...root.querySelectorAll("select[data-choose]")];
  const show = () => {
    buttons.forEach((button) => button.setAttribute("aria-pressed", isOn(button.dataset)));
    lists.forEach((list) => showChoice(list, String(preferences.get(list.dataset.choose))));
  };
  for (const button of buttons) button.addEventListener("click", () => press(button.dataset));
  for (const list of lists)
    list.addEventListener("change", () => preferences.set(list.dataset.choose, valueOf(list)));
  preferences.addEventListener("change", show);
  show();
}

const valueOf = ({ value }) => (value === "auto" ? value : Number(value));

// What was saved elsewhere need not be one of the choices here.
function showChoice(list, value) {
  if (![...list.options].some((option) => option.value === value))
    list.append(element("option", { value }, value));
  list.value = value;
}
