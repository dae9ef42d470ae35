/** How many columns a wall has, and how high its tiles may be. Pure. */

/** What a tile needs to be read; below that the page scrolls. */
const MIN_WIDTH = 160;
const MIN_HEIGHT = 88;
/** What is comfortable where the page scrolls anyway. */
const SCROLLED_WIDTH = 240;
const MIN_CHOSEN = 150;
const MAX_COLUMNS = 16;
/** A picture that takes this much of its column leaves no gap worth mentioning. */
const WELL_FILLED = 0.9;

/**
 * @param {"auto" | number | string} choice of the viewer
 * @param {number[]} aspects width / height of each tile, in order
 * @param {{width: number, height: number, gap: number}} room in pixels: what is to be filled
 *   without scrolling
 * @returns {{columns: number, tileHeight: number}} `tileHeight` is the most that a tile may have
 */
export function gridFor(choice, aspects, room) {
  const chosen = Number(choice);
  if (chosen >= 1)
    return { columns: Math.min(chosen, mostColumns(room, MIN_CHOSEN)), tileHeight: room.height };
  return bestGrid(aspects, room) ?? scrolledGrid(aspects, room);
}

/**
 * All tiles in sight with as much picture as there can be, or null when they would be too small.
 */
function bestGrid(aspects, room) {
  let best = null;
  const most = Math.min(mostColumns(room, MIN_WIDTH), MAX_COLUMNS, Math.max(aspects.length, 1));
  for (let columns = 1; columns <= most; columns += 1) {
    const rows = Math.ceil(aspects.length / columns);
    const tileHeight = Math.floor((room.height - room.gap * (rows - 1)) / rows);
    if (tileHeight < MIN_HEIGHT) continue;
    const worth = worthOf(aspects, (room.width - room.gap * (columns - 1)) / columns, tileHeight);
    // A little more picture is not worth another shape of the wall.
    if (!best || worth > best.worth * 1.01) best = { columns, tileHeight, worth };
  }
  return best && { columns: best.columns, tileHeight: best.tileHeight };
}

function scrolledGrid(aspects, room) {
  const columns = Math.min(
    mostColumns(room, SCROLLED_WIDTH),
    MAX_COLUMNS,
    Math.max(aspects.length, 1),
  );
  return { columns, tileHeight: room.height };
}

// The area of all pictures, and less of those that leave a part of their column empty.
function worthOf(aspects, width, height) {
  return aspects.reduce((sum, aspect) => {
    const shownWidth = Math.min(width, height * aspect);
    return (
      sum + ((shownWidth * shownWidth) / aspect) * Math.min(1, shownWidth / width / WELL_FILLED)
    );
  }, 0);
}

const mostColumns = ({ width, gap }, least) =>
  Math.max(1, Math.floor((width + gap) / (least + gap)));
