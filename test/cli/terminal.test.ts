// A text that comes bit by bit beside the line of progress, on one screen.
import { PassThrough } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import { engineProgress } from "../../src/cli/engine-progress.ts";
import { openTerminal } from "../../src/cli/terminal.ts";

afterEach(() => vi.unstubAllEnvs());

/** A terminal whose two streams are one screen, as a person has it. */
function screen(json = false) {
  vi.stubEnv("CI", undefined);
  vi.stubEnv("TERM", "xterm");
  const stream = Object.assign(new PassThrough(), { isTTY: true as const, columns: 80 });
  const terminal = openTerminal(json, { output: stream, error: stream });
  return { terminal, written: () => String(stream.read() ?? "") };
}

test("progress erases nothing of a text that comes, and is back when the text has ended its line", () => {
  const { terminal, written } = screen();
  terminal.status("sampling");
  terminal.stream("one ");
  expect(terminal.streaming).toBe(true);
  terminal.status("sampling 1");
  terminal.stream("two");
  terminal.say("a line");
  expect(terminal.streaming).toBe(false);
  terminal.status("sampling 2");
  expect(written()).toBe("sampling\r\u001b[2Kone two\na line\nsampling 2");
  terminal.stream("three\n");
  expect(terminal.streaming).toBe(false);
});

test("no progress is said while a text comes, which says by itself that work goes on", () => {
  const { terminal, written } = screen();
  let now = 0;
  const report = engineProgress(terminal, () => now);
  const sampling = (done: number) => report({ stage: "sampling", done, total: 8, tokens: 10 * done });
  sampling(0);
  now = 4000;
  terminal.stream("text");
  sampling(1);
  expect(written()).toBe("text");
  terminal.stream("\n");
  sampling(2);
  expect(written()).toContain("sampling 2/8 answers");
});

test("with --json nothing of it is written", () => {
  const { terminal, written } = screen(true);
  terminal.stream("text");
  expect(terminal.streaming).toBe(false);
  expect(written()).toBe("");
});
