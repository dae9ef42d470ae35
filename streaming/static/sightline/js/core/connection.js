/** Opens the page's socket and says so when it, the log-in or Kafka is gone. */

import { announce, hideBanner, showBanner, toast } from "./banners.js";
import { WallSocket } from "./socket.js";

const PATIENCE_MS = 400;
/** The server's code for who is logged in no more. */
const LOGGED_OUT = 4401;
/** The server's code for a user with as many pages open as one may have. */
const TOO_MANY = 4409;

export function connect() {
  const socket = new WallSocket();
  let timer = 0;
  socket.addEventListener("hello", () => {
    clearTimeout(timer);
    if (document.querySelector("[data-banner=connection]")) announce("Connected again");
    hideBanner("connection");
    hideBanner("login");
  });
  socket.addEventListener("close", ({ detail: { attempt, code } }) => {
    clearTimeout(timer);
    if (code === LOGGED_OUT) return tellLogout();
    if (code === TOO_MANY) return tellTooMany();
    timer = setTimeout(
      () => showBanner("connection", "Reconnecting to the server …"),
      attempt ? 0 : PATIENCE_MS,
    );
    if (attempt > 0) explainLogout();
  });
  socket.addEventListener("error", ({ detail }) =>
    toast([detail.camera, detail.message].filter(Boolean).join(": ")),
  );
  socket.addEventListener("system", ({ detail }) => tellKafka(detail));
  document.addEventListener("visibilitychange", () => document.hidden || socket.hurry());
  return socket;
}

// A socket that is refused gives no reason; a page that redirects does.
async function explainLogout() {
  try {
    const answer = await fetch(location.href, {
      method: "HEAD",
      redirect: "manual",
      cache: "no-store",
    });
    if (answer.type === "opaqueredirect") tellLogout();
  } catch {
    // The server is away: the banner for that is already there.
  }
}

function tellLogout() {
  const link = { href: location.href, text: "Log in again" };
  hideBanner("connection");
  showBanner("login", "You have been logged out.", { kind: "bad", link });
}

function tellTooMany() {
  const words = "You have too many pages with live pictures open. Close one, and this one goes on.";
  showBanner("connection", words, { kind: "bad" });
}

function tellKafka({ kafka, detail }) {
  if (kafka) return hideBanner("kafka");
  showBanner(
    "kafka",
    detail || "Kafka is not reachable. Pictures go on by themselves when it is back.",
    { kind: "bad" },
  );
}
