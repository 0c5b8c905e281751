// `sqlm serve` as it is called: what is refused before a model is opened. What it serves is tested in test/serve/.
import { afterEach, expect, test, vi } from "vitest";
import { runCli } from "./scripted-parts.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each<[string[], string | undefined, RegExp]>([
  [["--host", "0.0.0.0"], undefined, /To listen on 0\.0\.0\.0, beyond this machine, a key is needed in SQLM_SERVE_KEY/],
  [["--host", "0.0.0.0"], "", /a key is needed/],
  [["--host", "0.0.0.0"], "short", /at least 16 characters/],
  [[], "two words", /visible ASCII/],
  [["--port", "http"], undefined, /--port must be a whole number/],
  [["--max-tokens", "0"], undefined, /--max-tokens must be a whole number of at least 1/],
])("%j with the key %j", async (args, key, sentence) => {
  vi.stubEnv("SQLM_SERVE_KEY", key);
  const openEngine = () => expect.fail("no model is opened");
  const { code, stderr } = await runCli(["serve", "models/arithmetic", ...args], { openEngine });
  expect(stderr).toMatch(sentence);
  expect(code).toBe(2);
});

test("a model that is none is named", async () => {
  const { code, stderr } = await runCli(["serve", "models/arithmetik"]);
  expect(stderr).toContain('Did you mean "arithmetic"?');
  expect(code).toBe(2);
});

test("the key is no setting of a run, and no mistake either", async () => {
  vi.stubEnv("SQLM_SERVE_KEY", "0123456789abcdef");
  const { code, stdout } = await runCli(["config", "--json"]);
  expect(code).toBe(0);
  expect(stdout).not.toContain("0123456789abcdef");
});
