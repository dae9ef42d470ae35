import assert from "node:assert/strict";
import { test } from "node:test";

import {
  describeModel,
  modelChange,
} from "../../../streaming/static/sightline/js/core/model-states.js";
import { parseModel } from "../../../streaming/static/sightline/js/core/wire.js";

const said = (state, detail = "") => ({
  model: "qr",
  version: "1",
  state,
  detail,
  since: 0,
  cameras: ["gate"],
});

test("a model that works, or is gone, has nothing to say", () => {
  for (const state of ["running", "gone", "constructor", ""])
    assert.equal(describeModel(said(state)), null, state);
  assert.equal(describeModel(undefined), null);
});

test("one that fails says why in the server's words", () => {
  const trouble = describeModel(said("failing", "The server refuses the connection."));
  assert.deepEqual(trouble, {
    kind: "bad",
    word: "fails",
    detail: "The server refuses the connection.",
  });
  assert.ok(describeModel(said("unknown")).detail);
});

test("failing is news, and working again is news after it", () => {
  const [running, failing] = [said("running"), said("failing", "Away.")];
  assert.equal(modelChange(undefined, running), null);
  assert.equal(modelChange(undefined, said("loading")), null);
  assert.deepEqual(modelChange(running, failing), {
    title: "qr 1 fails",
    second: "Away.",
    kind: "bad",
  });
  assert.equal(modelChange(failing, said("failing", "Still away.")), null);
  assert.equal(modelChange(failing, said("loading")), null);
  assert.equal(modelChange(failing, running).title, "qr 1 works again");
  assert.equal(modelChange(failing, said("gone")), null);
});

test("what the server says of a model is brought into one shape", () => {
  const parsed = parseModel({
    model: "qr",
    version: 1,
    state: "failing",
    detail: "x".repeat(9000),
    since: 2e6,
    cameras: ["gate", 7],
  });
  assert.deepEqual(
    [parsed.version, parsed.since, parsed.cameras, parsed.detail.length],
    ["1", 2, ["gate", "7"], 400],
  );
  assert.deepEqual(parseModel({ cameras: "gate" }).cameras, []);
});
