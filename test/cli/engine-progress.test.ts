// What people see of the engine's long calls.
import { describe, expect, test, vi } from "vitest";
import { engineProgress, progressLine } from "../../src/cli/engine-progress.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

function screen(options: { json?: boolean; interactive?: boolean }) {
  const shown: (string | null)[] = [];
  const noted: string[] = [];
  const terminal = {
    json: options.json ?? false,
    interactive: options.interactive ?? true,
    status: (line: string | null) => shown.push(line),
    note: (line: string) => noted.push(line),
  } as unknown as Terminal;
  return { terminal, shown, noted };
}

describe("progress of the engine", () => {
  const sampling = (done: number, tokens: number) => ({ stage: "sampling", done, total: 128, tokens }) as const;

  test("says stage, how far, tokens a second and time left", () => {
    expect(progressLine(sampling(32, 900), 3)).toBe("sampling 32/128 answers, 300 tokens/s, 9 s left");
    expect(progressLine(sampling(128, 900), 3)).toBe("sampling 128/128 answers, 300 tokens/s");
    expect(progressLine(sampling(0, 900), 3)).toBe("sampling 0/128 answers, 300 tokens/s");
    // The first of 128 answers has ended; the others may get 64 tokens and have 40.
    const early = { ...sampling(1, 5000), mostLeft: 127 * 24 };
    expect(progressLine(early, 10)).toBe("sampling 1/128 answers, 500 tokens/s, 6 s left");
    expect(progressLine({ ...early, done: 0 }, 10)).toBe("sampling 0/128 answers, 500 tokens/s");
    expect(progressLine({ stage: "loading", done: 5, total: 20, tokens: 0 }, 4)).toBe(
      "loading 25 % weights, 12 s left",
    );
  });

  test("is silent for two seconds and with --json, is a line on a terminal, which goes when the call ends", () => {
    for (const json of [true, false]) {
      let now = 0;
      const { terminal, shown, noted } = screen({ json });
      const report = engineProgress(terminal, () => now);
      now = 1000;
      report(sampling(16, 100));
      expect(shown).toEqual([]);
      now = 4000;
      report(sampling(32, 400));
      now = 8000;
      report(sampling(128, 1600));
      expect(shown).toEqual(json ? [] : ["sampling 32/128 answers, 100 tokens/s, 12 s left", null]);
      expect(noted).toEqual([]);
    }
  });

  test("times each call for itself, also two of one stage", () => {
    let now = 0;
    const { terminal, shown } = screen({});
    const report = engineProgress(terminal, () => now);
    now = 10_000;
    report(sampling(128, 1000));
    now = 14_000;
    report(sampling(32, 400));
    expect(shown.at(-1)).toBe("sampling 32/128 answers, 100 tokens/s, 12 s left");
    now = 18_000;
    report({ stage: "training", done: 100, total: 400, tokens: 100 });
    expect(shown.at(-1)).toBe("training 100/400 tokens, 25 tokens/s, 12 s left");
  });

  test("in a log is a line now and then", () => {
    let now = 0;
    const { terminal, shown, noted } = screen({ interactive: false });
    const report = engineProgress(terminal, () => now);
    for (let done = 1; done < 128; done++) {
      now += 1000;
      report(sampling(done, done * 10));
    }
    expect(shown).toEqual([]);
    expect(noted.length).toBeGreaterThan(5);
    expect(noted.length).toBeLessThan(10);
  });

  test("says what is waited for, also where the clock on the wall goes back", () => {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    try {
      const { terminal, noted } = screen({ interactive: false });
      const report = engineProgress(terminal);
      vi.setSystemTime(0);
      vi.advanceTimersByTime(20_000);
      report({ stage: "waiting", done: 0, total: 0, tokens: 0, waiting: "waiting 20 s for sampling: no capacity" });
      expect(noted).toEqual(["waiting 20 s for sampling: no capacity"]);
    } finally {
      vi.useRealTimers();
    }
  });
});
