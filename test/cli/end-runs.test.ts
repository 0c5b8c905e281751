import { test } from "vitest";
import { endRuns } from "./end-runs.ts";

test("runs that are ended from outside end without an abort, and go on to the same weights", async () => {
  await endRuns(5, 1);
});
