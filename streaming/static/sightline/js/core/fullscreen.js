/** The pictures alone, on the whole screen. */

const root = document.documentElement;
const listeners = new Set();

export const isKiosk = () => root.classList.contains("is-kiosk");

/**
 * @param {(on: boolean) => void} listener called when the pictures are alone, and when they are no
 * more
 */
export const onKiosk = (listener) => listeners.add(listener);

function show(on) {
  root.classList.toggle("is-kiosk", on);
  document
    .querySelectorAll("[data-fullscreen]")
    .forEach((button) => button.setAttribute("aria-pressed", on));
  listeners.forEach((listener) => listener(on));
  dispatchEvent(new Event("resize"));
}

/**
 * The pictures fill the window; the whole screen is given only where somebody pressed a key or a
 * button.
 */
export const enterKiosk = () => show(true);

export async function toggleFullscreen() {
  const on = !isKiosk();
  show(on);
  try {
    if (on) await root.requestFullscreen();
    else if (document.fullscreenElement) await document.exitFullscreen();
  } catch {
    // Not allowed here: the page then fills the window instead of the screen.
  }
}

export function bindFullscreen() {
  document
    .querySelectorAll("[data-fullscreen]")
    .forEach((button) => button.addEventListener("click", toggleFullscreen));
  document.addEventListener("fullscreenchange", () => show(document.fullscreenElement !== null));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isKiosk() || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    show(false);
  });
}
