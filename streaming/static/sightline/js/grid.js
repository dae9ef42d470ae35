/** How many columns a wall has. Pure. */

const GAP = 12;
const LEAST_WIDTH = 240;
const LEAST_CHOSEN = 150;
const MOST_COLUMNS = 10;

/**
 * The fewest columns, and so the largest tiles, with all of them in sight; when that would make them too small, as
 * many as fit side by side, and the page scrolls.
 * @param {number[]} aspects width / height of each tile, in order
 * @param {number} width pixels to fill; @param {number} height pixels in sight
 */
export function bestColumns(aspects, width, height) {
  const most = Math.min(mostColumns(width, LEAST_WIDTH), MOST_COLUMNS, Math.max(aspects.length, 1));
  for (let columns = 1; columns < most; columns += 1) {
    if (gridHeight(aspects, columns, width) <= height) return columns;
  }
  return most;
}

/** What a viewer chose, or the best; never so many that tiles cannot be read. */
export function columnsFor(choice, aspects, width, height) {
  const chosen = Number(choice);
  return chosen >= 1 ? Math.min(chosen, mostColumns(width, LEAST_CHOSEN)) : bestColumns(aspects, width, height);
}

function gridHeight(aspects, columns, width) {
  const tileWidth = (width - GAP * (columns - 1)) / columns;
  let height = -GAP;
  for (let index = 0; index < aspects.length; index += columns) {
    height += GAP + tileWidth / Math.min(...aspects.slice(index, index + columns));
  }
  return height;
}

const mostColumns = (width, least) => Math.max(1, Math.floor((width + GAP) / (least + GAP)));
