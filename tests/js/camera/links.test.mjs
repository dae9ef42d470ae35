import assert from "node:assert/strict";
import { test } from "node:test";

import { leftWords, linkText } from "../../../streaming/static/sightline/js/camera/link-words.js";
import { snapshotName } from "../../../streaming/static/sightline/js/camera/snapshot.js";

test("a link for a page is markup that a name cannot break", () => {
  assert.equal(linkText("vlc", "http://x/s?a=1&key=2", "Gate"), "http://x/s?a=1&key=2");
  assert.equal(
    linkText("page", "http://x/s?a=1&key=2", 'Gate "A" <b>'),
    '<img src="http://x/s?a=1&#38;key=2" alt="Gate &#34;A&#34; &#60;b&#62;">',
  );
});

test("what is left of a link is counted in minutes and seconds", () => {
  assert.equal(leftWords(300_000), "Can be opened for 5:00 more.");
  assert.equal(leftWords(61_200), "Can be opened for 1:02 more.");
  assert.equal(leftWords(0), "This link has expired.");
});

test("a snapshot is named after the camera and its moment", () => {
  const moment = new Date(2026, 10, 20, 14, 7, 31).getTime() * 1e6;
  assert.equal(snapshotName("conveyor", moment), "conveyor-2026-11-20T14-07-31.jpg");
});
