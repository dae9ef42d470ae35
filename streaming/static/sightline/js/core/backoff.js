const FIRST_MS = 500;
const LAST_MS = 10_000;
const GROWTH = 1.5;

/**
 * Milliseconds to wait before attempt 0, 1, ...: longer each time, with jitter so that viewers
 * return one by one.
 */
export function backoff(attempt, random = Math.random) {
  const full = Math.min(LAST_MS, FIRST_MS * GROWTH ** Math.min(attempt, 20));
  return Math.max(FIRST_MS, full * (0.6 + 0.4 * random()));
}
