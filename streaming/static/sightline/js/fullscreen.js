/** The pictures alone, on the whole screen. */

const root = document.documentElement;

function show(on) {
  root.classList.toggle("is-kiosk", on);
  document.querySelectorAll("[data-fullscreen]").forEach((button) => button.setAttribute("aria-pressed", on));
  dispatchEvent(new Event("resize"));
}

export async function toggleFullscreen() {
  const on = !root.classList.contains("is-kiosk");
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
    if (event.key !== "Escape" || !root.classList.contains("is-kiosk")) return;
    event.preventDefault();
    show(false);
  });
}
