/**
 * The server's clock, seen from here: the sample with the shortest round trip says how far the
 * clocks are apart.
 */

const KEEP = 12;
const STEP_MS = 50;

export class ServerClock {
  #samples = [];
  #offset = 0;
  #local;

  /** @param {() => number} local this machine's clock in ms since the epoch */
  constructor(local = () => performance.timeOrigin + performance.now()) {
    this.#local = local;
  }

  get local() {
    return this.#local();
  }

  /** The server's time in ms since the epoch. */
  get now() {
    return this.#local() + this.#offset;
  }

  get offset() {
    return this.#offset;
  }

  /** A first guess, before any round trip was measured. */
  hint(serverMs) {
    if (this.#samples.length === 0) this.#offset = serverMs - this.#local();
  }

  /**
   * One round trip: sent and received by the local clock, answered at `serverMs` by the server's.
   */
  sample(sentAt, receivedAt, serverMs) {
    const trip = Math.max(0, receivedAt - sentAt);
    const offset = serverMs - (sentAt + receivedAt) / 2;
    const best = this.#best();
    // A difference that the two round trips cannot explain: one of the clocks was set.
    if (best && Math.abs(offset - best.offset) > (trip + best.trip) / 2 + STEP_MS)
      this.#samples = [];
    this.#samples.push({ trip, offset });
    if (this.#samples.length > KEEP) this.#samples.shift();
    this.#offset = this.#best().offset;
  }

  #best() {
    return this.#samples.reduce(
      (best, sample) => (!best || sample.trip <= best.trip ? sample : best),
      null,
    );
  }
}
