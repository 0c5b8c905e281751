import { expect, test } from "vitest";
import { served } from "./served.ts";
import { fuzzServer } from "./server-fuzz.ts";

test("100,000 messages that nobody meant get an answer that says what is wrong", async () => {
  for (let part = 0; part < 20; part++) {
    const server = served({ holdSeconds: 0, gapSeconds: 0.01, mostModels: 100_000 });
    const statuses = await fuzzServer(server, 5000, `server fuzz ${part}`);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(1000);
    await server.service[Symbol.asyncDispose]();
  }
});
