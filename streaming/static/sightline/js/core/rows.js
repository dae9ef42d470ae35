/**
 * Keeps a list of elements the same as a list of things: what stays keeps its element, so that
 * nothing flickers or loses the focus.
 */

const kept = new WeakMap();

/**
 * @param {HTMLElement} parent holds the elements, and nothing else
 * @param {any[]} things
 * @param {(thing: any) => unknown} keyOf
 * @param {(thing: any) => {item: HTMLElement}} make the parts of a new element
 * @param {(parts: any, thing: any) => void} show
 */
export function fill(parent, things, keyOf, make, show) {
  if (!kept.has(parent)) kept.set(parent, new Map());
  const known = kept.get(parent);
  const keys = new Set(things.map(keyOf));
  for (const [key, parts] of known) {
    if (keys.has(key)) continue;
    parts.item.remove();
    known.delete(key);
  }
  things.forEach((thing, index) => {
    const key = keyOf(thing);
    const parts = known.get(key) ?? make(thing);
    known.set(key, parts);
    if (parent.children[index] !== parts.item)
      parent.insertBefore(parts.item, parent.children[index] ?? null);
    show(parts, thing);
  });
}
