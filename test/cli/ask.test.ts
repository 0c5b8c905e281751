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

test("the first answer is shown as it comes, where the engine tells tokens, and --json says nothing of it", async () => {
  const open = () => createScriptedEngine({ reply: ({ sample }) => (sample === 0 ? "975" : "5\u001b[2J") });
  const asking = ["ask", "models/arithmetic", "321+654=", "--votes", "4"];
  const shown = await runCli(asking, { openEngine: async () => open() });
  expect(shown.stdout).toMatch(/^The first of up to 4 answers:\n975\n\n321\+654= → /);
  const json = await runCli([...asking, "--json"], { openEngine: async () => open() });
  expect(JSON.parse(json.stdout)).toMatchObject({ verdict: { groupSize: 4 } });
  expect(json.stderr).not.toContain("The first of");
  const engine = open();
  const whole = { ...engine, capabilities: { ...engine.capabilities, tellsTokens: false } };
  expect((await runCli(asking, { openEngine: async () => whole })).stdout).toMatch(/^321\+654= → /);
});

test("a text that comes is harmless, and what is said next begins a line of its own", async () => {
  const reply = "9\u001b[2J\n8".padEnd(400, "7");
  const engine = createScriptedEngine({ reply: () => reply });
  const { stdout } = await runCli(["ask", "models/arithmetic", "1+1=", "--votes", "1"], {
    openEngine: async () => engine,
  });
  expect(stdout).toMatch(/^The answer:\n9⟨ESC⟩\[2J\n87+\n1\+1= → /);
});

test("Ctrl-C ends every answer, and the command says so with its exit code", async () => {
  const engine = createScriptedEngine({ reply: () => "9".repeat(300) });
  const lengths: number[] = [];
  const openPolicy = async (): Promise<Policy> => {
    const policy = await engine.openPolicy();
    const sample: Policy["sample"] = async (asks, options, listener = () => true) => {
      const rows = await policy.sample(asks, options, (piece) => {
        if (piece.sample === 0 && piece.ask === 0) process.emit("SIGINT");
        return listener(piece);
      });
      lengths.push(...rows.flat().map(({ tokens }) => tokens.length));
      return rows;
    };
    return { ...policy, sample };
  };
  const asking = ["ask", "models/arithmetic", "321+654=", "--votes", "4", "--all-votes"];
  const { code, stdout, stderr } = await runCli(asking, { openEngine: async () => ({ ...engine, openPolicy }) });
  expect(code).toBe(130);
  expect(lengths.every((length) => length === 1)).toBe(true);
  expect(stdout).not.toContain("→");
  expect(stderr).toContain("Ending. Press Ctrl-C again to quit at once.");
});

test("what was cut off does not vote", async () => {
  expect(await ask("9".repeat(400))).toEqual([null, null, null, null]);
});
