/** The pages of the wall: the buttons, and the cycle that turns them. */

import { announce } from "../core/banners.js";
import { Cycle } from "./cycle.js";
import { setText } from "../core/dom.js";
import { isKiosk } from "../core/fullscreen.js";
import { preferences } from "../core/prefs.js";

const TICK_MS = 250;
/** After a touch or a key somebody is still there for a while. */
const NEAR_MS = 10_000;
const IDLE_MS = 3000;
/** A kiosk whose pages nobody set to turn. */
const KIOSK_SECONDS = 15;

export class Pager {
  cycle = new Cycle();
  #board;
  #root = document.querySelector("[data-pager]");
  #progress = document.querySelector("[data-cycle-progress]");
  #play = document.querySelector("[data-cycle-pause]");
  #near = new Map();
  #stands;

  /**
   * @param board
   * @param grid
   * @param {{stands?: boolean}} [kiosk] `stands`: pages do not turn by themselves in a kiosk either
   */
  constructor(board, grid, { stands = false } = {}) {
    this.#stands = stands;
    this.#board = board;
    this.#root.querySelector("[data-page-back]").addEventListener("click", () => this.turn(-1));
    this.#root.querySelector("[data-page-on]").addEventListener("click", () => this.turn(1));
    this.#play.addEventListener("click", () => this.togglePause());
    board.addEventListener("change", () => this.#show());
    preferences.addEventListener(
      "change",
      ({ detail }) => ["cycle", undefined].includes(detail.name) && this.reset(),
    );
    this.#holdWhileLookedAt(grid);
    this.reset();
    setInterval(() => this.#tick(), TICK_MS);
  }

  turn(step) {
    this.cycle.restart(performance.now());
    this.#board.turn(step);
    announce(`Page ${this.#board.page + 1} of ${this.#board.pages}`);
  }

  togglePause() {
    if (!this.cycle.isOn) return;
    this.cycle.paused = !this.cycle.paused;
    announce(this.cycle.paused ? "Pages stand still" : "Pages turn by themselves");
    this.#show();
  }

  /** The pages' time begins anew, as it is set now. */
  reset() {
    this.cycle.set(
      preferences.get("cycle") || (isKiosk() && !this.#stands ? KIOSK_SECONDS : 0),
      performance.now(),
    );
    this.#show();
  }

  #tick() {
    const now = performance.now();
    for (const [reason, until] of this.#near) if (until <= now) this.#near.delete(reason);
    this.cycle.hold("near", this.#near.size > 0);
    this.cycle.hold("hidden", document.hidden);
    this.cycle.hold("dialog", document.querySelector("dialog[open], details.menu[open]") !== null);
    this.cycle.hold("search", this.#board.query !== "");
    if (this.#board.pages < 2) this.cycle.restart(now);
    else if (this.cycle.tick(now)) this.#board.turn(1);
    this.#progress.style.setProperty("--done", String(this.cycle.progress));
  }

  #show() {
    const { page, pages } = this.#board;
    const { isOn, paused } = this.cycle;
    this.#root.hidden = pages < 2;
    this.#progress.hidden = pages < 2 || !isOn;
    this.#progress.classList.toggle("is-paused", paused);
    this.#play.hidden = !isOn;
    this.#play.setAttribute("aria-pressed", paused);
    const words = paused
      ? "Pages stand still. Let them turn (space)"
      : "Pages turn by themselves. Stop them (space)";
    this.#play.setAttribute("aria-label", words);
    this.#play.title = words;
    setText(this.#root.querySelector("[data-page-number]"), `${page + 1} / ${pages}`);
  }

  // A pointer that lies still on a kiosk's screen is nobody's.
  #holdWhileLookedAt(grid) {
    const stay = (reason, ms) => this.#near.set(reason, performance.now() + ms);
    const hover = ({ pointerType }) =>
      pointerType === "mouse" && stay("hover", isKiosk() ? IDLE_MS : Infinity);
    grid.addEventListener("pointermove", hover);
    grid.addEventListener("pointerleave", () => this.#near.delete("hover"));
    grid.addEventListener(
      "pointerdown",
      ({ pointerType }) => pointerType !== "mouse" && stay("touch", NEAR_MS),
    );
    grid.addEventListener(
      "focusin",
      ({ target }) => target.matches(":focus-visible") && stay("focus", NEAR_MS),
    );
    grid.addEventListener("keydown", () => stay("focus", NEAR_MS));
  }
}
