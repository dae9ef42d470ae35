/** Asks an address again and again while the page is looked at. */

import { hideBanner, showBanner } from "./banners.js";

const PATIENCE_MS = 12_000;

/**
 * @param {() => string} address called before each request
 * @param {number} pauseMs between an answer and the next question
 * @param {(answer: any) => void} onAnswer
 * @param {(sentence: string) => void} onTrouble called instead when there is no answer, or none
 *   that helps
 * @returns {{now: () => void}} `now` asks at once
 */
export function poll(address, pauseMs, onAnswer, onTrouble = () => {}) {
  let timer = 0;
  let asking = null;

  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    const limit = setTimeout(() => mine.abort(), PATIENCE_MS);
    try {
      const answer = await fetchJson(address(), mine.signal);
      if (asking === mine) settle(answer);
    } catch (error) {
      if (asking === mine) tell(error);
    } finally {
      clearTimeout(limit);
      if (asking === mine) next();
    }
  }

  function settle(answer) {
    hideBanner("poll");
    onAnswer(answer);
  }

  function tell(error) {
    if (error instanceof Refused) onTrouble(error.message);
    else {
      showBanner("poll", "The server does not answer. Trying again …");
      onTrouble("The server does not answer.");
    }
    if (error.status === 401) showLogin();
  }

  function next() {
    asking = null;
    if (!document.hidden) timer = setTimeout(ask, pauseMs);
  }

  document.addEventListener("visibilitychange", () =>
    document.hidden ? clearTimeout(timer) : ask(),
  );
  ask();
  return { now: ask };
}

/** An answer that is a sentence: why there is nothing to show. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function fetchJson(address, signal) {
  const answer = await fetch(address, {
    signal,
    cache: "no-store",
    headers: { Accept: "application/json" },
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw new Refused(answer.status, String(told.error ?? `The server answers ${answer.status}.`));
}

function showLogin() {
  showBanner("login", "You have been logged out.", {
    kind: "bad",
    link: { href: location.href, text: "Log in again" },
  });
}
