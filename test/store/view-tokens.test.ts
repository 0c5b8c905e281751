// Tokens of a run, counted from its record, against the same counted from the events.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import type { StepRecord } from "../../src/events.ts";
import { openReader } from "../../src/store/queries.ts";
import { countTokens, packTokens } from "../../src/store/token-blob.ts";
import { recordedTokens } from "../../src/store/view-tokens.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleStep } from "../../src/testing/example-step.ts";

test("tokens are counted as they were sent: prompts once, what taught with its prompt", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-tokens-"));
  try {
    const record: StepRecord = exampleStep(1);
    await using workspace = openWorkspace(folder);
    const config = runConfigSchema.parse({ steps: 1 });
    await using store = workspace.createRun(config, { name: "counted" });
    store.append({ type: "run-start", run: "counted", fromStep: 0, steps: 1 });
    store.append({ type: "step-end", record });
    using reader = openReader(folder);
    const { prefill, sample, train } = recordedTokens(reader, "counted");
    const answers = record.groups.flatMap((group) => group.answers.map((answer) => ({ group, answer })));
    const length = (rows: readonly { readonly tokens: readonly number[] }[]): number =>
      rows.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(sample).toBe(length(record.proposals) + length(answers.map(({ answer }) => answer)));
    const once = (rows: readonly (readonly [key: string, tokens: number])[]): number =>
      [...new Map(rows).values()].reduce((sum, count) => sum + count, 0);
    const ofProposals = once(record.proposals.map(({ promptTokens }) => [String(promptTokens), promptTokens.length]));
    const ofAnswers = once(
      answers.map(({ group, answer }) => [`${group.proposal} ${answer.form}`, answer.promptTokens.length]),
    );
    expect(prefill).toBe(ofProposals + ofAnswers);
    const taught = once([
      ...record.proposals
        .filter(({ advantage }) => advantage !== 0)
        .map(
          (one) =>
            [
              JSON.stringify([one.promptTokens, one.tokens, one.advantage]),
              one.promptTokens.length + one.tokens.length,
            ] as const,
        ),
      ...answers
        .filter(({ answer }) => answer.advantage !== 0)
        .map(
          ({ group, answer: one }) =>
            [
              JSON.stringify([group.proposal, one.form, one.tokens, one.advantage]),
              one.promptTokens.length + one.tokens.length,
            ] as const,
        ),
    ]);
    expect(train).toBe(taught);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("token ids are counted without being read", () => {
  for (const tokens of [[], [0], [127, 128], [2 ** 31 - 1, 1, 20_000]])
    expect(countTokens(packTokens(tokens))).toBe(tokens.length);
});
