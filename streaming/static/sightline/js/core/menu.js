/**
 * Menus that unfold: `<details class="menu">`. One is open at a time; Escape and a click elsewhere
 * close it.
 */

const openMenus = () => document.querySelectorAll("details.menu[open]");

export function closeMenus({ except = null } = {}) {
  for (const menu of openMenus()) if (menu !== except) menu.open = false;
}

export function openMenu(menu) {
  menu.open = true;
  menu.querySelector(".menu-panel :is(a, button, input, select):not([disabled])")?.focus();
}

export function bindMenus() {
  for (const menu of document.querySelectorAll("details.menu"))
    menu.addEventListener("toggle", () => menu.open && closeMenus({ except: menu }));
  document.addEventListener("pointerdown", ({ target }) =>
    closeMenus({ except: /** @type {Element} */ (target).closest("details.menu") }),
  );
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const menu = target.closest("details.menu[open]") ?? openMenus()[0];
    if (event.key !== "Escape" || !menu || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
