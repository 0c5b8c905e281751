// The doctor's checks must be able to fail: a sandbox that lets everything through fails every attack.
import { expect, test } from "vitest";
import { assertContainment, checkContainment } from "../../src/sandbox/containment.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { seccompFilter } from "../../src/sandbox/seccomp.ts";

/** Runs nothing and says that every call gave a new value. */
function leakySandbox(): Sandbox {
  let runs = 0;
  return {
    languages: ["python", "javascript"],
    run: async ({ program }) => {
      const value = /return \[1 \+ 1\]|\[1 \+ 1\];/.test(program) ? [2] : runs++;
      return { status: "ok", results: [{ value }], output: "", milliseconds: 0 };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

test("a sandbox that contains nothing fails every check but the start", async () => {
  const checks = await checkContainment(leakySandbox());
  expect(checks.length).toBeGreaterThan(15);
  for (const { name, ok, advice } of checks) {
    expect([name, ok]).toEqual([name, name.endsWith("starts")]);
    expect(advice === undefined).toBe(ok);
  }
  await expect(assertContainment(leakySandbox())).rejects.toThrow("does not contain");
});

test("a sandbox that cannot start is a failed check, not an exception", async () => {
  const broken: Sandbox = { ...leakySandbox(), run: () => Promise.reject(new Error("no interpreter")) };
  const checks = await checkContainment(broken);
  expect(checks).toEqual(
    ["python", "javascript"].map((language) =>
      expect.objectContaining({ name: `${language}: starts`, ok: false, detail: "no interpreter" }),
    ),
  );
});

test("the seccomp filter jumps only to instructions that exist and ends by returning", () => {
  for (const architecture of ["x64", "arm64"]) {
    const bytes = Buffer.from(seccompFilter(architecture) ?? []);
    const count = bytes.length / 8;
    for (let i = 0; i < count; i++) {
      if ((bytes.readUInt16LE(i * 8) & 7) !== 5) continue;
      expect(i + 1 + Math.max(bytes[i * 8 + 2], bytes[i * 8 + 3])).toBeLessThan(count);
    }
    expect(bytes.readUInt16LE((count - 1) * 8)).toBe(6);
  }
  expect(seccompFilter("mips")).toBeNull();
});
