/** Buttons that show and change a preference: `data-toggle="boxes"`, or `data-set="mode" data-value="live"`. */

import { preferences } from "./prefs.js";

const isOn = ({ toggle, set, value }) =>
  toggle ? Boolean(preferences.get(toggle)) : String(preferences.get(set)) === value;

function press({ toggle, set, value }) {
  if (toggle) preferences.toggle(toggle);
  else preferences.set(set, value);
}

export function bindToolbar(root = document) {
  const buttons = [...root.querySelectorAll("[data-toggle], [data-set]")];
  const show = () => buttons.forEach((button) => button.setAttribute("aria-pressed", isOn(button.dataset)));
  for (const button of buttons) button.addEventListener("click", () => press(button.dataset));
  preferences.addEventListener("change", show);
  show();
}
