import { test } from "vitest";
import { endRuns } from "./end-runs.ts";

test("of a hundred runs ended at random moments by signals or a closed pipe, none aborts and all go on", async () => {
  await endRuns(100, 2);
});
