// The doctor's checks on the real sandbox.
import { expect, test } from "vitest";
import { assertContainment, runDoctorChecks } from "../../src/sandbox/containment.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";

test("every check of the doctor passes", async () => {
  const failed = (await runDoctorChecks()).filter(({ ok }) => !ok);
  expect(failed).toEqual([]);
});

test("coding topics are allowed", async () => {
  await using sandbox = createSandbox();
  await assertContainment(sandbox);
});
