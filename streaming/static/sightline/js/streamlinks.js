/** Links to the camera's picture and stream outside this page: with or without boxes, and to copy. */

import { toast } from "./banners.js";

export function bindStreamLinks() {
  const overlay = document.querySelector("[data-overlay]");
  const links = document.querySelectorAll("[data-stream]");

  const show = () => {
    for (const link of links) link.href = overlay.checked ? `${link.dataset.stream}?overlay=1` : link.dataset.stream;
  };
  overlay.addEventListener("change", show);
  show();

  const copy = document.querySelector("[data-copy]");
  copy.addEventListener("click", async () => {
    const address = document.getElementById(copy.dataset.copy).href;
    try {
      await navigator.clipboard.writeText(address);
      toast("The stream's address was copied.");
    } catch {
      toast(address);
    }
  });
}
