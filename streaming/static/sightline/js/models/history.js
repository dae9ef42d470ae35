/**
 * What the last hour of a model looks like as lines: from its `history.json` to the series of the
 * charts. Pure.
 */

const COLOURS = ["var(--chart-1)", "var(--chart-2)", "var(--chart-3)", "var(--chart-4)"];
const FRESH_MOMENTS = 4;

const colour = (index) => COLOURS[index % COLOURS.length];
const present = (values) => (values ?? []).some((value) => value !== null && value !== undefined);
const lines = (versions, make) =>
  versions
    .flatMap((version, index) => make(version, colour(index)))
    .filter(({ values }) => present(values));

// Of a model with one version, its name says nothing.
const named = (versions, version, words) => (versions.length > 1 ? `${version} ${words}` : words);

/** Answers a second of each version, and what it skipped. */
export const rateSeries = ({ versions }) =>
  lines(versions, ({ version, predicted, skipped }, tint) => [
    { label: named(versions, version, "answers"), colour: tint, values: predicted },
    ...(skipped?.some((value) => value > 0)
      ? [
          {
            label: named(versions, version, "skipped"),
            colour: tint,
            dashed: true,
            values: skipped,
          },
        ]
      : []),
  ]);

/** Milliseconds that the model took: the median, and the 95th percentile as a broken line. */
export const latencySeries = ({ versions }) =>
  lines(versions, ({ version, latency_p50, latency_p95 }, tint) => [
    { label: named(versions, version, "p50"), colour: tint, values: latency_p50 },
    { label: named(versions, version, "p95"), colour: tint, dashed: true, values: latency_p95 },
  ]);

/**
 * Dead letters a second, and what got no answer because the model's server was away as a broken
 * line.
 */
export const errorSeries = ({ versions }) =>
  lines(versions, ({ version, failed, errors }, tint) => [
    { label: named(versions, version, "dead letters"), colour: tint, values: failed },
    { label: named(versions, version, "no answer"), colour: tint, dashed: true, values: errors },
  ]);

/**
 * How late the newest frames were when a version took them up, ms; null when it took none lately.
 */
export function takenUpAfter({ versions }, wanted) {
  const values = versions.find(({ version }) => version === wanted)?.transport_p95 ?? [];
  const last = values
    .slice(-FRESH_MOMENTS)
    .findLast((value) => value !== null && value !== undefined);
  return last ?? null;
}
