/**
 * What the wall socket carries: binary frames and JSON, checked and brought into one shape. All of
 * it is untrusted.
 */

const MAX_DETECTIONS = 200;
const MAX_TEXT = 200;

const text = (value) => String(value ?? "").slice(0, MAX_TEXT);
const number = (value) => (Number.isFinite(value) ? value : 0);

/**
 * A binary message: 4-byte big-endian header length, JSON header, JPEG.
 * @param {ArrayBuffer} buffer
 * @returns {{header: object, jpeg: Uint8Array}}
 */
export function parseFrame(buffer) {
  if (buffer.byteLength < 4) throw new RangeError("frame message is shorter than its length field");
  const length = new DataView(buffer).getUint32(0);
  if (length > buffer.byteLength - 4)
    throw new RangeError("frame header is longer than its message");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, jpeg: new Uint8Array(buffer, 4 + length) };
}

/** Identity of a frame: `seq` restarts with the capture worker, `captured_at` does not. */
export const frameKey = ({ seq, captured_at }) => `${seq}/${captured_at}`;

/** Identity of a model version. */
export const modelKey = ({ model, version }) => `${model}@${version}`;

/**
 * @returns {[number, number, number, number] | null} x0, y0, x1, y1 in 0..1, or null when there is
 * no usable box
 */
export function parseBox(box) {
  if (!Array.isArray(box) || box.length !== 4 || !box.every(Number.isFinite)) return null;
  const [x0, y0, x1, y1] = box.map((side) => Math.min(1, Math.max(0, side)));
  return x1 > x0 && y1 > y0 ? [x0, y0, x1, y1] : null;
}

function parseDetection(detection) {
  return {
    label: text(detection?.label),
    score: number(detection?.score),
    box: parseBox(detection?.box),
    text: detection?.text === undefined || detection?.text === null ? null : text(detection.text),
  };
}

/** One model's predictions for one frame. */
export function parsePrediction(message) {
  const detections = Array.isArray(message.predictions)
    ? message.predictions.slice(0, MAX_DETECTIONS)
    : [];
  return {
    camera: text(message.camera),
    model: text(message.model),
    version: text(message.version),
    role: message.role === "shadow" ? "shadow" : "live",
    frame: {
      seq: number(message.frame?.seq),
      captured_at: number(message.frame?.captured_at),
      offset: number(message.frame?.offset ?? -1),
    },
    detections: detections.map(parseDetection),
    finishedAt: number(message.timing?.finished_at),
  };
}

/**
 * How a model does on some cameras; `since` in milliseconds since the epoch, by the server's clock.
 */
export function parseModel(message) {
  return {
    model: text(message.model),
    version: text(message.version),
    state: text(message.state) || "unknown",
    detail: String(message.detail ?? "").slice(0, 400),
    since: number(message.since) / 1e6,
    cameras: Array.isArray(message.cameras) ? message.cameras.map(text) : [],
  };
}

/** What a camera does; times in milliseconds since the epoch, by the server's clock. */
export function parseStatus(message) {
  return {
    camera: text(message.camera),
    state: text(message.state) || "unknown",
    since: number(message.since) / 1e6,
    detail: String(message.detail ?? "").slice(0, 400),
    cause: text(message.cause),
    width: number(message.width),
    height: number(message.height),
    codec: text(message.codec),
    dropped: number(message.dropped),
  };
}
