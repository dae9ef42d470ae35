/** Where the text of a box goes. Pure geometry, in pixels. */

// Rectangles that share no more than an edge do not overlap, whatever rounding says.
const TOUCH = 0.5;

const overlaps = (a, b) =>
  a.x < b.x + b.w - TOUCH && b.x < a.x + a.w - TOUCH && a.y < b.y + b.h - TOUCH && b.y < a.y + a.h - TOUCH;
const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/**
 * Above the box; inside it when it does not fit above; never clipped by `bounds`. Where another label is in the way it
 * moves along the box, above that label or below the box before it covers what is in the box.
 * @param {{box: Rect, size: {w: number, h: number}}[]} items Rect is {x, y, w, h}
 * @param {Rect} bounds the picture
 * @param {Rect[]} taken areas to keep free where possible
 * @returns {Rect[]} one for each item, in order
 */
export function placeLabels(items, bounds, taken = []) {
  const placed = [...taken];
  return items.map(({ box, size }) => {
    const fitting = candidates(box, size, bounds).map(({ x, y }) => ({
      x: clamp(x, bounds.x, bounds.x + bounds.w - size.w),
      y: clamp(y, bounds.y, bounds.y + bounds.h - size.h),
      ...size,
    }));
    const rect = fitting.find((place) => !placed.some((other) => overlaps(place, other))) ?? fitting[0];
    placed.push(rect);
    return rect;
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
  ];
  const inside = [
    { x: box.x, y: top },
    { x: right, y: top },
    { x: box.x, y: bottom },
  ];
  const below = [
    { x: box.x, y: box.y + box.h },
    { x: right, y: box.y + box.h },
  ];
  const fits = ({ y }) => y >= bounds.y && y + h <= bounds.y + bounds.h;
  const wanted = fits(above[0]) ? [...above, ...below, ...inside] : [...inside, ...below];
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
 * The part of a picture that shows a box with some of its surroundings, in the shape of a thumbnail.
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
