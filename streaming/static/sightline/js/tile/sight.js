/**
 * Which elements are on the screen and how large they are: one observer of each kind for all tiles.
 */

const NEAR = "160px";
const onSight = new WeakMap();
const onSize = new WeakMap();

const sight = new IntersectionObserver(
  (entries) =>
    entries.forEach(({ target, isIntersecting }) => onSight.get(target)?.(isIntersecting)),
  { rootMargin: NEAR },
);
const size = new ResizeObserver((entries) =>
  entries.forEach(({ target, contentRect }) => onSize.get(target)?.(contentRect)),
);

/**
 * @param {(isOnScreen: boolean) => void} tell called now and when an element comes near the screen
 * or leaves it
 */
export function observeSight(element, tell) {
  onSight.set(element, tell);
  sight.observe(element);
}

/**
 * @param {(size: {width: number, height: number}) => void} tell called now and when it changes: CSS
 * pixels, 0 while hidden
 */
export function observeSize(element, tell) {
  onSize.set(element, tell);
  size.observe(element);
}
