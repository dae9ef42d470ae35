/**
 * One camera on a page: asks for its frames while it is looked at, shows them, and says what is
 * true about them.
 */

import { colourOf } from "../core/colours.js";
import { element, setText } from "../core/dom.js";
import { filtersOf } from "../core/filters.js";
import { formatAge, formatMoment } from "../core/format.js";
import { describeModel, keyOf, modelName } from "../core/model-states.js";
import { Picture } from "./picture.js";
import { observeSight, observeSize } from "./sight.js";
import { describe, showsNothingNew } from "./states.js";
import { Window, quantile } from "../core/stats.js";
import { watchWidth } from "./widths.js";

const RESIZE_MS = 250;
const MAX_CHIPS = 3;
const REDUCED_MS = 2000;

/**
 * Events: `painted` (see Picture), `state` {before, truth} when the shown state changes, `shape`
 * when the picture's aspect does. Times are milliseconds by this machine's clock
 * (`ServerClock.local`).
 */
export class Tile extends EventTarget {
  picture;
  status = null;
  truth = null;
  #element;
  #parts;
  #socket;
  #fps;
  #onScreen = false;
  #looking = true;
  #size = { width: 0, height: 0 };
  #aspect = 0;
  #resizing = 0;
  #asked = 0;
  #reducedAt = 0;
  #watched = 0;
  #painted = 0;
  #count = 0;
  #rate = new Window(2000);
  #ages = new Window(2000);
  #chips = new Map();
  #hidesModel;
  #said = new Map();

