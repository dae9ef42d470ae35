/**
 * Lines across the top of the page, each present while something is wrong, and short messages at
 * the foot.
 */

import { element } from "./dom.js";

const TOAST_MS = 7000;
const MAX_TOASTS = 3;
const ANNOUNCED_MS = 30_000;
const MAX_ANNOUNCED = 20;
const shown = new Map();

/** @param {string} id one banner per id; showing it again changes its text */
export function showBanner(id, text, { kind = "warn", link = null } = {}) {
  hideBanner(id);
  const banner = element(
    "p",
    { class: "banner", "data-kind": kind, "data-banner": id },
    element("span", {}, text),
  );
  if (link) banner.append(" ", element("a", { href: link.href }, link.text));
  document.getElementById("banners").append(banner);
  shown.set(id, banner);
}

export function hideBanner(id) {
  shown.get(id)?.remove();
  shown.delete(id);
}

export function toast(text) {
  addLine(
    document.getElementById("toasts"),
    element("p", { class: "toast" }, text),
    MAX_TOASTS,
    TOAST_MS,
  );
}

/**
 * For those who hear the page. Each has its own line for a while: one that the next takes the place
 * of at once may never be read out.
 */
export function announce(text) {
  addLine(
    document.getElementById("announcer"),
    element("p", {}, text),
    MAX_ANNOUNCED,
    ANNOUNCED_MS,
  );
}

function addLine(box, line, most, milliseconds) {
  while (box.children.length >= most) box.firstElementChild.remove();
  box.append(line);
  setTimeout(() => line.remove(), milliseconds);
}
