/**
 * What a tile says about its camera: one sentence for what happened, one for what to check. Pure.
 */

import { formatSpan } from "../core/format.js";

/** A picture older than this is not shown as if it were alive. */
export const STALE_MS = 2000;

const since = (title) => (elapsed) =>
  elapsed >= 1000 ? `${title} for ${formatSpan(elapsed)}` : title;

/**
 * kind: `wait` is normal, `warn` may heal by itself, `bad` wants somebody to act, `off` is meant.
 */
const STATES = {
  connecting: {
    kind: "wait",
    title: since("Connecting"),
    detail: "The camera has not sent a picture yet.",
    hint: "This takes a few seconds. If it goes on, check that the camera is switched on.",
  },
  stalled: {
    kind: "warn",
    title: since("Stalled"),
    detail: "The camera holds the connection open but sends nothing.",
    hint: "Check the camera's network. If it goes on, restart the camera.",
  },
  frozen: {
    kind: "warn",
    title: since("Frozen"),
    detail: "The camera sends the same picture again and again.",
    hint: "Restart the camera. If the view really is this still, switch the check off in the camera's settings.",
  },
  black: {
    kind: "warn",
    title: since("Black picture"),
    detail: "The camera sends a black picture.",
    hint: "Check that nothing covers the lens, and that there is light or that infrared is on.",
  },
  "auth-failed": {
    kind: "bad",
    title: () => "Login refused",
    detail: "The camera does not accept the user name and password.",
    hint: "Check user name and password in the camera's settings.",
  },
  unreachable: {
    kind: "bad",
    title: since("Unreachable"),
    detail: "The camera does not answer.",
    hint: "Check the camera, and its address in the camera's settings.",
  },
  disabled: {
    kind: "off",
    title: () => "Switched off",
    detail: "This camera is switched off in its settings.",
    hint: "Switch it on there to see it again.",
  },
  unknown: {
    kind: "bad",
    title: () => "No capture worker is running",
    detail: "Nothing reports on this camera, so no pictures are taken from it.",
    hint: "Ask your administrator to start one.",
    command: "Start one with: manage.py runworkers capture",
  },
  deleted: {
    kind: "off",
    title: () => "This camera was removed",
    detail: "It is no longer in the list of cameras.",
    hint: "Reload the page to tidy up.",
  },
  forbidden: {
    kind: "off",
    title: () => "You may not see this camera",
    detail: "Your account has no permission for it.",
    hint: "Ask your administrator to give it to you.",
  },
  stale: {
    kind: "warn",
    title: since("No picture"),
    detail: "The camera works, but its pictures do not reach this page.",
    hint: "Check the network between here and the server.",
  },
  "no-kafka": {
    kind: "warn",
    title: () => "No news",
    detail: "Kafka is not reachable, so nothing is known of this camera.",
    hint: "It shows again by itself as soon as Kafka is back.",
  },
  offline: {
    kind: "wait",
    title: () => "Connection lost",
    detail: "This page has lost its connection to the server.",
    hint: "It reconnects by itself. If it goes on, check your network.",
  },
};

/**
 * What to do about the cause of a failure, as the capture worker names it. It is empty where the
 * detail says so already.
 */
const HINTS = {
  "no-answer": "Check its power and its network cable.",
  "hung-up": "Check the port. If it is right, close other viewers of this camera.",
  "other-protocol": "Check the port, or choose another kind for this camera.",
  "not-allowed": "The administrator of this server can allow them.",
  "error-answer": "Look in the camera's log.",
  "no-video": "Try another path in its address, or another codec in the camera.",
  "too-large": "Choose a lower resolution or quality in the camera.",
  undecodable: "Choose H.264 or H.265 in the camera, and a key frame every few seconds.",
  "no-signal": "Check the cable between the camera and its encoder or recorder.",
  silent: "Check the camera's network. If it goes on, restart the camera.",
  ended: "It is tried again by itself. If it goes on, look in the camera's log.",
  "ended-early": "Close other viewers of this camera.",
  "login-refused": "Check user name and password in the camera's settings.",
  "login-missing": "Enter them in the camera's settings.",
  "login-unsendable": "Choose another in the camera and enter it again.",
  "login-unsupported": "Choose Basic or Digest in the camera.",
  forbidden: "Give this user the right to watch, in the camera.",
  local: "Check the file or device on the host of the capture worker.",
};

