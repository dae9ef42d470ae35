/** A camera's picture on a canvas: decodes frames, matches them with predictions, paints both together. */

import { marksOf } from "./marks.js";
import { fitPicture } from "./labels.js";
import { FrameMatcher } from "./matching.js";
import { drawMarks } from "./overlay.js";
import { paintSoon } from "./schedule.js";
import { frameKey } from "./wire.js";

const BAR_HEIGHT = 40;

/**
 * Events: `painted` {frame, predictions, marks, repeated}; `repeated` when the same frame was painted again because its
 * predictions came late.
 */
export class Picture extends EventTarget {
  matcher = new FrameMatcher();
  #canvas;
  #context;
  #clock;
  #view;
  #bar;
  #next = null;
  #shown = null;
  #timer = 0;
  #paint = () => this.#paintNext();
  #repaint = () => this.#shown && this.#draw(this.#shown);

  /**
   * @param clock the server's clock
   * @param view {mode, boxes, labels, scores}
   * @param {{bar: boolean}} options `bar` when text lies over the foot of the picture
   */
  constructor(canvas, clock, view, { bar }) {
    super();
    this.#bar = bar ? BAR_HEIGHT : 0;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    this.#clock = clock;
    this.setView(view);
  }

  /** Takes a received frame. Resolves when it is decoded (or found broken), so that it can be acknowledged. */
  async receive(header, jpeg) {
    const ticket = this.matcher.ticket(performance.now());
    let bitmap;
    try {
      bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    } catch {
      return;
    }
    this.matcher.addFrame({ ...header, bitmap }, ticket, performance.now());
    this.#advance();
  }

  predict(prediction) {
    this.matcher.addPrediction(prediction, performance.now());
    if (this.#shown && frameKey(prediction.frame) === frameKey(this.#shown)) paintSoon(this.#paintLate);
    else if (this.#view.mode === "live") this.redraw();
    this.#advance();
  }

  setView(view) {
    this.#view = view;
    this.matcher.mode = view.mode;
    this.#advance();
    this.redraw();
  }

  /** The canvas takes the size of its element, in device pixels. */
  resize(width, height, scale) {
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#repaint();
  }

  redraw() {
    paintSoon(this.#repaint);
  }

  /** Lets go of frames that wait; the one that is shown stays. */
  drop() {
    clearTimeout(this.#timer);
    for (const frame of this.matcher.clear()) frame.bitmap.close();
    this.#next?.bitmap.close();
    this.#next = null;
  }

  #paintLate = () => {
    if (this.#shown) this.#emit(this.#shown, this.#draw(this.#shown), true);
  };

  #advance() {
    clearTimeout(this.#timer);
    const now = performance.now();
    const { frame, dropped } = this.matcher.next(now);
    for (const old of dropped) old.bitmap.close();
    if (frame) {
      this.#next?.bitmap.close();
      this.#next = frame;
      paintSoon(this.#paint);
    }
    const { deadline } = this.matcher;
    if (deadline !== null) this.#timer = setTimeout(() => this.#advance(), Math.max(1, deadline - now));
  }

  #paintNext() {
    if (!this.#next) return;
    this.#shown?.bitmap.close();
    this.#shown = this.#next;
    this.#next = null;
    this.#emit(this.#shown, this.#draw(this.#shown), false);
  }

  #draw(frame) {
    const { width, height } = this.#canvas;
    const picture = fitPicture(frame.bitmap.width, frame.bitmap.height, width, height);
    if (picture.w < width - 1 || picture.h < height - 1) this.#context.clearRect(0, 0, width, height);
    this.#context.drawImage(frame.bitmap, picture.x, picture.y, picture.w, picture.h);
    const marks = this.#view.boxes ? marksOf(frame, this.matcher, this.#view.mode, this.#clock.now) : [];
    const scale = width / (this.#canvas.clientWidth || width);
    const bar = { x: 0, y: height - this.#bar * scale, w: width, h: this.#bar * scale };
    drawMarks(this.#context, marks, picture, { ...this.#view, scale, taken: [bar] });
    return marks;
  }

  #emit(frame, marks, repeated) {
    const predictions = this.matcher.predictionsFor(frame);
    this.dispatchEvent(new CustomEvent("painted", { detail: { frame, predictions, marks, repeated } }));
  }
}
