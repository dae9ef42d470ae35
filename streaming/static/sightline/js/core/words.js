/** Words as people look for them. Pure. */

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** True when every word of `query` is in `text`; case and accents do not count. */
export const matches = (text, query) =>
  folded(query)
    .split(/\s+/)
    .every((word) => folded(text).includes(word));
