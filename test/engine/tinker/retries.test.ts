// The table of what is tried again.
import { describe, expect, it } from "vitest";
import { afterFailure, afterPollFailure, type Failure } from "../../../src/engine/tinker/client/retries.ts";

const status = (code: number, more: { retryAfter?: number; shouldRetry?: boolean } = {}): Failure => ({
  kind: "status",
  status: code,
  problem: "",
  body: new Uint8Array(),
  retryAfter: null,
  location: null,
  shouldRetry: null,
  ...more,
});
const unreachable: Failure = { kind: "unreachable", reason: "ECONNREFUSED" };
const broken: Failure = { kind: "broken", reason: "reset" };
const at = (attempt: number, conflicts = 0) => ({ attempt, conflicts, jitter: 0 });

describe("a request that failed", () => {
  it("is sent again where it never left, and where a copy of it does no harm", () => {
    for (const repeat of ["harmless", "doubtful"] as const) {
      expect(afterFailure(unreachable, repeat, at(0))).toEqual({ kind: "again", seconds: 0.5 });
      expect(afterFailure(status(429), repeat, at(1))).toEqual({ kind: "again", seconds: 1 });
      expect(afterFailure(status(402), repeat, at(9))).toEqual({ kind: "billing", seconds: 5 });
      for (const code of [400, 401, 403, 404, 410, 413, 422]) {
        expect(afterFailure(status(code), repeat, at(0)).kind).toBe("final");
      }
    }
    for (const failure of [broken, status(408), status(500), status(503)]) {
      expect(afterFailure(failure, "harmless", at(0)).kind).toBe("again");
      expect(afterFailure(failure, "doubtful", at(0)).kind).toBe("doubt");
    }
    expect(afterFailure(status(409), "harmless", at(9, 0)).kind).toBe("again");
    expect(afterFailure(status(409), "harmless", at(9, 5)).kind).toBe("final");
    expect(afterFailure(status(409), "doubtful", at(0)).kind).toBe("final");
  });

  it("waits longer each time, up to 10 s, or as long as the server asks, up to a minute", () => {
    const waits = [0, 1, 2, 3, 4, 5, 50].map((attempt) => afterFailure(broken, "harmless", at(attempt)));
    expect(waits).toEqual([0.5, 1, 2, 4, 8, 10, 10].map((seconds) => ({ kind: "again", seconds })));
    expect(afterFailure(broken, "harmless", { attempt: 1, conflicts: 0, jitter: 1 })).toMatchObject({ seconds: 0.75 });
    expect(afterFailure(status(429, { retryAfter: 7 }), "harmless", at(0))).toMatchObject({ seconds: 7 });
    expect(afterFailure(status(503, { retryAfter: 1e9 }), "harmless", at(0))).toMatchObject({ seconds: 60 });
  });

  it("is what the server says of it", () => {
    expect(afterFailure(status(500, { shouldRetry: false }), "harmless", at(0)).kind).toBe("final");
    expect(afterFailure(status(404, { shouldRetry: true }), "harmless", at(0)).kind).toBe("again");
    expect(afterFailure(status(404, { shouldRetry: true }), "doubtful", at(0)).kind).toBe("final");
  });
});

describe("a question after a promise", () => {
  it("is asked again at once where it was held open, later where something is wrong", () => {
    expect(afterPollFailure(status(408), 9, 0)).toEqual({ kind: "again", seconds: 0 });
    expect(afterPollFailure({ ...broken, slow: true } as Failure, 9, 0)).toEqual({ kind: "again", seconds: 0 });
    expect(afterPollFailure(status(502), 0, 0)).toEqual({ kind: "again", seconds: 0 });
    expect(afterPollFailure(status(502), 20, 0)).toEqual({ kind: "again", seconds: 30 });
    expect(afterPollFailure(unreachable, 3, 0)).toEqual({ kind: "again", seconds: 8 });
    expect(afterPollFailure(status(429), 10, 0)).toEqual({ kind: "again", seconds: 30 });
  });

  it("ends with a promise that is gone, a refusal that stays, and an account that is not paid", () => {
    expect(afterPollFailure(status(410), 0, 0).kind).toBe("resubmit");
    expect(afterPollFailure(status(400), 0, 0).kind).toBe("again");
    expect(afterPollFailure(status(400), 5, 5).kind).toBe("final");
    expect(afterPollFailure(status(404), 0, 0).kind).toBe("final");
    expect(afterPollFailure(status(402), 0, 0)).toEqual({ kind: "billing", seconds: 5 });
  });
});
