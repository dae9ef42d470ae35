/**
 * The pictures alone: the screen stays awake, the cursor goes, a new version of the pages is
 * fetched by itself.
 */

import { showBanner } from "../core/banners.js";
import { enterKiosk, isKiosk, onKiosk } from "../core/fullscreen.js";

const IDLE_MS = 3000;
const RELOADED_KEY = "sightline.reloaded";
let lock = null;
let idle = 0;

/** @param {boolean} isAsked the page's address asks for it */
export function bindKiosk(isAsked) {
  onKiosk((on) => {
    keepAddress(on);
    keepAwake();
    hideCursor();
  });
  document.addEventListener("visibilitychange", keepAwake);
  addEventListener("pointermove", hideCursor);
  if (isAsked) enterKiosk();
}

/** Reloads a kiosk when the server has another version than the page; elsewhere says so. */
export function followVersion(socket, version) {
  socket.addEventListener("hello", ({ detail }) => {
    if (!detail.version || detail.version === version) return;
    if (isKiosk() && !wasReloadedFor(detail.version)) return location.reload();
    const link = { href: location.href, text: "Reload the page" };
    showBanner("version", "Sightline was updated.", { link });
  });
}

// Once a version: a page that comes from a cache in between would be loaded again and again.
function wasReloadedFor(version) {
  try {
    if (sessionStorage.getItem(RELOADED_KEY) === version) return true;
    sessionStorage.setItem(RELOADED_KEY, version);
    return false;
  } catch {
    return true;
  }
}

// What the page's address says is what a reload gives.
function keepAddress(on) {
  const address = new URL(location.href);
  if (on) address.searchParams.set("kiosk", "1");
  else address.searchParams.delete("kiosk");
  history.replaceState(history.state, "", address);
}

async function keepAwake() {
  const isWanted = isKiosk() && !document.hidden;
  try {
    if (isWanted) lock ??= await navigator.wakeLock?.request("screen");
    else await lock?.release();
  } catch {
    // Not allowed here, or the battery is low: the screen then sleeps as it is set to.
  }
  if (!isWanted || lock?.released) lock = null;
}

function hideCursor() {
  const { classList } = document.documentElement;
  classList.remove("is-idle");
  clearTimeout(idle);
  if (isKiosk()) idle = setTimeout(() => classList.add("is-idle"), IDLE_MS);
}
