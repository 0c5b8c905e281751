import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { openWorkspace } from "../../src/store/workspace.ts";
import { storeContract } from "../../src/testing/store-contract.ts";
import { readRun } from "./read-run.ts";

describe("SQLite store", () => {
  test.each(storeContract)("$name", async (contractCase) => {
    const folder = mkdtempSync(join(tmpdir(), "sqlm-store-contract-"));
    try {
      await contractCase.run({ open: openWorkspace, read: readRun }, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
