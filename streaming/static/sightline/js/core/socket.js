/**
 * The one WebSocket of a page: reconnects for ever, watches again what was watched, and knows the
 * server's clock.
 */

import { backoff } from "./backoff.js";
import { ServerClock } from "./clock.js";
import { Wants } from "./wants.js";
import { parseFrame, parseModel, parsePrediction, parseStatus } from "./wire.js";

const PING_MS = 5000;
const SILENT_MS = 15_000;
const FIRST_PINGS_MS = [0, 150, 400, 900];

/**
 * Events: `open`, `close` {attempt, code}, `hello`, `frame` {header, jpeg}, `predictions`,
 * `status`, `model`, `error`, `system`. Listeners get the parsed message as `event.detail`.
 */
export class WallSocket extends EventTarget {
  clock = new ServerClock();
  connected = false;
  /** The page was just opened: not yet connected, but nothing was lost either. */
  isFirstTry = true;
  /** Whether the server can reach Kafka. */
  kafka = true;
  #url;
  #socket = null;
  #wants = new Wants();
  #asking = 0;
  #attempt = 0;
  #retry = 0;
  #timers = [];
  #heardAt = 0;
  #waiting = false;

  constructor(
    url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws/wall/`,
  ) {
    super();
    this.#url = url;
    addEventListener("online", () => this.hurry());
  }

  open() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", (event) => this.#received(event.data));
    socket.addEventListener("close", ({ code }) => this.#closed(socket, code));
    this.#socket = socket;
  }

  /** Try again at once instead of waiting: the network is back, or the page is looked at again. */
  hurry() {
    if (this.#retry && !this.connected && this.#socket?.readyState !== WebSocket.CONNECTING)
      this.open();
  }

  /** Asks for a camera's frames, or changes what was asked for. Lasts over reconnects. */
  watch(camera, fps, width) {
    if (this.#wants.watch(camera, fps, width)) this.#askSoon();
  }

  /** Asks for no pictures any more. */
  unwatch(camera) {
    if (this.#wants.unwatch(camera)) this.#askSoon();
  }

  /** Asks for the states of cameras, also while they are not watched. Lasts over reconnects. */
  follow(cameras) {
    this.#wants.follow(cameras);
    this.#askSoon();
  }

  /** Says that a frame was decoded or thrown away, so that the next may come. */
  acknowledge(camera, seq) {
    this.#send({ type: "ack", camera, seq });
  }

  /**
   * Says that a frame whose header asks for it is shown, and since when by the server's clock (ms).
   */
  tellPainted(camera, seq, at) {
    this.#send({ type: "painted", camera, seq, at });
  }

  // A page of tiles changes at once: what all of them want is asked for in one go.
  #askSoon() {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(
      () => this.connected && this.#wants.takeChanges().forEach((each) => this.#send(each)),
      0,
    );
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #opened() {
    this.connected = true;
    this.kafka = true;
    this.isFirstTry = false;
    this.#waiting = false;
    for (const message of this.#wants.takeAll()) this.#send(message);
    this.#timers = FIRST_PINGS_MS.map((delay) => setTimeout(() => this.#ping(), delay));
    this.#timers.push(setInterval(() => this.#ping(), PING_MS));
    this.#emit("open", {});
  }

  #closed(socket, code = 0) {
    if (socket !== this.#socket) return;
    this.connected = false;
    this.isFirstTry = false;
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
    this.#emit("close", { attempt: this.#attempt, code });
    this.#retry = setTimeout(() => this.open(), backoff(this.#attempt));
    this.#attempt += 1;
  }

  #ping() {
    if (this.#waiting && this.clock.local - this.#heardAt > SILENT_MS) {
      this.#socket.close();
      this.#closed(this.#socket);
      this.#socket = null;
      return;
    }
    if (!this.#waiting) this.#heardAt = this.clock.local;
    this.#waiting = true;
    this.#send({ type: "ping", t: this.clock.local });
  }

  #received(data) {
    this.#heardAt = this.clock.local;
    this.#waiting = false;
    try {
      if (data instanceof ArrayBuffer) this.#emit("frame", parseFrame(data));
      else this.#message(JSON.parse(data));
    } catch (error) {
      console.warn("Sightline: a message was not understood", error);
    }
  }

  #message(message) {
    switch (message.type) {
      case "hello":
        // Before this the server may still close it: to who is logged out, for one.
        this.#attempt = 0;
        this.clock.hint(message.now / 1e6);
        return this.#emit("hello", message);
      case "pong":
        return this.clock.sample(message.t, this.clock.local, message.now / 1e6);
      case "predictions":
        return this.#emit("predictions", parsePrediction(message));
      case "status":
        return this.#emit("status", parseStatus(message));
      case "model":
        return this.#emit("model", parseModel(message));
      case "system":
        this.kafka = message.kafka;
        return this.#emit("system", message);
      case "error":
        return this.#emit(message.type, message);
    }
  }
}
