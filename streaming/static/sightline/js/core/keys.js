/** The keyboard: single keys for the page, silent while somebody types. */

import { preferences } from "./prefs.js";

const isTyping = (target) =>
  target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

// Space presses what has the focus, where that can be pressed.
const isPressing = ({ key, target }) =>
  key === " " && target.closest("button, summary, input, [role=button]") !== null;

/**
 * @param {Record<string, (event: KeyboardEvent) => unknown>} actions by `event.key`, with "Alt+"
 *   before it where that is held down; one that returns false did nothing, so the browser does what
 *   it always does
 */
export function bindKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (isTyping(event.target) || isPressing(event) || document.querySelector("dialog[open]"))
      return;
    const action = actions[event.altKey ? `Alt+${event.key}` : event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}

/** What every page with pictures answers to. */
export const viewKeys = {
  b: () => preferences.toggle("boxes"),
  l: () => preferences.toggle("labels"),
  s: () => preferences.toggle("scores"),
  m: () => preferences.set("mode", preferences.get("mode") === "live" ? "synced" : "live"),
  "/": () => document.getElementById("find")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
};

/** The dialog that lists the keys. */
export function bindKeyHelp() {
  const dialog = document.getElementById("keys");
  for (const button of document.querySelectorAll("[data-show-keys]"))
    button.addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