  /**
   * @param {HTMLElement} root has `data-camera`, `-name`, `-enabled`, `-width`, `-height` and the
   * parts of a tile
   */
  constructor(root, socket, view, { fps = 10, bar = true } = {}) {
    super();
    this.#element = root;
    this.#socket = socket;
    this.#fps = fps;
    this.#parts = Object.fromEntries(
      [...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
    );
    this.picture = new Picture(this.#parts.picture, socket.clock, view, { bar });
    this.picture.addEventListener("painted", (event) => this.#onPainted(event.detail));
    this.#hidesModel = filtersOf(view).hidesModel;
    root.querySelectorAll("[data-model]").forEach((chip) => this.#adopt(chip));
    this.#shape(Number(root.dataset.width), Number(root.dataset.height));
    this.#observe();
    this.tick();
  }

  get camera() {
    return this.#element.dataset.camera;
  }

  get name() {
    return this.#element.dataset.name;
  }

  /** The address of the camera's own page. */
  get link() {
    return this.#parts.link?.getAttribute("href") ?? location.pathname;
  }

  /**
   * What the server says the camera does, whether or not this tile is looked at; null before it
   * spoke.
   */
  get reported() {
    return this.status?.state ?? (this.#element.dataset.enabled === "false" ? "disabled" : null);
  }

  /** `ok`, `warn`, `bad`, `wait` or `off`. */
  get kind() {
    return this.truth.kind;
  }

  receive(header, jpeg) {
    const acknowledge = () => this.#socket.acknowledge(this.camera, header.seq);
    if (!this.#isWanted || document.hidden) return acknowledge();
    this.picture.receive(header, jpeg).then(acknowledge);
  }

  predict(prediction) {
    this.#addModel(prediction);
    this.picture.predict(prediction);
  }

  /** How a model does that looks at this camera: its chip says so when it does not simply work. */
  reportModel(said) {
    this.#said.set(modelName(said), said);
    this.#showModel(modelName(said));
  }

  report(status) {
    const before = this.status;
    this.status = status;
    this.dispatchEvent(new CustomEvent("reported", { detail: { before, status } }));
    if (status.width && status.height) this.#shape(status.width, status.height);
    this.tick();
  }

  /** The viewer wants to see other things, see prefs.js. */
  setView(view) {
    this.picture.setView(view);
    this.#hidesModel = filtersOf(view).hidesModel;
    for (const name of this.#chips.keys()) this.#showModel(name);
  }

  /** The page is in front of somebody, or it is not. */
  setLooking(looking) {
    this.#looking = looking;
    this.#follow();
  }

  /** The socket is open again: what is shown counts as old until a new picture comes. */
  restart() {
    if (!this.#isWanted) return;
    this.#watched = this.#socket.clock.local;
    this.tick();
  }

  /** Brings words and numbers up to date; called about twice a second. */
  tick() {
    this.#tell(describe(this.#facts(), this.#socket.clock.local));
    if (this.#isWanted) this.#showNumbers();
  }

  /**
   * The rate (1/s) at which pictures are painted, and the middle age (ms) of those of the last 2 s.
   */
  numbers() {
    const now = performance.now();
    return { rate: this.#rate.rate(now), age: quantile(this.#ages.values(now), 0.5) };
  }

  get #isWanted() {
    return this.#onScreen && this.#looking;
  }

  #facts() {
    const now = this.#socket.clock.local;
    return {
      state: this.reported,
      since: this.#since,
      detail: this.status?.detail ?? "",
      cause: this.status?.cause ?? "",
      administers: document.body.hasAttribute("data-administers"),
      connected: this.#socket.connected || this.#socket.isFirstTry,
      kafka: this.#socket.kafka,
      // Where no pictures are asked for, none are missing.
      painted: this.#isWanted ? this.#painted : now,
      watched: (this.#isWanted && this.#watched) || now,
    };
  }

  /**
   * On a slow line the server sends smaller pictures than were asked for; those on their way after
   * a change do not count.
   */
  get isReduced() {
    return this.#reducedAt > 0 && this.#socket.clock.local - this.#reducedAt > REDUCED_MS;
  }

  get #since() {
    return this.status?.since ? this.status.since - this.#socket.clock.offset : 0;
  }

  #observe() {
    observeSight(this.#element, (isOnScreen) => {
      this.#onScreen = isOnScreen;
      this.#follow();
    });
    observeSize(this.#parts.picture, (size) => this.#resize(size));
  }

  #resize({ width, height }) {
    this.#size = { width, height };
    this.picture.resize(width, height, devicePixelRatio);
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => this.#follow(), RESIZE_MS);
  }

  #follow() {
    if (!this.#isWanted || this.#size.width === 0) {
      if (!this.#isWanted && this.#watched) this.#leave();
      return;
    }
    if (this.#watched === 0) this.restart();
    this.#asked = watchWidth(this.#size.width * devicePixelRatio);
    this.#socket.watch(this.camera, this.#fps, this.#asked);
  }

  #leave() {
    this.#socket.unwatch(this.camera);
    this.picture.drop();
    this.#watched = 0;
    // Frames that were missing here say nothing about the camera.
    if (this.truth.state === "stale") this.truth = null;
    this.tick();
  }

  #shape(width, height) {
    if (!(width > 0 && height > 0)) return;
    // Scaled frames are rounded to whole pixels: a difference that small is no other shape.
    if (Math.abs(this.#aspect / (width / height) - 1) < 0.02) return;
    this.#aspect = width / height;
    this.#element.style.setProperty("--aspect", `${width} / ${height}`);
    Object.assign(this.#element.dataset, { width, height });
    this.dispatchEvent(new CustomEvent("shape"));
  }

  #onPainted(painted) {
    const { frame, marks, repeated } = painted;
    const age = Math.max(0, this.#socket.clock.now - frame.captured_at / 1e6);
    if (!repeated) this.#countFrame(frame, age);
    if (frame.traced && !repeated)
      this.#socket.tellPainted(this.camera, frame.seq, this.#socket.clock.now);
    if (!this.#aspect) this.#shape(frame.width, frame.height);
    const boxes = marks.map(({ model, detection }) => ({ model, ...detection }));
    const { seq, captured_at, width, height } = frame;
    const detail = { camera: this.camera, seq, captured_at, width, height, boxes, repeated, age };
    this.#element.dispatchEvent(new CustomEvent("sightline:painted", { bubbles: true, detail }));
    this.dispatchEvent(new CustomEvent("painted", { detail: { ...painted, age } }));
  }

  #countFrame(frame, age) {
    this.#painted = this.#socket.clock.local;
    this.#count += 1;
    const isReduced = frame.width < Math.min(this.#asked, this.status?.width ?? 0);
    this.#reducedAt = isReduced ? this.#reducedAt || this.#painted : 0;
    this.#rate.add(1, performance.now());
    this.#ages.add(age, performance.now());
    Object.assign(this.#element.dataset, {
      seq: frame.seq,
      painted: this.#count,
      age: Math.round(age),
    });
    if (!this.truth?.alive) this.tick();
  }

  #tell(truth) {
    const before = this.truth;
    this.truth = truth;
    const { notice, title, detail, hint } = this.#parts;
    this.#element.dataset.state = truth.state;
    this.#element.dataset.kind = truth.kind;
    this.#element.classList.toggle("is-alive", truth.alive && this.#isWanted);
    notice.hidden = !truth.title;
    if (title.textContent !== truth.title) title.textContent = truth.title;
    if (detail.textContent !== truth.detail) detail.textContent = truth.detail;
    if (hint.textContent !== truth.hint) hint.textContent = truth.hint;
    if (before?.state !== truth.state)
      this.dispatchEvent(new CustomEvent("state", { detail: { before, truth } }));
  }

  #showNumbers() {
    if (!this.#parts.numbers) return;
    const { rate, age } = this.numbers();
    const line = this.isReduced ? "slow line · " : "";
    if (this.#parts.rate)
      setText(this.#parts.rate, this.truth.alive ? `${line}${Math.round(rate)} fps · ` : "");
    setText(this.#parts.numbers, this.truth.alive ? formatAge(age) : this.#lastSeen());
  }

  #lastSeen() {
    if (this.#painted && !showsNothingNew(this.truth.state))
      return `last picture ${formatMoment(this.#painted)}`;
    return this.#since && this.truth.title ? `since ${formatMoment(this.#since)}` : "";
  }

  #adopt(chip) {
    this.#chips.set(chip.dataset.model, chip);
    chip.style.setProperty("--colour", colourOf(chip.dataset.model.split(" ")[0]));
    // A chip that has something to say lies above the tile's link, so that its title can be read.
    chip.addEventListener("click", () => this.#parts.link?.click());
    this.#showModel(chip.dataset.model);
  }

  #showModel(name) {
    const chip = this.#chips.get(name);
    if (!chip) return;
    const trouble = describeModel(this.#said.get(name));
    setText(chip, trouble ? `${name} ${trouble.word}` : name);
    chip.title = trouble?.detail ?? "";
    chip.classList.toggle("is-hidden", this.#hidesModel(keyOf(name)));
    if (trouble) chip.dataset.kind = trouble.kind;
    else delete chip.dataset.kind;
  }

  #addModel({ model, version, role }) {
    const name = modelName({ model, version });
    if (
      role !== "live" ||
      this.#chips.has(name) ||
      !this.#parts.models ||
      this.#chips.size >= MAX_CHIPS
    )
      return;
    const chip = element("span", { class: "chip", "data-model": name }, name);
    this.#parts.models.append(chip);
    this.#adopt(chip);
  }
}
