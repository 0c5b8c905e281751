// `sqlm ask` reads answers as training does (play/read-answer.ts).
import { expect, test } from "vitest";
import type { Engine, Policy } from "../../src/engine/engine.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { runCli } from "./scripted-parts.ts";

/** A model whose tokenizer does not mark the end token as special, so that decoding it gives text. */
function withVisibleEnd(reply: string): Engine {
  const engine = createScriptedEngine({ reply: () => reply });
  const openPolicy = async (): Promise<Policy> => {
    const policy = await engine.openPolicy();
    const { tokenizer } = policy;
    const decode = (tokens: readonly number[]): string =>
      tokens.map((token) => (tokenizer.endTokens.includes(token) ? "<end>" : tokenizer.decode([token]))).join("");
    return { ...policy, tokenizer: { ...tokenizer, decode } };
  };
  return { ...engine, openPolicy };
}

const ask = async (reply: string) => {
  const asking = ["ask", "models/arithmetic", "321+654=", "--votes", "4", "--json"];
  const { stdout, stderr, code } = await runCli(asking, { openEngine: async () => withVisibleEnd(reply) });
  expect(code, stderr).toBe(0);
  return (JSON.parse(stdout) as { forms: { values: (string | null)[] }[] }).forms.flatMap(({ values }) => values);
};

test("the end token is no part of an answer, though the tokenizer prints it", async () => {
  expect((await ask("975"))[0]).toBe("579");
});

test("what was cut off does not vote", async () => {
  expect(await ask("9".repeat(400))).toEqual([null, null, null, null]);
});
