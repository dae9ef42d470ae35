import assert from "node:assert/strict";
import { test } from "node:test";

import { describe } from "../../../streaming/static/sightline/js/tile/states.js";

const told = (facts) =>
  describe({ since: 1, detail: "", connected: true, painted: 0, watched: 0, ...facts }, 9000);

test("what to check belongs to the cause, not to the state", () => {
  const hint = (cause) => told({ state: "unreachable", detail: "It fails.", cause }).hint;

  assert.match(hint("no-answer"), /power/);
  for (const cause of ["not-found", "redirected", "refused", "name-unknown", "no-route"])
    assert.equal(hint(cause), "", "the detail says what to do");
  for (const cause of ["no-video", "ended", "hung-up", "local"]) {
    assert.notEqual(hint(cause), "");
    assert.doesNotMatch(hint(cause), /power|network cable/);
  }
  const [refused, missing] = ["login-refused", "login-missing"];
  const login = (cause) => told({ state: "auth-failed", cause }).hint;
  assert.notEqual(login(refused), login(missing));
});

test("a report without a cause has its state's hint, without power and cables", () => {
  assert.match(told({ state: "stalled" }).hint, /restart the camera/);
  assert.doesNotMatch(told({ state: "unreachable" }).hint, /power|cable/);
  assert.match(told({ state: "unreachable" }).hint, /address/);
});

test("a cause that this page does not know yet is left to the detail", () => {
  assert.equal(told({ state: "unreachable", cause: "struck-by-lightning" }).hint, "");
  assert.equal(told({ state: "unreachable", cause: "constructor" }).hint, "");
});

test("shell commands are for those who administer", () => {
  assert.doesNotMatch(told({ state: "unknown" }).hint, /manage\.py/);
  assert.match(told({ state: "unknown" }).hint, /[Aa]sk your administrator/);
  assert.match(told({ state: "unknown", administers: true }).hint, /manage\.py/);
});
