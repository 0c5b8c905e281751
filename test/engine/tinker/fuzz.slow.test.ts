// 100,000 messages that nobody meant: each is read or refused with a typed error.
import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";

test("100,000 messages give a message or a typed error", () => {
  const { read, refused } = fuzz(100_000);
  expect(read + refused).toBe(100_000);
  expect(refused).toBeGreaterThan(10_000);
});
