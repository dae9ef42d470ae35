/** Lines across the top of the page, each present while something is wrong, and short messages at the foot. */

import { element } from "./dom.js";

const TOAST_MS = 7000;
const MAX_TOASTS = 3;
const shown = new Map();

/** @param {string} id one banner per id; showing it again changes its text */
export function showBanner(id, text, { kind = "warn", link = null } = {}) {
  hideBanner(id);
  const banner = element("p", { class: "banner", "data-kind": kind, "data-banner": id }, element("span", {}, text));
  if (link) banner.append(" ", element("a", { href: link.href }, link.text));
  document.getElementById("banners").append(banner);
  shown.set(id, banner);
}

export function hideBanner(id) {
  shown.get(id)?.remove();
  shown.delete(id);
}

export function toast(text) {
  const box = document.getElementById("toasts");
  while (box.children.length >= MAX_TOASTS) box.firstElementChild.remove();
  const line = element("p", { class: "toast" }, text);
  box.append(line);
  setTimeout(() => line.remove(), TOAST_MS);
}

/** For those who hear the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
