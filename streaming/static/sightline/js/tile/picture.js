/**
 * A camera's picture on a canvas: decodes frames, matches them with predictions, paints both
 * together.
 */

import { filtersOf } from "../core/filters.js";
import { marksOf } from "./marks.js";
import { fitPicture } from "./labels.js";
import { FrameMatcher } from "./matching.js";
import { drawMarks } from "./overlay.js";
import { paintSoon } from "./schedule.js";
import { frameKey } from "../core/wire.js";

const BAR_HEIGHT = 40;

/**
 * Events: `painted` {frame, predictions, marks, repeated}; `repeated` when the same frame was
 * painted again because its predictions came late.
 */
export class Picture extends EventTarget {
  matcher = new FrameMatcher();
  #canvas;
  #context;
  #clock;
  #view;
  #filters;
  #scale = 1;
  #bar;
  #next = null;
  #shown = null;
  #timer = 0;
  #paint = () => this.#paintNext();
  #repaint = () => this.#shown && this.#draw(this.#shown);

  /**
   * @param {HTMLCanvasElement} canvas
   * @param clock the server's clock
   * @param view mode, boxes, labels, scores, threshold, hiddenModels, hiddenLabels
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

  /**
   * Takes a received frame. Resolves when it is decoded (or found broken), so that it can be
   * acknowledged.
   */
  async receive(header, jpeg) {
    const ticket = this.matcher.ticket(performance.now());
    let bitmap;
    try {
      bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    } catch {
      return;
    }
    if (!this.#canvas.width) return bitmap.close();
    this.matcher.addFrame({ ...header, bitmap }, ticket, performance.now());
    this.#advance();
  }

  predict(prediction) {
    this.matcher.addPrediction(prediction, performance.now());
    if (this.#shown && frameKey(prediction.frame) === frameKey(this.#shown))
      paintSoon(this.#paintLate);
    else if (this.#view.mode === "live") this.redraw();
    this.#advance();
  }

  setView(view) {
    this.#view = view;
    this.#filters = filtersOf(view);
    this.matcher.mode = view.mode;
    this.matcher.hides = this.#filters.hidesModel;
    this.#advance();
    this.redraw();
  }

  /**
   * The canvas takes the size of its element, in device pixels. One that has no size keeps no
   * picture.
   */
  resize(width, height, scale) {
    this.#scale = scale;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    if (this.#canvas.width && this.#canvas.height) return this.#repaint();
    this.drop();
    this.#shown?.bitmap.close();
    this.#shown = null;
  }

  redraw() {
    paintSoon(this.#repaint);
  }

  /**
   * The frame that is shown, at its own size, on a canvas of its own; `boxes` with what the viewer
   * has chosen to see on it.
   * @returns {{canvas: HTMLCanvasElement, capturedAt: number} | null} null when none is shown
   */
  still(boxes) {
    if (!this.#shown) return null;
    const { bitmap, captured_at: capturedAt } = this.#shown;
    const canvas = Object.assign(document.createElement("canvas"), {
      width: bitmap.width,
      height: bitmap.height,
    });
    const scale = (this.#scale * bitmap.width) / this.#canvas.width;
    const context = canvas.getContext("2d", { alpha: false });
    this.#drawOn(context, this.#shown, { boxes: boxes && this.#view.boxes, scale, bar: 0 });
    return { canvas, capturedAt };
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
    if (deadline !== null)
      this.#timer = setTimeout(() => this.#advance(), Math.max(1, deadline - now));
  }

  #paintNext() {
    if (!this.#next) return;
    this.#shown?.bitmap.close();
    this.#shown = this.#next;
    this.#next = null;
    this.#emit(this.#shown, this.#draw(this.#shown), false);
  }

  #draw(frame) {
    return this.#drawOn(this.#context, frame, {
      boxes: this.#view.boxes,
      scale: this.#scale,
      bar: this.#bar,
    });
  }

  #drawOn(context, frame, { boxes, scale, bar }) {
    const { width, height } = context.canvas;
    const picture = fitPicture(frame.bitmap.width, frame.bitmap.height, width, height);
    if (picture.w < width - 1 || picture.h < height - 1) context.clearRect(0, 0, width, height);
    context.drawImage(frame.bitmap, picture.x, picture.y, picture.w, picture.h);
    const marks = boxes
      ? marksOf(frame, this.matcher, this.#view.mode, this.#clock.now, this.#filters)
      : [];
    const foot = { x: 0, y: height - bar * scale, w: width, h: bar * scale };
    drawMarks(context, marks, picture, { ...this.#view, scale, taken: [foot] });
    return marks;
  }

  #emit(frame, marks, repeated) {
    const predictions = this.matcher.predictionsFor(frame);
    this.dispatchEvent(
      new CustomEvent("painted", { detail: { frame, predictions, marks, repeated } }),
    );
  }
}