const SILENT = { title: "", detail: "", hint: "" };
const NOTHING_YET = { ...SILENT, state: "connecting", kind: "wait", since: 0, alive: false };

const ALIVE = new Set(["live", "degraded"]);

export const isAlive = (state) => ALIVE.has(state);

const NOTHING_NEW = new Set(["frozen", "black"]);

/**
 * Whether pictures keep coming that show nothing new: how old the last one is says nothing then.
 */
export const showsNothingNew = (state) => NOTHING_NEW.has(state);

/** `ok`, `warn`, `bad`, `wait` or `off`: the colour of a state's dot. */
export function kindOf(state) {
  if (state === "live") return "ok";
  return state === "degraded" ? "warn" : (STATES[state]?.kind ?? "bad");
}

/**
 * What is true of a tile now. All times in ms by one clock.
 * @param {any} facts `state` (null before the server spoke), `since`, `detail`, `cause` as the
 *   server says; `administers`: whether the reader may be shown shell commands;
 *   `connected` to the server, which has `kafka` or not; `painted` when the last picture was
 *   painted (0 = never); `watched` since when pictures are asked for
 * @returns {{state: string, kind: string, since: number, title: string, detail: string, hint:
 *   string, alive: boolean}} `title` is empty when there is nothing to say; `alive` is false when
 *   the picture must not look alive
 */
export function describe(
  {
    state,
    since: started,
    detail,
    cause = "",
    administers = false,
    connected,
    kafka = true,
    painted,
    watched,
  },
  now,
) {
  if (!connected) return sentence("offline", now, now, "");
  if (!kafka && now - painted > STALE_MS) return sentence("no-kafka", now, now, "");
  if (!state && now - watched < STALE_MS) return { ...NOTHING_YET };
  if (!isAlive(state)) {
    const said = sentence(state ?? "connecting", started || now, now, detail);
    return { ...said, hint: hintOf(said.state, cause, administers) };
  }
  const last = Math.max(painted, watched);
  if (now - last > STALE_MS) return sentence("stale", last, now, "");
  return {
    ...SILENT,
    state,
    kind: kindOf(state),
    since: started,
    detail,
    alive: painted >= watched,
  };
}

function hintOf(state, cause, administers) {
  if (cause) return Object.hasOwn(HINTS, cause) ? HINTS[cause] : "";
  const { hint, command } = STATES[state] ?? STATES.unknown;
  return (administers && command) || hint;
}

function sentence(state, started, now, detail) {
  const words = STATES[state] ?? { ...STATES.unknown, title: () => `State: ${state}` };
  const { kind, hint } = words;
  return {
    state,
    kind,
    since: started,
    title: words.title(now - started),
    detail: detail || words.detail,
    hint,
    alive: false,
  };
}

const CHANGES = {
  live: "is live again",
  degraded: "delivers fewer pictures than it should",
  stalled: "stalled",
  frozen: "froze",
  black: "went black",
  "auth-failed": "refuses the password",
  unreachable: "is unreachable",
  disabled: "was switched off",
  unknown: "has no capture worker",
  deleted: "was removed",
  forbidden: "is no longer yours to see",
};

/**
 * The line for a list of events when the server reports another state of a camera, or null when it
 * is not worth one: connecting passes, and being live is news only after trouble. What the page
 * itself missed, because it was busy or disconnected, is no event of the camera's.
 * @param {string} name
 * @param {{state: string, since: number} | null} before the report before this one
 * @param {{state: string, since: number, detail: string}} status
 * @param {number} now in ms by the server's clock, as `since` and `at` are
 * @returns {{title: string, second: string, kind: string, at: number} | null} `at` is when it
 *   happened
 */
export function stateChange(name, before, status, now) {
  const change = CHANGES[status.state];
  if (!change || before?.state === status.state) return null;
  const wasTrouble = before && before.state in CHANGES && before.state !== "live";
  if (status.state === "live" && !wasTrouble) return null;
  // Live all the while, and nobody reported it: what happened now is that somebody does again.
  const isOlder = !status.since || status.since < (before?.since ?? 0);
  return {
    title: `${name} ${change}`,
    second: status.detail || STATES[status.state]?.detail || "Pictures arrive.",
    kind: kindOf(status.state),
    at: isOlder ? now : status.since,
  };
}
