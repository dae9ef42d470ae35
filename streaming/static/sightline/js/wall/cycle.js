/**
 * Turns the pages of a wall by itself, except while somebody looks closer. Pure: the caller brings
 * the time in ms.
 */

export class Cycle {
  #span = 0;
  #passed = 0;
  #last = 0;
  #holds = new Set();
  /** The operator stopped it. */
  paused = false;

  /** @param {number} seconds a page; 0 = never */
  set(seconds, now) {
    this.#span = Math.max(0, Number(seconds) || 0) * 1000;
    this.restart(now);
  }

  get isOn() {
    return this.#span > 0;
  }

  /** It is on, but waits. */
  get isHeld() {
    return this.paused || this.#holds.size > 0;
  }

  /** How much of the page's time has passed, 0 to 1. */
  get progress() {
    return this.isOn ? Math.min(1, this.#passed / this.#span) : 0;
  }

  /** @param {string} reason each may hold it on its own */
  hold(reason, isHeld) {
    if (isHeld) this.#holds.add(reason);
    else this.#holds.delete(reason);
  }

  /** The page was turned otherwise: its time begins anew. */
  restart(now) {
    this.#passed = 0;
    this.#last = now;
  }

  /** Called several times a second. @returns {boolean} whether the page is to be turned now */
  tick(now) {
    const since = now - this.#last;
    this.#last = now;
    if (!this.isOn || this.isHeld) return false;
    this.#passed += since;
    if (this.#passed < this.#span) return false;
    this.#passed = 0;
    return true;
  }
}
