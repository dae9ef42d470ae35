/**
 * The page of a model version: shows the fields of what was chosen, and asks the server while it is
 * filled in.
 */

import { cameraPicker } from "./camera-picker.js";
import { describeButton } from "./describe.js";
import { wordFiles } from "./label-files.js";
import { optionsMode } from "./options-mode.js";
import { Page } from "./page.js";
import { showParts } from "./parts.js";
import { tryIt } from "./try-out.js";

const root = document.querySelector("[data-model-form]");
if (root) {
  const page = new Page(root);
  root.classList.add("mf-live");
  const refresh = () => showParts(page);
  page.form.addEventListener("change", refresh);
  optionsMode(page, refresh);
  describeButton(page, refresh);
  wordFiles(root);
  tryIt(page);
  for (const select of root.querySelectorAll("select[data-picker]")) cameraPicker(select);
  refresh();
}
