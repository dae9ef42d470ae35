/**
 * Which detections a viewer wants to see: by score, by model, by label. Kept with the preferences,
 * so one choice counts on all pages.
 */

import { preferences } from "./prefs.js";
import { modelKey } from "./wire.js";

/**
 * A choice that never changes. Pure.
 * @param {{threshold?: number, hiddenModels?: string[], hiddenLabels?: string[]}} choice
 *   `threshold` in percent of the score; models as `model@version`
 */
export function filtersOf({ threshold = 0, hiddenModels = [], hiddenLabels = [] } = {}) {
  const models = new Set(hiddenModels);
  const labels = new Set(hiddenLabels);
  const hidesModel = (key) => models.has(key);
  return {
    /** Whether nothing of this model version (`model@version`) is shown. */
    hidesModel,
    /**
     * @param {{model: string, version: string, label: string, score: number}} detection score 0..1
     */
    allows: ({ model, version, label, score }) =>
      !hidesModel(modelKey({ model, version })) &&
      !labels.has(label) &&
      score * 100 >= threshold - 1e-6,
    /** Whether anything can be missing from the pictures because of this choice. */
    isOn: threshold > 0 || models.size > 0 || labels.size > 0,
  };
}

/** The viewer's choice as it is now. */
export const filters = {
  get now() {
    return filtersOf(preferences.all);
  },
  allows: (detection) => filters.now.allows(detection),
  setThreshold: (percent) =>
    preferences.set("threshold", Math.max(0, Math.min(100, Math.round(percent)))),
  showModel: (key, on) =>
    preferences.set("hiddenModels", without(preferences.get("hiddenModels"), key, on)),
  showLabel: (label, on) =>
    preferences.set("hiddenLabels", without(preferences.get("hiddenLabels"), label, on)),
};

const without = (hidden, key, on) =>
  [...hidden.filter((other) => other !== key), ...(on ? [] : [key])].sort();
