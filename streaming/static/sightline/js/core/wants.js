/**
 * What a page wants to see of which cameras, and the messages that ask for it: as few as there can
 * be. Pure.
 */

/** Cameras in one message; the server takes 512. */
const MOST = 512;
const STATES_ONLY = { fps: 0, width: 640 };

export class Wants {
  #watched = new Map();
  #followed = new Set();
  #changed = new Set();

  /** Pictures, predictions and states of a camera. @returns {boolean} whether that is news */
  watch(camera, fps, width) {
    const asked = this.#watched.get(camera);
    if (asked && asked.fps === fps && asked.width === width) return false;
    this.#watched.set(camera, { fps, width });
    this.#changed.add(camera);
    return true;
  }

  /** No pictures any more. @returns {boolean} whether that is news */
  unwatch(camera) {
    if (!this.#watched.delete(camera)) return false;
    this.#changed.add(camera);
    return true;
  }

  /** The states of these cameras, also while they are not watched. */
  follow(cameras) {
    for (const camera of cameras) {
      this.#followed.add(camera);
      this.#changed.add(camera);
    }
  }

  /** The messages for what changed since the last time. */
  takeChanges() {
    const changed = [...this.#changed];
    this.#changed.clear();
    const gone = changed.filter((camera) => !this.#wanted(camera));
    return [...gone.map((camera) => ({ type: "unwatch", camera })), ...this.#asking(changed)];
  }

  /** The messages for all that is wanted: the connection is new. */
  takeAll() {
    this.#changed.clear();
    return this.#asking([...new Set([...this.#watched.keys(), ...this.#followed])]);
  }

  #wanted(camera) {
    return this.#watched.get(camera) ?? (this.#followed.has(camera) ? STATES_ONLY : null);
  }

  #asking(cameras) {
    const groups = new Map();
    for (const camera of cameras) {
      const wanted = this.#wanted(camera);
      if (!wanted) continue;
      const key = `${wanted.fps}/${wanted.width}`;
      if (!groups.has(key)) groups.set(key, { type: "watch", ...wanted, cameras: [] });
      groups.get(key).cameras.push(camera);
    }
    return [...groups.values()].flatMap((message) =>
      inParts(message.cameras).map((part) => ({ ...message, cameras: part })),
    );
  }
}

function inParts(cameras) {
  const parts = [];
  for (let at = 0; at < cameras.length; at += MOST) parts.push(cameras.slice(at, at + MOST));
  return parts;
}
