/**
 * Puts the tiles of the wall into another order with a pointer: a mouse drags at once, a finger
 * after it has rested.
 */

import { element } from "../core/dom.js";

const SLACK_PX = 6;
const REST_MS = 380;
const GHOST_WIDTH = 200;
const EDGE_PX = 56;
const SCROLL_PX = 14;

export class Dragging {
  #grid;
  #board;
  #onDrop;
  #begun = null;
  #timer = 0;

  /**
   * @param {(root: HTMLElement) => void} onDrop called when a tile lies in another place than
   * before
   */
  constructor(grid, board, onDrop) {
    this.#grid = grid;
    this.#board = board;
    this.#onDrop = onDrop;
    grid.addEventListener("pointerdown", (event) => this.#press(event));
    grid.addEventListener("pointermove", (event) => this.#move(event));
    grid.addEventListener("pointerup", () => this.#end(true));
    grid.addEventListener("pointercancel", () => this.#end(false));
    grid.addEventListener("dragstart", (event) => event.preventDefault());
    grid.addEventListener("contextmenu", (event) => this.#begun?.ghost && event.preventDefault());
    grid.addEventListener("touchmove", (event) => this.#begun?.ghost && event.preventDefault(), {
      passive: false,
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#begun?.ghost) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.#end(false);
    });
  }

  #press(event) {
    const root = event.target.closest("[data-camera]");
    if (!root || event.button !== 0 || !event.isPrimary) return;
    const { clientX: x, clientY: y, pointerId, pointerType } = event;
    this.#begun = {
      root,
      x,
      y,
      pointerId,
      isMouse: pointerType === "mouse",
      order: this.#board.order,
      ghost: null,
    };
    clearTimeout(this.#timer);
    if (!this.#begun.isMouse) this.#timer = setTimeout(() => this.#lift(x, y), REST_MS);
  }

  #move({ clientX: x, clientY: y, pointerId }) {
    const begun = this.#begun;
    if (!begun || begun.pointerId !== pointerId) return;
    if (!begun.ghost) {
      if (Math.hypot(x - begun.x, y - begun.y) < SLACK_PX) return;
      if (!begun.isMouse) return this.#end(false);
      this.#lift(x, y);
    }
    this.#place(x, y);
    if (y < EDGE_PX) scrollBy(0, -SCROLL_PX);
    else if (y > innerHeight - EDGE_PX) scrollBy(0, SCROLL_PX);
    const over = this.#tileAt(x, y);
    if (over && over !== begun.root) this.#board.move(begun.root, over);
  }

  #lift(x, y) {
    const begun = this.#begun;
    if (!begun) return;
    this.#grid.setPointerCapture(begun.pointerId);
    begun.ghost = ghostOf(begun.root);
    document.body.append(begun.ghost);
    begun.root.classList.add("is-moved");
    this.#grid.classList.add("is-moving");
    this.#place(x, y);
  }

  #place(x, y) {
    this.#begun.ghost.style.transform = `translate(${x - GHOST_WIDTH / 2}px, ${y - GHOST_WIDTH / 4}px)`;
  }

  #tileAt(x, y) {
    return this.#board.shown.find((root) => {
      const { left, right, top, bottom } = root.getBoundingClientRect();
      return x >= left && x <= right && y >= top && y <= bottom;
    });
  }

  #end(isDropped) {
    clearTimeout(this.#timer);
    const begun = this.#begun;
    this.#begun = null;
    if (!begun?.ghost) return;
    begun.ghost.remove();
    begun.root.classList.remove("is-moved");
    this.#grid.classList.remove("is-moving");
    // The click that follows would open the camera.
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
    if (!isDropped) this.#board.setOrder(begun.order);
    else if (this.#board.order !== begun.order) this.#onDrop(begun.root);
  }
}

function swallow(event) {
  event.preventDefault();
  event.stopPropagation();
}

function ghostOf(root) {
  const picture = root.querySelector("canvas");
  const height = Math.round((GHOST_WIDTH * picture.height) / picture.width) || GHOST_WIDTH;
  const copy = element("canvas", { width: GHOST_WIDTH, height });
  copy.getContext("2d").drawImage(picture, 0, 0, GHOST_WIDTH, height);
  return element(
    "div",
    { class: "tile-ghost", "aria-hidden": "true" },
    copy,
    element("b", {}, root.dataset.name),
  );
}
