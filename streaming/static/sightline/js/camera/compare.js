/**
 * Two models on the same frame: which of their boxes are the same object, and whether they call it
 * the same. Pure.
 */

import { frameKey, modelKey } from "../core/wire.js";

/** Boxes that overlap this much (intersection over union) are the same object. */
export const SAME_IOU = 0.5;
const FRAMES = 48;
const BUCKET_MS = 10_000;
const SPAN_MS = 300_000;
const FRESH_MS = 2000;
const FEW = 10;
const NOTHING = { both: 0, agreed: 0, missed: 0, added: 0 };

/** Intersection over union of two boxes [x0, y0, x1, y1]; 0 when one is missing. */
export function iou(a, b) {
  if (!a || !b) return 0;
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Whether two detections say the same: the label, and the text where both have read one. */
export const agree = (a, b) => a.label === b.label && (!a.text || !b.text || a.text === b.text);

/**
 * Pairs of detections that are the same object, the greatest overlap first; each detection is in
 * one pair at most.
 * @returns {[any, any][]}
 */
export function sameObjects(these, those) {
  const candidates = [];
  for (const one of these) {
    for (const other of those) {
      const overlap = iou(one.box, other.box);
      if (overlap >= SAME_IOU) candidates.push({ one, other, overlap });
    }
  }
  candidates.sort(
    (a, b) =>
      b.overlap - a.overlap || Number(agree(b.one, b.other)) - Number(agree(a.one, a.other)),
  );
  const taken = new Set();
  return candidates.flatMap(({ one, other }) => {
    if (taken.has(one) || taken.has(other)) return [];
    taken.add(one).add(other);
    return [[one, other]];
  });
}

/**
 * Objects of one frame that several models see, for the chips: one entry for each object.
 * @param {any[]} predictions of one frame, at most one of each model version
 * @returns {{seen: {model: string, version: string, detection: object}[], agreed: boolean}[]}
 */
export function sharedObjects(predictions) {
  const objects = [];
  for (const prediction of predictions) {
    const known = objects.map((object) => object.seen[0].detection);
    const pairs = new Map(
      sameObjects(prediction.detections, known).map(([mine, theirs]) => [mine, theirs]),
    );
    for (const detection of prediction.detections) {
      if (!detection.box) continue;
      const seen = { model: prediction.model, version: prediction.version, detection };
      const object = pairs.has(detection) && objects[known.indexOf(pairs.get(detection))];
      if (object) object.seen.push(seen);
      else objects.push({ seen: [seen] });
    }
  }
  return objects
    .filter(({ seen }) => seen.length > 1)
    .map(({ seen }) => ({
      seen,
      agreed: seen.every(({ detection }) => agree(seen[0].detection, detection)),
    }));
}

/** How often pairs of model versions agreed, over the last five minutes. */
export class Agreement {
  #frames = new Map();
  #buckets = [];

  /** Takes one model's predictions for a frame, in whatever order the models come. */
  add(prediction, now) {
    const key = frameKey(prediction.frame);
    if (!this.#frames.has(key)) this.#frames.set(key, { at: now, said: new Map() });
    const others = this.#frames.get(key).said;
    while (this.#frames.size > FRAMES) this.#frames.delete(this.#frames.keys().next().value);
    for (const [name, other] of others)
      this.#count(modelKey(prediction), prediction, name, other, now);
    others.set(modelKey(prediction), prediction);
  }

  /**
   * The predictions of that frame of the last moments on which most models have spoken, the newest
   * of such frames.
   */
  newest(now) {
    let best = new Map();
    for (const { at, said } of this.#frames.values())
      if (now - at < FRESH_MS && said.size >= best.size) best = said;
    return [...best.values()];
  }

  /**
   * What a model version had in common with the others that saw at least some of its objects.
   * @returns {{key: string, both: number, agreed: number, missed: number, added: number}[]} by the
   *   key of the other, the one with most in common first; `missed`: objects that only the other
   *   saw, `added`: only this one
   */
  of(key, now) {
    this.#forget(now);
    const sums = new Map();
    for (const { pairs } of this.#buckets) {
      for (const [other, counts] of pairs.get(key) ?? []) {
        if (!sums.has(other)) sums.set(other, { key: other, ...NOTHING });
        addUp(sums.get(other), counts);
      }
    }
    return [...sums.values()].filter(({ both }) => both >= FEW).sort((a, b) => b.both - a.both);
  }

  #count(mine, here, theirs, there, now) {
    const [these, those] = [here, there].map(({ detections }) =>
      detections.filter(({ box }) => box),
    );
    const pairs = sameObjects(these, those);
    const both = pairs.length;
    const agreed = pairs.filter(([one, other]) => agree(one, other)).length;
    const [mineAlone, theirsAlone] = [these.length - both, those.length - both];
    this.#note(mine, theirs, { both, agreed, missed: theirsAlone, added: mineAlone }, now);
    this.#note(theirs, mine, { both, agreed, missed: mineAlone, added: theirsAlone }, now);
  }

  #note(key, other, counts, now) {
    this.#forget(now);
    const begin = Math.floor(now / BUCKET_MS) * BUCKET_MS;
    if (this.#buckets.at(-1)?.begin !== begin) this.#buckets.push({ begin, pairs: new Map() });
    const { pairs } = this.#buckets.at(-1);
    if (!pairs.has(key)) pairs.set(key, new Map());
    const sums = pairs.get(key);
    if (!sums.has(other)) sums.set(other, { ...NOTHING });
    addUp(sums.get(other), counts);
  }

  #forget(now) {
    while (this.#buckets.length && now - this.#buckets[0].begin > SPAN_MS) this.#buckets.shift();
  }
}

function addUp(sum, counts) {
  for (const name of Object.keys(NOTHING)) sum[name] += counts[name];
}

const percent = (part, all) => {
  const share = (100 * part) / all;
  if (part < all && share > 99.9) return "99.9 %";
  return `${Number.isInteger(share) || share < 10 ? Math.round(share) : share.toFixed(1)} %`;
};

/**
 * "agrees with qr 1 on 98.7 % of 8,412 objects, misses 12". What only one of them saw is said when
 * `strict`: for versions of one model and for shadow models. Others look for different things.
 * @param {{key: string, both: number, agreed: number, missed: number, added: number}} common
 */
export function agreementWords({ key, both, agreed, missed, added }, strict) {
  const words = `agrees with ${key.replace("@", " ")} on ${percent(agreed, both)} of ${both.toLocaleString("en")} objects`;
  const alone = [
    missed && `misses ${missed.toLocaleString("en")}`,
    added && `sees ${added.toLocaleString("en")} more`,
  ];
  return [words, ...(strict ? alone : [])].filter(Boolean).join(", ");
}
