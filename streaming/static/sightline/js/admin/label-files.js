/** Lists of names may come from a file: read here, into the field. */

import { element } from "../core/dom.js";

const MAX_BYTES = 4 * 1024 * 1024;

export function wordFiles(root) {
  for (const field of root.querySelectorAll("textarea[data-words]")) field.after(chooser(field));
}

function chooser(field) {
  const input = element("input", {
    type: "file",
    accept: ".txt,.json,.names,.labels,text/plain,application/json",
    hidden: true,
  });
  const button = element("button", { type: "button", class: "mf-link" }, "From a file …");
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async (event) => {
    event.stopPropagation();
    const file = input.files[0];
    if (!file) return;
    field.value = file.size > MAX_BYTES ? field.value : await file.text();
    input.value = "";
  });
  return element("span", {}, button, input);
}
