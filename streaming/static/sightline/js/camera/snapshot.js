/** Saves the picture that is on the screen. */

import { announce, toast } from "../core/banners.js";
import { element } from "../core/dom.js";

const QUALITY = 0.92;

/**
 * `conveyor-2026-11-20T14-07-31.jpg`: the camera and the moment of capture (ns since the epoch), in
 * local time.
 */
export function snapshotName(camera, capturedAt) {
  const at = new Date(capturedAt / 1e6);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return `${camera}-${local.toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
}

/** @param {boolean} boxes with what is drawn on the picture, or without */
export async function saveSnapshot(tile, boxes) {
  const still = tile.picture.still(boxes);
  if (!still) return toast("There is no picture to save yet.");
  const blob = await new Promise((resolve) => still.canvas.toBlob(resolve, "image/jpeg", QUALITY));
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: snapshotName(tile.camera, still.capturedAt) }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  announce("Snapshot saved");
}
