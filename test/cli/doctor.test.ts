import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkRuntime } from "../../src/engine/onnx/runtime/check-runtime.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

interface Report {
  ok: boolean;
  checks: { name: string; ok: boolean; detail: string; advice?: string }[];
}

const sound = { sandboxChecks: async () => [{ name: "containment", ok: true, detail: "holds" }], checkRuntime };

async function doctor(parts: Parameters<typeof runCli>[1], workspace = join(temporaryFolder(), ".sqlm")) {
  const { code, stdout } = await runCli(["doctor", "--json", "--workspace", workspace], parts);
  const { ok, checks } = JSON.parse(stdout) as Report;
  return { code, ok, byName: new Map(checks.map((check) => [check.name, check])) };
}

describe("doctor", () => {
  test("checks Node, the runtime, disk, database and sandbox, and leaves nothing behind", async () => {
    const workspace = join(temporaryFolder(), "below", ".sqlm");
    const { byName } = await doctor(sound, workspace);
    for (const name of ["node", "onnxruntime", "disk", "database", "containment"]) {
      expect(byName.get(name), name).toMatchObject({ ok: true });
    }
    expect(byName.has("models")).toBe(true);
  });

  test("a runtime that does not load and a sandbox that leaks are failures with advice", async () => {
    const { code, ok, byName } = await doctor({
      sandboxChecks: async () => {
        throw new Error("the network was reached");
      },
      checkRuntime: async () => {
        throw new Error("no such library");
      },
    });
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(byName.get("onnxruntime")).toMatchObject({
      ok: false,
      detail: "no such library",
      advice: expect.any(String),
    });
    expect(byName.get("sandbox")).toMatchObject({ ok: false, detail: "the network was reached" });
  });

  test("a workspace that cannot be written is a failure", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const { code, byName } = await doctor(sound, join(file, ".sqlm"));
    expect(code).toBe(1);
    expect(byName.get("database")?.ok).toBe(false);
  });
});
