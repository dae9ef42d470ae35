/** Which cameras a wall shows, and on which page. Pure. */

import { matches } from "../core/words.js";

export const MAX_TILES = 64;

/**
 * The cameras of the open layout and group that a search finds; when it finds none there, those
 * that it finds anywhere.
 * @param {{name: string, camera: string, groups: string[], included: boolean}[]} cameras in order
 * @returns {{found: any[], isElsewhere: boolean}}
 */
export function chooseCameras(cameras, { query = "", group = "" } = {}) {
  const here = cameras.filter((each) => each.included && (!group || each.groups.includes(group)));
  if (!query) return { found: here, isElsewhere: false };
  const isMatch = ({ name, camera }) => matches(`${name} ${camera}`, query);
  const found = here.filter(isMatch);
  if (found.length) return { found, isElsewhere: false };
  const anywhere = cameras.filter(isMatch);
  return { found: anywhere, isElsewhere: anywhere.length > 0 };
}

/** @param {"auto" | number | string} choice of tiles on a page; @returns {number} 1 to 64 */
export const tilesPerPage = (choice) =>
  Math.min(Math.max(Math.floor(Number(choice)) || MAX_TILES, 1), MAX_TILES);

export const pageCount = (count, tiles) => Math.max(1, Math.ceil(count / tiles));

/** A page number, from 0, brought into the pages that there are: after the last comes the first. */
export const wrapPage = (page, pages) => ((page % pages) + pages) % pages;

/** The items of a page. */
export const pageOf = (items, page, tiles) => items.slice(page * tiles, (page + 1) * tiles);

/**
 * A new order in which `item` has the place of `other`, one of those that are shown; what lies
 * between moves up.
 * @returns {object[]} the same array when nothing changes
 */
export function moveTo(order, item, other) {
  const from = order.indexOf(item);
  const to = order.indexOf(other);
  if (from < 0 || to < 0 || from === to) return order;
  const rest = order.filter((each) => each !== item);
  rest.splice(to, 0, item);
  return rest;
}
