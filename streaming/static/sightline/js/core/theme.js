/* A classic script in the head, so that the page never flashes in the wrong theme.
   The key is the one of Django's admin: both sides of the product change together. */
(() => {
  const root = document.documentElement;
  const ORDER = ["auto", "light", "dark"];
  const NAMES = { auto: "as the system", light: "light", dark: "dark" };

  const kept = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const theme = () => (ORDER.includes(root.dataset.theme) ? root.dataset.theme : "auto");

  root.dataset.theme = ORDER.includes(kept()) ? kept() : "auto";

  function show(button) {
    button.setAttribute("aria-label", `Theme: ${NAMES[theme()]}. Change theme`);
    button.title = `Theme: ${NAMES[theme()]}`;
  }

  function change(button) {
    root.dataset.theme = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
    try {
      localStorage.setItem("theme", theme());
    } catch {
      // Not kept, but shown.
    }
    show(button);
  }

  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      show(button);
      button.addEventListener("click", () => change(button));
    }
  });
})();
