/** The dialog that makes signed links to the camera's stream for players and other pages. */

import { copyText } from "../core/clipboard.js";
import { setText } from "../core/dom.js";
import { leftWords, linkText, steps } from "./link-words.js";
import { postForm } from "../core/post.js";

const TICK_MS = 500;
const COPIED_MS = 2500;

/** @param {{now: number}} clock the server's, in ms: it is the server that lets links expire */
export function bindStreamLinks(clock) {
  const dialog = document.getElementById("stream-link");
  const sheet = new LinkSheet(dialog, clock);
  document.querySelector("[data-stream-link]").addEventListener("click", () => sheet.open());
}

class LinkSheet {
  #dialog;
  #clock;
  #form;
  #parts;
  #link = null;
  #asked = 0;
  #timer = 0;

  constructor(dialog, clock) {
    this.#dialog = dialog;
    this.#clock = clock;
    this.#form = dialog.querySelector("[data-link-form]");
    const part = (name) => dialog.querySelector(`[data-link-${name}]`);
    this.#parts = {
      address: part("address"),
      steps: part("steps"),
      left: part("left"),
      copy: part("copy"),
    };
    this.#form.addEventListener("change", (event) =>
      event.target.name === "purpose" ? this.#show() : this.#renew(),
    );
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    part("renew").addEventListener("click", () => this.#renew());
    this.#parts.copy.addEventListener("click", () => this.#copy());
    this.#parts.address.addEventListener("focus", () => this.#parts.address.select());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.#forget());
  }

  open() {
    this.#dialog.showModal();
    this.#timer = setInterval(() => this.#countDown(), TICK_MS);
    this.#renew();
  }

  get #purpose() {
    return new FormData(this.#form).get("purpose");
  }

  async #renew() {
    const ticket = (this.#asked += 1);
    this.#link = null;
    this.#show();
    const fields = [...new FormData(this.#form)].filter(
      ([name, value]) => name !== "purpose" && value,
    );
    try {
      const link = await postForm(this.#dialog.dataset.links, fields);
      if (ticket !== this.#asked) return;
      this.#link = link;
      this.#show();
    } catch (error) {
      if (ticket === this.#asked) setText(this.#parts.left, error.message);
    }
  }

  #show() {
    const { address, steps: words, copy } = this.#parts;
    setText(words, steps(this.#purpose));
    address.value = this.#link
      ? linkText(this.#purpose, this.#link.url, this.#dialog.dataset.name)
      : "";
    copy.disabled = !this.#link;
    this.#countDown();
  }

  #countDown() {
    if (!this.#link) return;
    const left = this.#link.expires - this.#clock.now;
    setText(this.#parts.left, leftWords(left));
    this.#dialog.classList.toggle("is-expired", left <= 0);
    this.#parts.copy.disabled = left <= 0;
  }

  async #copy() {
    const copied = await copyText(this.#parts.address.value);
    setText(this.#parts.copy, copied ? "Copied" : "Press Ctrl+C");
    if (!copied) this.#parts.address.focus();
    setTimeout(() => setText(this.#parts.copy, "Copy"), COPIED_MS);
  }

  #forget() {
    clearInterval(this.#timer);
    this.#asked += 1;
    this.#link = null;
    this.#parts.address.value = "";
    this.#dialog.classList.remove("is-expired");
  }
}
