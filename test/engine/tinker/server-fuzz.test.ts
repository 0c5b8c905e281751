import { expect, test } from "vitest";
import { served } from "./served.ts";
import { fuzzServer } from "./server-fuzz.ts";

test("2,000 messages that nobody meant get an answer that says what is wrong", async () => {
  const server = served({ holdSeconds: 0, gapSeconds: 0.01, mostModels: 10_000 });
  const statuses = await fuzzServer(server, 2000);
  // Some get through, most do not.
  expect(statuses.get(200) ?? 0).toBeGreaterThan(100);
  expect(statuses.get(400) ?? 0).toBeGreaterThan(500);
});
