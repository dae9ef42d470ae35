/** Numbers and times as people read them. */

/** An age: "62 ms", "1.4 s", "12 s". */
export function formatAge(ms) {
  if (ms === null || !Number.isFinite(ms)) return "–";
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : formatSpan(ms);
}

/** A span of time in its largest unit: "12 s", "3 min", "2 h", "4 days". */
export function formatSpan(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** How long ago: "now", "3 s", "2 min". */
export const formatAgo = (ms) => (ms < 1500 ? "now" : formatSpan(ms));

const clockFormat = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayFormat = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** A moment: the clock time within the last day, else with its date. */
export function formatMoment(epochMs, now = Date.now()) {
  return (now - epochMs < 86_400_000 ? clockFormat : dayFormat).format(epochMs);
}

export const formatRate = (perSecond) => perSecond.toFixed(1);
export const formatScore = (score) => score.toFixed(2);

/** A share in percent: "0.4 %", "12 %"; a dash while unknown. */
export function formatShare(percent) {
  if (percent === null || !Number.isFinite(percent)) return "–";
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

export const formatCount = (count) => Math.round(count).toLocaleString("en");

/** An amount of data: "812 bytes", "1.5 MB", "12 GB". */
export function formatBytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(
    units.length - 1,
    Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)),
  );
  const amount = bytes / 1000 ** power;
  return `${power && amount < 9.95 ? amount.toFixed(1) : Math.round(amount).toLocaleString("en")} ${units[power]}`;
}

/** Picture size: "1280 × 720", or a dash while unknown. */
export const formatSize = (width, height) => (width && height ? `${width} × ${height}` : "–");

/** What a detection says on its box or in a list; empty when both parts are switched off. */
export function caption({ label, text, score }, { labels = true, scores = true } = {}) {
  const name = labels ? text || label : "";
  const number = scores ? formatScore(score) : "";
  return [name, number].filter(Boolean).join(text ? " · " : " ");
}
