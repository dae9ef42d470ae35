/** How many dead letters a model has, and the newest by reason. */

import { element, setText } from "../core/dom.js";
import { formatAgo, formatCount } from "../core/format.js";
import { fill } from "../core/rows.js";

/** @returns {[(answer: any) => void, (sentence: string) => void]} for `poll` */
export function showLetters(root) {
  const panel = root.querySelector("[data-letters-panel]");
  const [count, list, empty] = ["count", "list", "empty"].map((part) =>
    panel.querySelector(`[data-letters-${part}]`),
  );

  function say(sentence) {
    setText(empty, sentence);
    empty.hidden = !sentence;
  }

  function show({ versions }) {
    const kept = versions.reduce((sum, version) => sum + version.kept, 0);
    setText(count, kept ? `${formatCount(kept)} kept` : "");
    const groups = versions.flatMap(({ version, groups: found }) =>
      found.map((group) => ({ ...group, version, several: versions.length > 1 })),
    );
    groups.sort((a, b) => b.at - a.at);
    fill(list, groups, ({ href }) => href, makeGroup, showGroup);
    say(kept ? "" : "None. What the model cannot process would be here with the reason.");
  }

  return [show, say];
}

function makeGroup() {
  const [name, message, facts] = [
    element("b"),
    element("span", { class: "letter-message" }),
    element("small"),
  ];
  const link = element("a", { class: "letter" }, name, message, facts);
  return { item: element("li", {}, link), link, name, message, facts };
}

function showGroup(parts, { name, message, count, at, href, version, several }) {
  parts.link.setAttribute("href", href);
  setText(parts.name, name);
  setText(parts.message, message);
  setText(
    parts.facts,
    [
      several && `version ${version}`,
      `${formatCount(count)} of the newest`,
      `last ${formatAgo(Date.now() - at)}`,
    ]
      .filter(Boolean)
      .join(" · "),
  );
}
