/** What a chart says to those who read or hear it, and the sums behind its lines. Pure. */

const hourFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const secondFormat = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const MINUTE_MS = 60_000;

export const hour = (at) => hourFormat.format(at);
export const moment = (at) => secondFormat.format(at);

/** Index of the newest value that there is, or -1. */
export const newest = (values) =>
  values.findLastIndex((value) => value !== null && value !== undefined);

/**
 * One sentence for each line: its newest value, its lowest and its highest.
 * @param {number[]} at ms since the epoch
 * @param {{label: string, values: (number|null)[]}[]} series
 * @param {(value: number) => string} format
 */
export function summary(title, at, series, format) {
  if (at.length === 0) return `${title}: nothing reported yet.`;
  const spoken = series.map(({ label, values }) => {
    const last = newest(values);
    if (last < 0) return `${label}: nothing reported.`;
    const known = values.filter((value) => value !== null && value !== undefined);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const lowest = `lowest ${format(low)} at ${hour(at[values.indexOf(low)])}`;
    const highest = `highest ${format(high)} at ${hour(at[values.indexOf(high)])}`;
    return `${label}: latest ${format(values[last])}, ${lowest}, ${highest}.`;
  });
  return [`${title}, ${hour(at[0])} to ${hour(at.at(-1))}.`, ...spoken].join(" ");
}

/** One moment in words: "14:07:20: camera 10.0 fps, qr 1 9.8 fps". */
export function momentWords(at, series, index, format) {
  const spoken = series.map(({ label, values }) => `${label} ${formatOr(values[index], format)}`);
  return `${moment(at[index])}: ${spoken.join(", ")}`;
}

export const formatOr = (value, format) =>
  value === null || value === undefined ? "–" : format(value);

/** Positions of values with a gap on both sides: a line alone would not show them. */
export function lonely(values) {
  const known = (index) => values[index] !== null && values[index] !== undefined;
  return values.flatMap((_, index) =>
    known(index) && !known(index - 1) && !known(index + 1) ? [index] : [],
  );
}

/**
 * A table of at most `most` rows, newest first: every so many-th moment, the newest always among
 * them.
 */
export function tableRows(at, series, format, most = 60) {
  const stride = Math.max(1, Math.ceil(at.length / most));
  const rows = [];
  for (let index = at.length - 1; index >= 0; index -= stride) {
    rows.push([moment(at[index]), ...series.map(({ values }) => formatOr(values[index], format))]);
  }
  return rows;
}

/**
 * The words along the foot of a chart: with seconds where minutes alone would repeat themselves.
 */
export function timeMarks(splits) {
  const close = splits.length > 1 && splits[1] - splits[0] < MINUTE_MS;
  return splits.map(close ? moment : hour);
}

/** The greatest value of an axis that begins at 0, with some air above the lines. */
export const ceiling = (greatest, least = 1) => Math.max(least, (greatest ?? 0) * 1.15);
