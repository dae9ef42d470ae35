/** What the system page says: kinds of levels, rows of numbers, and the report as text. Pure. */

import { formatBytes, formatCount, formatMoment, formatRate, formatSpan } from "../core/format.js";

/**
 * The colour of a part's dot: what is only worth knowing does not make a working part look broken.
 */
export const kindOfLevel = (level) => (level === "note" ? "ok" : level);

const DASH = "–";
const or = (value, words) => (value === null || value === undefined ? DASH : words(value));

/** The cells of a topic's row. */
export const topicCells = ({ partitions, records, rate, flow, about, lags }) => ({
  partitions: formatCount(partitions),
  records: formatCount(records),
  rate: or(rate, formatRate),
  flow: or(flow, (bytes) => `${formatBytes(bytes)}/s`),
  about: or(about, formatBytes),
  lags:
    lags.map(({ group, records: behind }) => `${group}: ${formatCount(behind)}`).join(", ") || DASH,
});

/** How long a process runs: "3 min". */
export const runningFor = (since, now) => formatSpan(now - since);

const TABLE = { name: 34, since: 10, memory: 9 };

/**
 * Everything on the page as text, for a bug report. It has what the server told, which has no
 * secrets.
 */
export function reportText({ at, level, words, parts, workers, topics }) {
  const lines = [
    `Sightline, ${new Date(at).toISOString()}`,
    `${level.toUpperCase()}: ${words}`,
    "",
  ];
  for (const part of parts) {
    lines.push(`${part.title} [${part.level}] ${part.words}`);
    for (const finding of part.findings) lines.push(`  ${finding.level}: ${finding.text}`);
    for (const [name, value] of part.facts) lines.push(`  ${name}: ${value}`);
    lines.push("");
  }
  lines.push("Processes");
  for (const worker of workers) {
    const runs = [...worker.runs, ...(worker.more ? [`and ${worker.more} more`] : [])].join(", ");
    const facts = [
      runningFor(worker.since, at).padEnd(TABLE.since),
      formatBytes(worker.memory).padEnd(TABLE.memory),
    ];
    lines.push(
      `  ${worker.name.padEnd(TABLE.name)} ${facts.join(" ")} [${worker.level}] ${worker.words}; ${worker.doing}${runs && `; ${runs}`}`,
    );
  }
  lines.push(
    "",
    `Topics: ${topics.known ? `${topics.total} in all, ${topics.rows.length} shown` : "not known"}`,
  );
  for (const row of topics.rows) {
    const cells = topicCells(row);
    lines.push(
      `  ${row.name}  ${cells.records} records, ${cells.rate} /s, about ${cells.about}, waiting ${cells.lags}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** "as of 14:07:20". */
export const asOf = (at) => `as of ${formatMoment(at)}`;
