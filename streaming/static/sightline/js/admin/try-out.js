/** "Try it": the model as it is typed, on a picture, on a record, or on what a camera sees now. */

import { colourOf } from "../core/colours.js";
import { element } from "../core/dom.js";
import { drawn } from "./boxes.js";
import { tensorTable } from "./tensors.js";

export function tryIt(page) {
  const panel = page.root.querySelector("[data-try]");
  panel.hidden = false;
  const button = panel.querySelector('[data-action="try"]');
  const picture = panel.querySelector("#try-picture");
  const camera = panel.querySelector("#try-camera");
  picture.addEventListener("change", () => camera && picture.files.length && (camera.value = ""));
  camera?.addEventListener("change", () => camera.value && (picture.value = ""));
  button.addEventListener("click", () => run(page, panel, button));
  for (const input of [picture, camera])
    input?.addEventListener("change", (event) => event.stopPropagation());
}

async function run(page, panel, button) {
  const result = panel.querySelector("[data-result]");
  button.disabled = true;
  result.replaceChildren(element("p", { class: "help" }, "Running …"));
  const asked = question(page, panel);
  const answer = await page.ask("try", { withFile: page.choice.kind.files, more: asked });
  button.disabled = false;
  result.replaceChildren(...(await shown(answer, asked)));
}

function question(page, panel) {
  if (page.choice.sees === "records")
    return { "try-source": "record", "try-record": panel.querySelector("#try-record").value };
  const camera = panel.querySelector("#try-camera")?.value;
  if (camera) return { "try-source": "camera", "try-camera": camera };
  const file = panel.querySelector("#try-picture").files[0];
  return file ? { "try-source": "picture", "try-picture": file } : { "try-source": "picture" };
}

async function shown(answer, asked) {
  const parts = [];
  if (answer.error) parts.push(element("p", { class: "mf-bad" }, answer.error));
  if (answer.first_ms !== undefined && answer.first_ms !== null) parts.push(times(answer));
  for (const note of answer.notes ?? []) parts.push(element("p", { class: "mf-warn" }, note));
  if (!answer.error && answer.result)
    parts.push(element("pre", { class: "mf-json" }, JSON.stringify(answer.result, null, 2)));
  if (!answer.error && asked["try-source"] !== "record") {
    const source = answer.picture ?? (await dataUrl(asked["try-picture"]));
    if (source) parts.push(drawn(source, answer.predictions));
    parts.push(
      answer.predictions.length
        ? table(answer.predictions)
        : element("p", { class: "help" }, "The model sees nothing in it."),
    );
  }
  if (answer.inputs?.length) parts.push(tensorTable(answer.inputs, answer.outputs));
  return parts;
}

function dataUrl(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => resolve(""));
    reader.readAsDataURL(file);
  });
}

function times({ load_ms: load, first_ms: first, median_ms: median }) {
  const cell = (label, value) =>
    element("div", {}, element("dt", {}, label), element("dd", {}, `${milliseconds(value)} ms`));
  return element(
    "dl",
    { class: "mf-times" },
    cell("Loading", load),
    cell("First answer", first),
    cell("Median of five", median),
  );
}

export function milliseconds(value) {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

function table(predictions) {
  const heads = ["Label", "Score", "Box"].map((text) => element("th", { scope: "col" }, text));
  return element(
    "table",
    { class: "mf-tensors" },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...predictions.map(row)),
  );
}

function row({ label, score, box, text }) {
  const dot = element("i", { class: "mf-dot" });
  dot.style.background = colourOf(label);
  const said =
    text === undefined || text === null ? [] : [element("span", { class: "mf-text" }, text)];
  const place = box ? box.map((side) => side.toFixed(2)).join(", ") : "";
  return element(
    "tr",
    {},
    element("td", {}, dot, label, ...said),
    element("td", {}, score.toFixed(3)),
    element("td", {}, place),
  );
}
