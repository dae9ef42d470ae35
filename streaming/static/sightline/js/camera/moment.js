/**
 * A past frame in a dialog, with what one model saw on it, for as long as Kafka keeps the frame.
 */

import { element, setText } from "../core/dom.js";
import { formatMoment } from "../core/format.js";
import { drawMarks } from "../tile/overlay.js";
import { snapshotName } from "./snapshot.js";

const BESIDE = 0.45;

/**
 * @param {Markup} dialog
 * @param {{title: string, second: string, href: string, prediction: any, detection: any}} sighting
 */
export async function openMoment(dialog, { title, second, href, prediction, detection }) {
  const part = (name) => dialog.querySelector(`[data-moment-${name}]`);
  const stage = part("stage");
  const capturedAt = prediction.frame.captured_at;
  setText(part("title"), title);
  setText(part("second"), `${second} · ${formatMoment(capturedAt / 1e6)}`);
  Object.assign(part("save"), {
    href,
    download: snapshotName(prediction.camera, capturedAt),
    hidden: true,
  });
  stage.replaceChildren(element("p", {}, "Fetching the picture …"));
  dialog.showModal();
  const found = await fetchPicture(href);
  if (found.bitmap)
    stage.replaceChildren(paint(found.bitmap, prediction, detection, stage.clientWidth));
  else stage.replaceChildren(element("p", {}, found.sentence));
  part("save").hidden = !found.bitmap;
}

export function bindMoment(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () =>
    dialog.querySelector("[data-moment-stage]").replaceChildren(),
  );
}

async function fetchPicture(href) {
  try {
    const answer = await fetch(href);
    if (answer.ok) return { bitmap: await createImageBitmap(await answer.blob()) };
    return { sentence: await answer.text() };
  } catch {
    return { sentence: "The picture does not come from the server now. Try again." };
  }
}

function paint(bitmap, { role, detections }, chosen, room) {
  const { width, height } = bitmap;
  const canvas = element("canvas", {
    width,
    height,
    role: "img",
    "aria-label": "The picture of that moment",
  });
  const context = canvas.getContext("2d", { alpha: false });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const marks = detections.map((detection) => ({
    detection,
    alpha: detection === chosen ? 1 : BESIDE,
    dashed: role === "shadow",
  }));
  const whole = { x: 0, y: 0, w: width, h: height };
  drawMarks(context, marks, whole, {
    labels: true,
    scores: true,
    scale: width / Math.min(width, room),
    taken: [],
  });
  return canvas;
}
