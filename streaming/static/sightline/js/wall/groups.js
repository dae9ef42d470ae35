/**
 * The groups of cameras: chips that filter the wall, and change its address so that a reload shows
 * the same.
 */

import { announce } from "../core/banners.js";

export function bindGroups(board) {
  const chips = [...document.querySelectorAll("[data-group]")];
  const show = () =>
    chips.forEach((chip) => {
      if (chip.dataset.group === board.group) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    });
  for (const chip of chips) {
    chip.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const address = new URL(location.href);
      address.searchParams.set("group", chip.dataset.group);
      history.replaceState(history.state, "", address);
      board.setGroup(chip.dataset.group);
      announce(`${chip.textContent.trim()}: ${board.found.length} cameras`);
    });
  }
  board.addEventListener("change", show);
}
