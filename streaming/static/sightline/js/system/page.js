/** The system page: asks for the state of everything every few seconds and shows it. */

import { toast } from "../core/banners.js";
import { copyText } from "../core/clipboard.js";
import { element, setText } from "../core/dom.js";
import { formatBytes, formatCount, formatMoment } from "../core/format.js";
import { poll } from "../core/poll.js";
import { fill } from "../core/rows.js";
import { asOf, kindOfLevel, reportText, runningFor, topicCells } from "./words.js";

const PAUSE_MS = 2000;
const TYPING_MS = 250;

const find = (selector) => document.querySelector(selector);
const root = find("#system");
const chosen = { topics: "", sort: "name", page: 1 };
let state = null;

function show(answer) {
  state = answer;
  const overall = find("[data-overall]");
  overall.dataset.kind = kindOfLevel(state.level);
  setText(overall.querySelector("[data-text]"), state.words);
  setText(find("[data-age]"), asOf(state.at));
  find("[data-copy-report]").disabled = false;
  const aside = ({ name }) => name === "installation";
  fill(
    find("[data-parts]"),
    state.parts.filter((part) => !aside(part)),
    ({ name }) => name,
    makePart,
    showPart,
  );
  fill(
    find("[data-installation]"),
    state.parts.filter(aside),
    ({ name }) => name,
    makePart,
    showPart,
  );
  showWorkers();
  showTopics();
}

function trouble(sentence) {
  const overall = find("[data-overall]");
  overall.dataset.kind = "bad";
  setText(overall.querySelector("[data-text]"), sentence);
  setText(find("[data-age]"), state ? `last known ${formatMoment(state.at)}` : "");
}

function makePart() {
  const [title, words] = [element("a"), element("p", { class: "part-words" })];
  const findings = element("ul", { class: "findings", role: "list" });
  const facts = element("dl", { class: "facts" });
  const item = element(
    "article",
    { class: "panel part" },
    element("header", {}, element("span", { class: "dot" }), element("h2", {}, title)),
    words,
    findings,
    facts,
  );
  return { item, title, words, findings, facts };
}

function showPart(parts, { name, title, level, words, findings, facts, href }) {
  Object.assign(parts.item.dataset, { part: name, kind: kindOfLevel(level) });
  parts.item.firstElementChild.dataset.kind = kindOfLevel(level);
  setText(parts.title, title);
  // Without an address it is no link, for readers either.
  if (href) parts.title.href = href;
  // What a finding says already is not said twice.
  setText(parts.words, findings.some(({ text }) => text === words) ? "" : words);
  parts.words.hidden = parts.words.textContent === "";
  // By their place: the numbers in a sentence may change with each answer.
  const placed = findings.map((finding, index) => ({ ...finding, index }));
  fill(parts.findings, placed, ({ index }) => index, makeFinding, showFinding);
  fill(parts.facts, facts, ([label]) => label, makeFact, showFact);
}

const makeFinding = () => ({ item: element("li", { class: "finding" }) });

function showFinding({ item }, { level, text }) {
  item.dataset.kind = level;
  setText(item, text);
}

function makeFact() {
  const [label, value] = [element("dt"), element("dd")];
  return { item: element("div", {}, label, value), label, value };
}

function showFact(parts, [label, value]) {
  setText(parts.label, label);
  setText(parts.value, value);
}

const cell = (name, attributes = {}) => element("td", { "data-label": name, ...attributes });

function showWorkers() {
  setText(
    find("[data-workers-count]"),
    state.workers.length ? formatCount(state.workers.length) : "",
  );
  fill(find("[data-workers] tbody"), state.workers, ({ name }) => name, makeWorker, showWorker);
}

function makeWorker() {
  const cells = {
    name: element("th", { scope: "row" }),
    state: cell("State"),
    doing: cell("Does"),
    runs: cell("Runs"),
    since: cell("Since", { class: "number" }),
    memory: cell("Memory", { class: "number" }),
  };
  const [name, host, words] = [element("b"), element("small"), element("span")];
  cells.name.append(name, host);
  const dotted = element("span", { class: "with-dot" }, element("span", { class: "dot" }), words);
  cells.state.append(dotted);
  return { item: element("tr", {}, ...Object.values(cells)), ...cells, name, host, words, dotted };
}

function showWorker(parts, worker) {
  parts.item.dataset.worker = worker.name;
  parts.item.dataset.role = worker.role;
  parts.item.dataset.kind = parts.dotted.dataset.kind = kindOfLevel(worker.level);
  setText(parts.name, worker.role);
  setText(parts.host, `${worker.host}, process ${worker.pid}`);
  setText(parts.words, worker.words);
  setText(parts.doing, worker.doing || "–");
  setText(
    parts.runs,
    [...worker.runs, ...(worker.more ? [`and ${worker.more} more`] : [])].join(", ") || "–",
  );
  setText(parts.since, runningFor(worker.since, state.at));
  parts.since.title = formatMoment(worker.since);
  setText(parts.memory, formatBytes(worker.memory));
}

function showTopics() {
  const { known, rows, count, total, page, pages, words } = state.topics;
  setText(
    find("[data-topics-count]"),
    known
      ? count === total
        ? formatCount(total)
        : `${formatCount(count)} of ${formatCount(total)}`
      : "",
  );
  fill(find("[data-topics] tbody"), rows, ({ name }) => name, makeTopic, showTopic);
  const empty = find("[data-topics-empty]");
  empty.hidden = rows.length > 0;
  setText(empty, words);
  find("[data-topics]").hidden = rows.length === 0;
  chosen.page = page;
  find("[data-pager]").hidden = pages < 2;
  setText(find("[data-page]"), `${page} of ${pages}`);
  find('[data-turn="-1"]').disabled = page <= 1;
  find('[data-turn="1"]').disabled = page >= pages;
}

function makeTopic() {
  const number = { class: "number" };
  const cells = {
    name: element("th", { scope: "row" }),
    partitions: cell("Partitions", number),
    records: cell("Records", number),
    rate: cell("Records/s", number),
    flow: cell("About, a second", number),
    about: cell("About, in all", number),
    lags: cell("Waiting, by group"),
  };
  return { item: element("tr", {}, ...Object.values(cells)), cells };
}

function showTopic({ item, cells }, topic) {
  item.dataset.topic = topic.name;
  setText(cells.name, topic.name);
  for (const [name, words] of Object.entries(topicCells(topic))) setText(cells[name], words);
}

function bindTopics(asking) {
  const form = find("[data-topics-form]");
  let timer = 0;
  const choose = () => {
    const fields = new FormData(form);
    Object.assign(chosen, {
      topics: String(fields.get("topics")).trim(),
      sort: fields.get("sort"),
      page: 1,
    });
    asking.now();
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(choose, TYPING_MS);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-turn]"))
    button.addEventListener("click", () => {
      chosen.page = Math.max(1, chosen.page + Number(button.dataset.turn));
      asking.now();
    });
}

function bindReport() {
  find("[data-copy-report]").addEventListener("click", async () => {
    const copied = await copyText(reportText(state));
    toast(
      copied
        ? "The report was copied. It has no passwords; names of hosts and topics are in it."
        : "This browser does not let the page copy. Use HTTPS or localhost.",
    );
  });
}

bindTopics(
  poll(
    () =>
      `${root.dataset.source}?${new URLSearchParams(Object.entries(chosen).map(([name, value]) => [name, String(value)]))}`,
    PAUSE_MS,
    show,
    trouble,
  ),
);
bindReport();
