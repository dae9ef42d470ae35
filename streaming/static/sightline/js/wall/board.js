/** The tiles of the wall on their pages: which are shown, in which order and how large. */

import { isKiosk } from "../core/fullscreen.js";
import { gridFor } from "./grid.js";
import { chooseCameras, moveTo, pageCount, pageOf, tilesPerPage, wrapPage } from "./pages.js";
import { preferences } from "../core/prefs.js";

const aspectOf = ({ dataset }) => Number(dataset.width) / Number(dataset.height) || 16 / 9;

/**
 * Events: `change` when other tiles are shown, or in another order; `turn` when the page was
 * turned.
 */
export class Board extends EventTarget {
  /** The tile of each camera, by its short name, in the order of the wall. */
  order;
  included;
  group = "";
  query = "";
  page = 0;
  columns = 1;
  isElsewhere = false;
  /** All tiles that are found, on whatever page. */
  found = [];
  /** The tiles on the page that is shown. */
  shown = [];
  #grid;

  constructor(grid) {
    super();
    this.#grid = grid;
    this.order = [...grid.querySelectorAll("[data-camera]")];
    this.included = new Set(
      this.order.filter(({ dataset }) => dataset.included === "true").map(cameraOf),
    );
    preferences.addEventListener("change", () => this.show());
    addEventListener("resize", () => this.layOut());
    // What stands above the tiles takes its room from them.
    const above = new ResizeObserver(() => this.layOut());
    for (const part of document.querySelectorAll("#banners, .toolbar")) above.observe(part);
  }

  get pages() {
    return pageCount(this.found.length, tilesPerPage(preferences.get("tiles")));
  }

  get links() {
    return this.shown.map((root) => root.querySelector("[data-part=link]"));
  }

  /** Shows what is to be shown now, after any of it changed. */
  show() {
    const { found, isElsewhere } = chooseCameras(
      this.order.map((root) => this.#describe(root)),
      this,
    );
    this.found = found.map(({ root }) => root);
    this.isElsewhere = isElsewhere;
    this.page = Math.min(this.page, this.pages - 1);
    this.shown = pageOf(this.found, this.page, tilesPerPage(preferences.get("tiles")));
    const shown = new Set(this.shown);
    for (const root of this.order) root.hidden = !shown.has(root);
    this.layOut();
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Forward or back by so many pages; after the last comes the first. */
  turn(step) {
    if (this.pages < 2) return;
    this.page = wrapPage(this.page + step, this.pages);
    this.show();
    scrollTo({ top: 0 });
    this.dispatchEvent(new CustomEvent("turn"));
  }

  /** Shows the page that a camera is on. */
  reveal(root) {
    const at = this.found.indexOf(root);
    if (at < 0) return;
    this.page = Math.floor(at / tilesPerPage(preferences.get("tiles")));
    this.show();
  }

  setGroup(group) {
    this.group = group;
    this.page = 0;
    this.show();
  }

  setQuery(query) {
    this.query = query;
    this.page = 0;
    this.show();
  }

  setIncluded(cameras) {
    this.included = new Set(cameras);
    this.show();
  }

  /** A tile takes the place of another. @returns {boolean} whether anything moved */
  move(root, other) {
    const order = moveTo(this.order, root, other);
    if (order === this.order) return false;
    this.setOrder(order);
    return true;
  }

  setOrder(order) {
    this.order = order;
    order.forEach((root, index) => {
      if (this.#grid.children[index] !== root)
        this.#grid.insertBefore(root, this.#grid.children[index] ?? null);
    });
    this.show();
  }

  layOut() {
    const { top } = this.#grid.getBoundingClientRect();
    const gap = parseFloat(getComputedStyle(this.#grid).columnGap) || 0;
    const foot = isKiosk() ? 8 : 16;
    const height = Math.max(innerHeight - (top + scrollY) - foot, 160);
    const room = { width: this.#grid.clientWidth, height, gap };
    const { columns, tileHeight } = gridFor(
      preferences.get("columns"),
      this.shown.map(aspectOf),
      room,
    );
    this.columns = columns;
    this.#grid.style.setProperty("--columns", columns);
    this.#grid.style.setProperty("--tile-most", `${tileHeight}px`);
    document.getElementById("wall").style.setProperty("--room", `${height}px`);
  }

  #describe(root) {
    const { camera, name, groups } = root.dataset;
    return { root, camera, name, groups: groups.split(" "), included: this.included.has(camera) };
  }
}

export const cameraOf = (root) => root.dataset.camera;
