import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const HOME = fileURLToPath(new URL("../../streaming/static/sightline/js", import.meta.url));

/** The folders that each folder's modules import, from one another's files. */
function folderImports() {
  const found = new Map();
  for (const name of readdirSync(HOME, { recursive: true })) {
    if (!name.endsWith(".js")) continue;
    const folder = dirname(name);
    const text = readFileSync(join(HOME, name), "utf8");
    for (const [, path] of text.matchAll(/from\s+"(\.[^"]+)"/g)) {
      const other = relative(HOME, dirname(join(HOME, folder, path)));
      if (other === folder || other.startsWith("..")) continue;
      found.set(folder, (found.get(folder) ?? new Set()).add(other));
    }
  }
  return found;
}

function reached(folders, start) {
  const seen = new Set();
  const waiting = [start];
  while (waiting.length) {
    for (const folder of folders.get(waiting.pop()) ?? []) {
      if (!seen.has(folder)) waiting.push(folder);
      seen.add(folder);
    }
  }
  return seen;
}

test("folders import one way", () => {
  const folders = folderImports();

  assert.ok(folders.size > 5);
  for (const folder of folders.keys())
    assert.ok(!reached(folders, folder).has(folder), `${folder} is in a circle of imports`);
});

test("what all pages share knows none of them", () => {
  assert.deepEqual([...(folderImports().get("core") ?? [])], []);
  assert.deepEqual([...folderImports().get("tile")], ["core"]);
});
