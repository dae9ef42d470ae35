/** Where the text of a box goes. Pure geometry, in pixels. */

/**
 * What it costs to cover another label, to cover what is in a box, and to be further down in the
 * list of places.
 */
const OVER_LABEL = 10;
const INSIDE = 0.5;
const LATER = 0.02;
/** With more boxes than these, labels only keep clear of each other. */
const MAX_BOXES = 48;

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** The part of `b` that `a` covers, 0 to 1. */
function covered(a, b) {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? (w * h) / Math.max(1, b.w * b.h) : 0;
}

/**
 * Above the box; inside it when it does not fit above; never clipped by `bounds`. Where another
 * label or another object is in the way it moves along the box, above that label or below the box
 * before it covers what is in a box.
 * @typedef {{x: number, y: number, w: number, h: number}} Rect
 * @param {{box: Rect, size: {w: number, h: number}}[]} items
 * @param {Rect} bounds the picture
 * @param {Rect[]} taken areas to keep free where possible
 * @returns {Rect[]} one for each item, in order
 */
export function placeLabels(items, bounds, taken = []) {
  const placed = [...taken];
  const boxes = items.length > MAX_BOXES ? [] : items.map(({ box }) => box);
  return items.map(({ box, size }) => {
    const others = boxes.filter((other) => other !== box);
    let best = null;
    candidates(box, size, bounds).forEach(({ x, y, isInside }, index) => {
      const place = {
        x: clamp(x, bounds.x, bounds.x + bounds.w - size.w),
        y: clamp(y, bounds.y, bounds.y + bounds.h - size.h),
        ...size,
      };
      let cost = index * LATER + (isInside ? INSIDE : 0);
      for (const other of placed) cost += covered(other, place) * OVER_LABEL;
      for (const other of others) cost += covered(place, other);
      if (!best || cost < best.cost) best = { place, cost };
    });
    placed.push(best.place);
    return best.place;
  });
}

/** Places in order of preference, those outside the picture left out. */
function candidates(box, { w, h }, bounds) {
  const right = box.x + box.w - w;
  const top = box.h >= h ? box.y : box.y + box.h;
  const bottom = box.y + box.h - h;
  const above = [
    { x: box.x, y: box.y - h },
    { x: right, y: box.y - h },
    { x: box.x, y: box.y - 2 * h },
    { x: right, y: box.y - 2 * h },
  ];
  const inside = [
    { x: box.x, y: top },
    { x: right, y: top },
    { x: box.x, y: bottom },
  ];
  const below = [
    { x: box.x, y: box.y + box.h },
    { x: right, y: box.y + box.h },
    { x: box.x, y: box.y + box.h + h },
    { x: right, y: box.y + box.h + h },
  ];
  const fits = ({ y }) => y >= bounds.y && y + h <= bounds.y + bounds.h;
  const covering = inside.map((place) => ({ ...place, isInside: true }));
  const wanted = fits(above[0]) ? [...above, ...below, ...covering] : [...inside, ...below];
  const found = wanted.filter(fits);
  return found.length ? found : [{ x: box.x, y: box.y }];
}

/** The largest rectangle of a given shape within a canvas, centred. */
export function fitPicture(pictureWidth, pictureHeight, width, height) {
  const scale = Math.min(width / pictureWidth, height / pictureHeight);
  const w = pictureWidth * scale;
  const h = pictureHeight * scale;
  return { x: (width - w) / 2, y: (height - h) / 2, w, h };
}

/**
 * The part of a picture that shows a box with some of its surroundings, in the shape of a
 * thumbnail.
 * @returns {Rect} in pixels of the picture
 */
export function cropFor(box, width, height, aspect) {
  const [x0, y0, x1, y1] = box ?? [0, 0, 1, 1];
  const margin = 1.3;
  let w = Math.max((x1 - x0) * width * margin, (y1 - y0) * height * margin * aspect, 24);
  w = Math.min(w, width, height * aspect);
  const h = w / aspect;
  return {
    x: clamp(((x0 + x1) / 2) * width - w / 2, 0, width - w),
    y: clamp(((y0 + y1) / 2) * height - h / 2, 0, height - h),
    w,
    h,
  };
}
