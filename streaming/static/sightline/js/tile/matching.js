/**
 * Which frame is shown, and with which predictions. Pure: the caller brings the time (ms) and
 * closes what is dropped.
 *
 * Synced: a frame waits for the predictions of exactly that frame, so that boxes are never drawn
 * over another one. Live: the newest frame at once. Seen: frames that a model has looked at,
 * whichever these are; others only when none of those came for a while.
 */

import { frameKey, modelKey } from "../core/wire.js";

export const HOLD_MS = 250;
export const SEEN_HOLD_MS = 1000;
export const ACTIVE_MS = 3000;
export const HELD_MAX = 6;
const REMEMBERED_FRAMES = 48;

export class FrameMatcher {
  mode = "synced";
  /** Whether the viewer's filters hide a key (`model@version`): such a model is not waited for. */
  /** @type {(model: string) => boolean} */
  hides = () => false;
  /** Keys of shadow versions whose predictions are shown all the same. */
  compared = new Set();
  /** The newest prediction of each model, by its key. */
  newest = new Map();
  #held = [];
  #arrived = new Map();
  #active = new Map();
  #order = 0;
  #shown = 0;
  #shownAt = -Infinity;

  /**
   * A place in the order of arrival, to be taken before the picture is decoded: decoding may
   * overtake.
   */
  ticket(now) {
    this.#order += 1;
    return { order: this.#order, deadline: now + (this.mode === "seen" ? SEEN_HOLD_MS : HOLD_MS) };
  }

  /** @param {object} frame carries `seq` and `captured_at`; @param {{order, deadline}} ticket */
  addFrame(frame, ticket, now) {
    this.#held.push({ frame, ...ticket });
    this.#held.sort((a, b) => a.order - b.order);
    if (this.#held.length > HELD_MAX) this.#held[0].deadline = now;
  }

  addPrediction(prediction, now) {
    const model = modelKey(prediction);
    const key = frameKey(prediction.frame);
    if (prediction.role === "live") this.#active.set(model, now);
    this.newest.set(model, prediction);
    if (!this.#arrived.has(key)) this.#arrived.set(key, new Map());
    this.#arrived.get(key).set(model, prediction);
    while (this.#arrived.size > REMEMBERED_FRAMES)
      this.#arrived.delete(this.#arrived.keys().next().value);
  }

  /** The predictions that came for exactly this frame. */
  predictionsFor(frame) {
    return [...(this.#arrived.get(frameKey(frame))?.values() ?? [])];
  }

  /**
   * The frame to paint now, if there is one; older ones are never painted afterwards.
   * @returns {{frame: any, dropped: any[]}} `frame` is null when it is not time yet
   */
  next(now) {
    const ready = this.#held.findLastIndex((held) => this.#isReady(held, now));
    const dropped = [];
    let frame = null;
    for (const [index, held] of this.#held.splice(0, ready + 1).entries()) {
      if (index === ready && held.order > this.#shown && this.#isWorthwhile(held, now)) {
        this.#shown = held.order;
        this.#shownAt = now;
        frame = held.frame;
      } else {
        dropped.push(held.frame);
      }
    }
    return { frame, dropped };
  }

  /**
   * When `next` should be asked again, if nothing arrives before: ms, or null when nothing is held.
   */
  get deadline() {
    return this.#held.length ? this.#held[0].deadline : null;
  }

  /** Lets go of all held frames and returns them. */
  clear() {
    return this.#held.splice(0).map((held) => held.frame);
  }

  #isReady(held, now) {
    if (this.mode === "live" || held.deadline <= now || held.order < this.#shown) return true;
    const arrived = this.#arrived.get(frameKey(held.frame));
    if (this.mode === "seen") return arrived !== undefined;
    return this.#awaited(now).every((model) => arrived?.has(model));
  }

  #isWorthwhile(held, now) {
    return (
      this.mode !== "seen" ||
      this.#arrived.has(frameKey(held.frame)) ||
      now - this.#shownAt >= SEEN_HOLD_MS
    );
  }

  #awaited(now) {
    for (const [model, seen] of this.#active)
      if (now - seen > ACTIVE_MS) this.#active.delete(model);
    return [...this.#active.keys()].filter((model) => !this.hides(model));
  }
}
