/**
 * What was seen, newest first: the same thing on the same camera is one entry for as long as it
 * stays there. Pure.
 */

const AWAY_MS = 4000;
// More than are listed, so that a busy wall does not forget and rediscover what stays in its
// pictures.
const REMEMBERED = 240;

export class Sightings {
  #listed;
  #remembered;
  #entries = new Map();
  #order = 0;

  constructor(listed = 50, remembered = REMEMBERED) {
    this.#listed = listed;
    this.#remembered = remembered;
  }

  /**
   * Takes a sighting; returns its entry {key, first, last, at, order, ...facts}. An entry goes to
   * the top when it is new or was away, not each time that it is seen, so that the list holds
   * still. What happened at a time of its own stands where that belongs.
   */
  see(key, facts, now, happened = null) {
    const known = this.#entries.get(key);
    const again = happened === null && known && now - known.last < AWAY_MS;
    const entry = Object.assign(known ?? { key }, facts, { last: now });
    if (!again)
      Object.assign(entry, {
        first: now,
        at: happened ?? now,
        order: (this.#order += 1),
        fresh: true,
      });
    this.#entries.set(key, entry);
    this.#trim();
    return entry;
  }

  get(key) {
    return this.#entries.get(key);
  }

  /** The newest ones, newest first. */
  list() {
    return [...this.#entries.values()]
      .sort((a, b) => b.at - a.at || b.order - a.order)
      .slice(0, this.#listed);
  }

  #trim() {
    while (this.#entries.size > this.#remembered) {
      const oldest = [...this.#entries.values()].reduce((a, b) => (b.last < a.last ? b : a));
      this.#entries.delete(oldest.key);
    }
  }
}
