/** The widths at which frames are asked for: few, so that viewers share what the server encodes. */

const WIDTHS = [160, 320, 480, 640, 960, 1280, 1920];

/** The smallest of them that fills `pixels`. */
export const watchWidth = (pixels) =>
  WIDTHS.find((width) => width >= Math.round(pixels)) ?? WIDTHS.at(-1);
