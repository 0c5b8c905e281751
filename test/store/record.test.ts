import fc from "fast-check";
import { expect, test } from "vitest";
import type { GroupRecord } from "../../src/events.ts";
import { answersTo, findQuestions, openReader } from "../../src/store/queries.ts";
import { packTokens, unpackTokens } from "../../src/store/token-blob.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleConfig, inFolder } from "./helpers.ts";
import { readRun } from "./read-run.ts";

test("tokens come back from bytes as they were, small ones as one byte each", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1))), (tokens) => {
      expect(unpackTokens(packTokens(tokens))).toEqual(tokens);
    }),
  );
  for (const edge of [0, 127, 128, 16383, 16384, 2097151, 2097152, 268435455, 268435456, 2 ** 31 - 1]) {
    expect(unpackTokens(packTokens([edge, 1, edge]))).toEqual([edge, 1, edge]);
  }
  expect(packTokens([0, 100, 127]).length).toBe(3);
});

// Well-formed text of any characters: a lone surrogate is no text, and no decoder gives one.
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constant("'); DROP TABLE runs; --"), fc.constant("a\u0000b"));
const number = fc.oneof(fc.double({ noNaN: true }), fc.constant(-0)).map((value) => value + 0);
const fraction = fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0);
const completion = fc
  .array(fc.tuple(fc.nat(150_000), fc.double({ min: -1e6, max: 0, noNaN: true })), { maxLength: 12 })
  .chain((entries) =>
    fc.record({
      tokens: fc.constant(entries.map(([token]) => token)),
      logprobs: fc.constant(entries.map(([, logprob]) => logprob)),
      stopReason: fc.constantFrom("stop" as const, "length" as const),
      text: fc.constant(""),
    }),
  );
// A test's values are JSON, which writes -0 as 0.
const jsonValue = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const question = fc.record(
  {
    text,
    key: text,
    difficulty: number,
    tests: fc.array(fc.record({ function: text, args: fc.array(jsonValue), expected: jsonValue })),
  },
  { requiredKeys: ["text", "key", "difficulty"] },
);
const core = {
  winner: fc.option(text),
  agreement: fraction,
  unreadable: fc.nat(9),
  groupSize: fc.nat(9),
  successRate: fraction,
  scores: fc.array(fraction),
  problem: fc.constantFrom("no-answer" as const, "tie" as const, "no-tests" as const, null),
  consistent: fc.boolean(),
  confirmed: fc.boolean(),
  disputed: fc.boolean(),
};
const verdict = fc.oneof(
  fc.record({
    ...core,
    kind: fc.constant("vote" as const),
    counts: fc.array(fc.tuple(text, fc.nat(9))),
    tie: fc.boolean(),
    formWinners: fc.array(fc.option(text)),
  }),
  fc.record({
    ...core,
    kind: fc.constant("tests" as const),
    passed: fc.array(fc.array(fc.boolean())),
    passFractions: fc.array(fraction),
    meanPassFraction: fraction,
    unagreedTests: fc.array(fc.nat(9)),
    contradictoryTests: fc.array(fc.nat(9)),
    trustedTests: fc.array(fc.nat(9)),
    outputAgreement: fraction,
  }),
);
const group: fc.Arbitrary<GroupRecord> = fc
  .array(
    fc.tuple(
      completion,
      fc.nat(3),
      fc.option(text),
      fc.option(text, { nil: undefined }),
      number,
      number,
      fc.array(fc.nat(300)),
    ),
    { maxLength: 6 },
  )
  .chain((entries) =>
    fc.record({
      question,
      proposal: fc.nat(99),
      answers: fc.constant(
        entries.map(([base, form, value, reason, reward, advantage]) => ({
          ...base,
          form,
          value,
          // One prompt a form, as the solver makes them.
          promptTokens: [form, 7, form],
          reward,
          advantage,
          ...(reason === undefined ? {} : { reason }),
        })),
      ),
      verdict,
      proposerReward: number,
      signal: fc.constantFrom("trained" as const, "tie" as const, "no-tests" as const),
      truth: fc.option(fc.record({ labelRight: fc.option(fc.boolean()), accuracy: fraction })),
    }),
  );

test("questions and answers of any content come back as they were", async () => {
  await inFolder(async (folder) => {
    await using workspace = openWorkspace(folder);
    await using run = workspace.createRun(exampleConfig());
    using reader = openReader(folder);
    let step = 0;
    fc.assert(
      fc.property(fc.array(group, { maxLength: 4 }), fc.dictionary(text, fc.double()), (groups, metrics) => {
        step++;
        const zeroed = Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value + 0]));
        run.append({ type: "step-end", record: { step, proposals: [], groups, metrics: zeroed, seconds: 0 } });
        const back = readRun(folder, run.run).steps.at(-1);
        expect(back?.metrics).toEqual(zeroed);
        expect(back?.groups).toEqual(groups.map(({ answers: _, ...rest }) => rest));
        groups.forEach((expected, position) => {
          const answers = answersTo(reader, run.run, step, position, (tokens) => tokens.join(" "));
          expect(answers).toEqual(
            expected.answers.map((answer, i) => ({
              position: i,
              form: answer.form,
              promptTokens: answer.promptTokens,
              prompt: answer.promptTokens.join(" "),
              tokens: answer.tokens,
              text: answer.tokens.join(" "),
              stopReason: answer.stopReason,
              logprobSum: expect.closeTo(answer.logprobs.reduce((sum, logprob) => sum + logprob, 0)),
              logprobMin: Math.min(0, ...answer.logprobs) + 0,
              // Rounded; how far is a test of its own (token-blob.test.ts).
              logprobs: answer.logprobs.map(() => expect.any(Number)),
              value: answer.value,
              reason: answer.reason ?? null,
              reward: answer.reward,
              advantage: answer.advantage,
            })),
          );
        });
        expect(findQuestions(reader, run.run, { fromStep: step }).total).toBe(groups.length);
      }),
      { numRuns: 60 },
    );
  });
});
