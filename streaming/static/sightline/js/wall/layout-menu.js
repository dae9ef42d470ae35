/** The menu of layouts: choose, save, save as, rename, delete, and which cameras are in it. */

import { announce, toast } from "../core/banners.js";
import { setText } from "../core/dom.js";
import { closeMenus } from "../core/menu.js";
import { preferences } from "../core/prefs.js";
import { matches } from "../core/words.js";

const menu = () => document.querySelector("[data-layout-menu]");
const go = (id) => location.assign(`/?layout=${id}`);

/** Does it, and says what became of it. @returns {Promise<boolean>} whether it worked */
async function attempt(action, done = "") {
  try {
    await action();
  } catch (error) {
    toast(error.message);
    return false;
  }
  if (done) toast(done);
  return true;
}

export function bindLayoutMenu(layout, board) {
  const on = (name, listener) =>
    document.querySelectorAll(`[data-layout-${name}]`).forEach((button) =>
      button.addEventListener("click", () => {
        closeMenus();
        listener(button);
      }),
    );
  const showChanges = () => {
    for (const button of document.querySelectorAll("[data-layout-save]"))
      button.disabled = !layout.isChanged;
    document.querySelector("[data-layout-changed]").hidden = !layout.isChanged;
  };

  on("save", () => attempt(() => layout.save(), `“${layout.saved.name}” was saved.`));
  on("save-as", () =>
    askName("Save as a new layout", "", async (name) => go((await layout.saveAs(name)).id)),
  );
  on("rename", () =>
    askName("Rename the layout", layout.saved.name, (name) => rename(layout, name)),
  );
  on("cameras", () => askCameras(layout, board));
  on("default", () => toggleDefault(layout));
  on("delete", () => askDelete(layout));
  for (const button of document.querySelectorAll("dialog [data-close]"))
    button.addEventListener("click", () => button.closest("dialog").close());
  layout.addEventListener("change", showChanges);
  board.addEventListener("change", showChanges);
  preferences.addEventListener("change", showChanges);
  showChanges();
}

async function rename(layout, name) {
  await layout.change({ name });
  for (const place of document.querySelectorAll("[data-layout-title]"))
    setText(place, layout.saved.name);
  document.title = `${layout.saved.name} · Sightline`;
}

async function toggleDefault(layout) {
  const isDefault = !layout.saved.default;
  const { name } = layout.saved;
  const done = isDefault ? `The wall opens with “${name}”.` : "The wall opens with all cameras.";
  if (!(await attempt(() => layout.change({ default: isDefault }), done))) return;
  menu().querySelector("[data-layout-default]").setAttribute("aria-pressed", isDefault);
  for (const mark of menu().querySelectorAll("[data-default-mark]"))
    mark.hidden = mark.dataset.defaultMark !== String(layout.saved.id) || !isDefault;
}

function askName(title, name, onName) {
  const dialog = document.getElementById("layout-name");
  const input = dialog.querySelector("input");
  const error = dialog.querySelector("[role=alert]");
  setText(dialog.querySelector("h2"), title);
  setText(error, "");
  input.value = name;
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await onName(input.value);
      dialog.close();
    } catch (refusal) {
      setText(error, refusal.message);
      input.focus();
    }
  };
  dialog.showModal();
  input.select();
}

function askDelete(layout) {
  const dialog = document.getElementById("layout-delete");
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    if (await attempt(() => layout.remove())) go("all");
    dialog.close();
  };
  dialog.showModal();
}

function askCameras(layout, board) {
  const dialog = document.getElementById("layout-cameras");
  const boxes = [...dialog.querySelectorAll("[data-choice]")];
  const everything = dialog.querySelector("[data-everything]");
  const find = dialog.querySelector("input[type=search]");
  const show = () => {
    for (const box of boxes) {
      box.disabled = everything.checked;
      box.closest("li").hidden = !matches(box.closest("label").textContent, find.value.trim());
    }
  };
  for (const box of boxes) box.checked = board.included.has(box.dataset.choice);
  everything.checked = !layout.isChosen;
  everything.onchange = find.oninput = show;
  find.value = "";
  show();
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const chosen = boxes
      .filter((box) => everything.checked || box.checked)
      .map((box) => box.dataset.choice);
    const done = `“${layout.saved.name}” has ${chosen.length} camera${chosen.length === 1 ? "" : "s"}.`;
    if (!(await attempt(() => layout.choose(chosen, !everything.checked), done))) return;
    announce(done);
    dialog.close();
  };
  dialog.showModal();
}
