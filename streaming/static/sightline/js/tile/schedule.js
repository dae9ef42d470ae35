/**
 * One animation frame for all that is to be painted, and a timer for when the browser holds such
 * frames back.
 */

const LATE_MS = 120;
const waiting = new Set();
let frame = 0;
let timer = 0;

function run() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  frame = 0;
  const jobs = [...waiting];
  waiting.clear();
  for (const job of jobs) job();
}

/** Runs `job` before the next repaint; asking twice runs it once. */
export function paintSoon(job) {
  waiting.add(job);
  if (frame) return;
  frame = requestAnimationFrame(run);
  timer = setTimeout(run, LATE_MS);
}
