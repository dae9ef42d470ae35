/**
 * Copying, also where the browser has no clipboard for pages: over plain HTTP from another machine.
 */

import { element } from "./dom.js";

/** Whether the text is on the clipboard now. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

function copySelection(text) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = element("textarea", {
    class: "for-readers",
    readonly: true,
    "aria-hidden": "true",
    tabindex: "-1",
  });
  area.value = text;
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
    before?.focus();
  }
}
