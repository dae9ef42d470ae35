/** The newest outputs of a model that takes records, beside their inputs. */

import { element, setText } from "../core/dom.js";
import { formatMoment } from "../core/format.js";
import { fill } from "../core/rows.js";

/** @returns {[(answer: any) => void, (sentence: string) => void]} for `poll` */
export function showRecords(root) {
  const panel = root.querySelector("[data-records-panel]");
  const [table, empty] = ["table", "empty"].map((part) =>
    panel.querySelector(`[data-records-${part}]`),
  );
  const body = table.querySelector("tbody");

  function say(sentence) {
    setText(empty, sentence);
    empty.hidden = !sentence;
  }

  function show({ versions, refused }) {
    const several = versions.length > 1;
    const rows = versions.flatMap(({ version, rows: found }) =>
      found.map((row) => ({ ...row, version, several })),
    );
    rows.sort((a, b) => b.at - a.at);
    table.hidden = rows.length === 0;
    fill(body, rows, (row) => `${row.version}/${row.partition}/${row.offset}`, makeRow, showRow);
    say(refused ?? (rows.length ? "" : "No outputs yet. Send a record to its inputs topic."));
  }

  return [show, say];
}

function makeRow() {
  const [place, key] = [element("th", { scope: "row" }), element("td", { "data-label": "Key" })];
  const [input, output] = [element("pre"), element("pre")];
  const item = element(
    "tr",
    {},
    place,
    key,
    element("td", { "data-label": "Input" }, input),
    element("td", { "data-label": "Output" }, output),
  );
  return { item, place, key, input, output };
}

function showRow(parts, { partition, offset, at, key, input, output, version, several }) {
  setText(
    parts.place,
    `${several ? `${version} · ` : ""}${partition}:${offset} · ${formatMoment(at)}`,
  );
  setText(parts.key, key ?? "–");
  setText(parts.input, input ?? "not known");
  parts.input.classList.toggle("is-unknown", input === null);
  setText(parts.output, output);
}
