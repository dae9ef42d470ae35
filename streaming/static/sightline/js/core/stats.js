/** Numbers over a sliding window of time. Pure: the caller brings the time in ms. */

export class Window {
  #span;
  #entries = [];

  constructor(span) {
    this.#span = span;
  }

  add(value, now) {
    this.#entries.push({ value, at: now });
    this.#trim(now);
  }

  values(now) {
    this.#trim(now);
    return this.#entries.map((entry) => entry.value);
  }

  /** Entries per second; over the time really covered while the window is still filling. */
  rate(now) {
    this.#trim(now);
    if (this.#entries.length < 2) return this.#entries.length / (this.#span / 1000);
    const covered = now - this.#entries[0].at;
    const intervals = this.#entries.at(-1).at - this.#entries[0].at;
    // Between regular entries the newest interval is still open: do not let it pull the rate down.
    const mean = intervals / (this.#entries.length - 1);
    return covered - intervals < 2 * mean
      ? 1000 / mean
      : (this.#entries.length * 1000) / Math.max(covered, 1);
  }

  clear() {
    this.#entries = [];
  }

  #trim(now) {
    const first = this.#entries.findIndex((entry) => now - entry.at <= this.#span);
    this.#entries.splice(0, first === -1 ? this.#entries.length : first);
  }
}

/**
 * The value that a share of `values` does not exceed (nearest rank), or null when there are none.
 */
export function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
