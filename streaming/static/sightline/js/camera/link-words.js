/** What is said about a stream link. Pure. */

const STEPS = {
  vlc: "In VLC: Media, Open Network Stream. Paste the address and press Play.",
  obs: "In OBS: add a Media Source, clear Local File, paste the address as Input and write mpjpeg as Input Format.",
  page: "Paste this into the page. The picture moves for as long as the page is open; the browser asks for it once.",
  script: "FFmpeg, GStreamer, OpenCV and others read the address as it is.",
};

export const steps = (purpose) => STEPS[purpose];

const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** What is to be copied: the address, or the HTML for a page. */
export const linkText = (purpose, url, name) =>
  purpose === "page" ? `<img src="${escaped(url)}" alt="${escaped(name)}">` : url;

/** "Can be opened for 4:32 more"; what is left in ms. */
export function leftWords(left) {
  if (left <= 0) return "This link has expired.";
  const seconds = Math.ceil(left / 1000);
  return `Can be opened for ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} more.`;
}
