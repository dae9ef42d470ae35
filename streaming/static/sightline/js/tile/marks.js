/** Which detections are drawn with a frame, and how strongly. Pure. */

import { filtersOf } from "../core/filters.js";
import { modelKey } from "../core/wire.js";

const FADED_MS = 1000;

/**
 * Synced: the predictions of exactly this frame. Live: the newest of each model, faded with age,
 * gone after one second.
 * @param {import("./matching.js").FrameMatcher} matcher
 * @param {number} now the server's clock, ms
 * @param filters what the viewer wants to see, see filters.js
 * @returns {{model: string, detection: object, alpha: number, dashed: boolean}[]}
 */
export function marksOf(frame, matcher, mode, now, filters = filtersOf()) {
  const predictions =
    mode === "live" ? [...matcher.newest.values()] : matcher.predictionsFor(frame);
  return predictions
    .filter((prediction) => isShown(prediction, matcher))
    .flatMap((prediction) => {
      const alpha = mode === "live" ? fade(now - prediction.frame.captured_at / 1e6) : 1;
      if (alpha <= 0) return [];
      const { model, version, role, detections } = prediction;
      return detections
        .filter((detection) => filters.allows({ model, version, ...detection }))
        .map((detection) => ({ model, detection, alpha, dashed: role === "shadow" }));
    });
}

// A shadow model is measured, not trusted: its boxes are drawn only where somebody asked for them.
const isShown = (prediction, matcher) =>
  prediction.role === "live" || matcher.compared.has(modelKey(prediction));

// Full strength for what is as fresh as predictions usually are, then down to nothing.
const fade = (age) => Math.min(1, Math.max(0, (FADED_MS - age) / (FADED_MS * 0.7)));
