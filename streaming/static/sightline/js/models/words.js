/** What the pages about models say in numbers. Pure. */

import { formatAge, formatCount, formatMoment, formatRate } from "../core/format.js";

const DASH = "–";
const or = (value, words) => (value === null || value === undefined ? DASH : words(value));

export const formatShare = (share) =>
  share > 0 && share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`;
export const perSecond = (rate) => or(rate, (value) => `${formatRate(value)} /s`);

/** A duration that may be far below a millisecond: "0.02 ms", "3.4 ms", "62 ms". */
export const formatLatency = (ms) =>
  ms > 0 && ms < 9.95 ? `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms` : formatAge(ms);

/** The share of what came in that a version never looked at; null when nothing is known. */
export function skippedShare({ predicted, skipped, errors }) {
  if (predicted === null || skipped === null) return null;
  const all = predicted + skipped;
  return all > 0 || errors ? skipped / Math.max(all, 1e-9) : null;
}

/**
 * The numbers of a version by their names.
 * @param {number | null} transport ms until frames are taken up
 */
export const versionNumbers = (version, transport) => ({
  predicted: perSecond(version.predicted),
  latency_p50: or(version.latency_p50, formatLatency),
  latency_p95: or(version.latency_p95, formatLatency),
  errors: or(version.errors, formatShare),
  skipped: or(skippedShare(version), formatShare),
  transport: or(transport, formatAge),
  lag: version.lag ? formatCount(version.lag.total) : DASH,
});

/** "since 14:07:20", or nothing. */
export const sinceWords = (since) => (since ? `since ${formatMoment(since)}` : "");

/** "by infer-vm-2161", "by infer-vm-2161 and infer-vm-2170". */
export function workerWords(workers) {
  if (workers.length === 0) return "";
  const [last, ...rest] = [...workers].reverse();
  return rest.length ? `Run by ${rest.reverse().join(", ")} and ${last}` : `Run by ${last}`;
}
