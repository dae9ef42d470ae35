/**
 * One steady colour per label or model: the same word has the same colour on every page and on
 * every day.
 */

export const PALETTE = [
  "#35d0ba",
  "#f5b544",
  "#7aa2ff",
  "#ff8fb1",
  "#b5e655",
  "#b79bff",
  "#ff9f66",
  "#5cc8f5",
  "#f4e04d",
  "#e58bff",
  "#6fe3a0",
  "#e0c097",
];

const IRREGULAR = { people: "person" };

// FNV-1a. This start value gives the most common labels colours that are all different.
const START = 0x8151c114;

/** "faces" has the colour of "face". */
function singular(word) {
  const lower = word.toLowerCase();
  return IRREGULAR[lower] ?? lower.replace(/s$/, "");
}

/** @param {string} word a label, or the name of a model */
export function colourOf(word) {
  let hash = START;
  for (const character of singular(word))
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return PALETTE[((hash ^ (hash >>> 15)) >>> 0) % PALETTE.length];
}
