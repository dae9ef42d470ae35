/** The layout of the wall that is open, between the page and the server. */

import { sendJson } from "../core/post.js";
import { preferences } from "../core/prefs.js";

const DRAWN = ["boxes", "labels", "scores", "mode", "threshold", "hiddenModels", "hiddenLabels"];

/** What a saved layout sets of the preferences. Pure. */
export const preferencesOf = ({ columns, tiles, cycle, drawn }) => ({
  columns: columns || "auto",
  tiles: tiles || "auto",
  cycle,
  ...Object.fromEntries(
    DRAWN.filter((name) => Object.hasOwn(drawn, name)).map((name) => [name, drawn[name]]),
  ),
});

/** What of the preferences a layout keeps, as the server wants it. Pure. */
export const fieldsOf = (view, group) => ({
  group: group || null,
  columns: Number(view.columns) || 0,
  tiles: Number(view.tiles) || 0,
  cycle: Number(view.cycle) || 0,
  drawn: Object.fromEntries(DRAWN.map((name) => [name, view[name]])),
});

/** Whether these fields would change the layout. Pure. */
export function differs(layout, fields) {
  const kept = fieldsOf({ ...fields.drawn, ...preferencesOf(layout) }, layout.group);
  return JSON.stringify(kept) !== JSON.stringify(fields);
}

/** Event: `change` after it was saved. */
export class OpenLayout extends EventTarget {
  /** As the server keeps it; null when the wall of all cameras is open. */
  saved;
  #board;

  constructor(saved, board) {
    super();
    this.saved = saved;
    this.#board = board;
    if (saved) preferences.layOver(preferencesOf(saved));
  }

  get isChanged() {
    return this.saved !== null && differs(this.saved, this.#fields);
  }

  /** Only the cameras that were chosen, not those that are added later. */
  get isChosen() {
    return this.saved?.others === false;
  }

  async save() {
    await this.#patch({ ...this.#fields, cameras: this.#cameras(this.isChosen) });
  }

  /** @returns {Promise<object>} the new layout, which is not open yet */
  async saveAs(name) {
    const fields = {
      ...this.#fields,
      name,
      cameras: this.#cameras(this.isChosen),
      others: !this.isChosen,
    };
    return sendJson("POST", "/layouts/", fields);
  }

  async change(fields) {
    await this.#patch(fields);
  }

  /** The order of the cameras alone, of whatever is open. */
  async saveOrder() {
    const cameras = this.#cameras(this.isChosen);
    if (this.saved) await this.#patch({ cameras });
    else await sendJson("PATCH", "/layouts/everyday/", { cameras });
  }

  /** @param {Set<string>} cameras those to be shown; @param {boolean} isChosen these only */
  async choose(cameras, isChosen) {
    this.#board.setIncluded(cameras);
    await this.#patch({ cameras: this.#cameras(isChosen), others: !isChosen });
  }

  async remove() {
    await sendJson("DELETE", this.#address);
  }

  get #address() {
    return `/layouts/${this.saved.id}/`;
  }

  get #fields() {
    return fieldsOf(preferences.all, this.#board.group);
  }

  #cameras(isChosen) {
    const all = this.#board.order.map(({ dataset }) => dataset.camera);
    return isChosen ? all.filter((camera) => this.#board.included.has(camera)) : all;
  }

  async #patch(fields) {
    this.saved = await sendJson("PATCH", this.#address, fields);
    this.dispatchEvent(new CustomEvent("change"));
  }
}
