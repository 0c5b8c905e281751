import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { makeFolder } from "../../src/store/make-folder.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { inFolder } from "./helpers.ts";

test("makes what is missing, takes what is there, and refuses what is in the way", async () => {
  await inFolder((folder) => {
    const deep = join(folder, "a", "b", "c");
    makeFolder(deep);
    makeFolder(deep);
    expect(existsSync(deep)).toBe(true);
    mkdirSync(join(folder, "d"));
    writeFileSync(join(folder, "d", "file"), "");
    expect(() => makeFolder(join(folder, "d", "file", "e"))).toThrow(/EEXIST|ENOTDIR/);
  });
});

test.skipIf(!existsSync("/proc/self"))("ends where the parent takes no folder: a workspace there is refused", () => {
  expect(() => openWorkspace("/proc/sqlm")).toThrow(UsageError);
});
