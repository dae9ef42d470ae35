/** "Read from the model": its inputs and outputs, and what follows from them for the form. */

import { element } from "../core/dom.js";
import { tensorTable } from "./tensors.js";

export function describeButton(page, refresh) {
  const button = page.root.querySelector('[data-action="describe"]');
  button.addEventListener("click", () => describe(page, button, refresh));
  page.form.elements[page.name("o-python-model")]?.addEventListener("change", () => {
    if (
      page.choice.runtime === "python" &&
      page.choice.pythonModel &&
      page.choice.sees === "records"
    )
      describe(page, button, refresh);
  });
}

async function describe(page, button, refresh) {
  const told = page.root.querySelector("[data-told]");
  button.disabled = true;
  told.replaceChildren(element("p", { class: "help" }, "Asking …"));
  const answer = await page.ask("describe", { withFile: page.choice.kind.files });
  button.disabled = false;
  if (answer.error) {
    told.replaceChildren(element("p", { class: "mf-bad" }, answer.error));
    return;
  }
  page.fill(answer.fields);
  refresh();
  const { inputs, outputs } = answer.tensors;
  const notes = answer.notes.map((note) => element("p", { class: "mf-warn" }, note));
  const labels = answer.labels
    ? [
        element(
          "p",
          { class: "help" },
          `The model brings the names of its ${answer.labels} classes.`,
        ),
      ]
    : [];
  const filled = Object.keys(answer.fields).length;
  const said = element(
    "p",
    { class: "mf-good" },
    filled ? `Read. ${filled} field${filled === 1 ? " was" : "s were"} filled in.` : "Read.",
  );
  told.replaceChildren(
    said,
    ...notes,
    ...labels,
    ...(inputs.length + outputs.length ? [tensorTable(inputs, outputs)] : []),
  );
}
