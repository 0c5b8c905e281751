import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { askVote } from "../../src/play/ask-vote.ts";
import { answersSaved, type SolveOptions, solve } from "../../src/play/solve.ts";
import {
  answersToAsk,
  answersToElect,
  earlyLook,
  firstLook,
  formVote,
  standsFor,
  type VoterSettings,
} from "../../src/play/voters.ts";
import { randomStream } from "../../src/random.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { sumQuestion, writeNumber } from "../../src/topics/arithmetic-notation.ts";
import { vote } from "../../src/verify/vote.ts";

type Values = readonly (string | null)[];

type Rule = (forms: Parameters<typeof answersToAsk>[0]) => number[];

/** Asks as a vote does that stops, where the answers of each form are known beforehand; how many it asked of each. */
const stopped = (forms: readonly Values[], settings: VoterSettings, begin = firstLook): number[] =>
  stoppedBy(forms, (votes) => answersToAsk(votes, settings), begin);

function stoppedBy(forms: readonly Values[], rule: Rule, begin: (limit: number) => number = firstLook): number[] {
  const asked = forms.map((values) => begin(values.length));
  for (let rounds = 0; ; rounds++) {
    expect(rounds).toBeLessThan(40);
    const more = rule(forms.map((values, i) => formVote(values.slice(0, asked[i]), values.length)));
    if (more.every((answers) => answers === 0)) return asked;
    for (const [i, answers] of more.entries()) asked[i] += answers;
    for (const [i, values] of forms.entries()) expect(asked[i]).toBeLessThanOrEqual(values.length);
  }
}

const verdictOf = (forms: readonly Values[]) =>
  vote(forms.flatMap((values, form) => values.map((value) => ({ form, value }))));

/** All orders of `against` votes for b among `length`, the others for a. */
function placings(length: number, against: number): string[][] {
  if (against > length || against < 0) return [];
  if (length === 0) return [[]];
  const behind = (first: string, left: number) => placings(length - 1, left).map((rest) => [first, ...rest]);
  return [...behind("a", against), ...behind("b", against - 1)];
}

const value = fc.constantFrom("a", "a", "a", "b", "c", null);
const group = fc.array(fc.array(value, { minLength: 2, maxLength: 9 }), { minLength: 1, maxLength: 4 });
const settings = fc.record({ minAgreement: fc.constantFrom(0, 0.5, 0.6, 0.9), completeDisputed: fc.boolean() });

describe("votes that stop when decided", () => {
  it("elect in all forms what the whole group elects, and give up only what teaches nothing", () => {
    fc.assert(
      fc.property(group, settings, (forms, given) => {
        const asked = stopped(forms, given);
        const whole = verdictOf(forms);
        const part = verdictOf(forms.map((values, i) => values.slice(0, asked[i])));
        const teaches = (verdict: typeof whole) => verdict.consistent && verdict.agreement >= given.minAgreement;
        if (teaches(whole)) {
          expect(part).toMatchObject({ consistent: true, winner: whole.winner });
          if (given.completeDisputed) expect(part.agreement).toBeGreaterThanOrEqual(given.minAgreement);
        }
        // Nothing is elected that the whole group would not elect.
        if (teaches(part) && given.completeDisputed && part.agreement < 1) expect(part.winner).toBe(whole.winner);
      }),
      { numRuns: 2000 },
    );
  });

  it("ask after an early look what they ask without it, or give up where fewer than half of it agree", () => {
    fc.assert(
      fc.property(group, settings, (forms, given) => {
        const begin = (limit: number): number => earlyLook(limit, forms.length);
        const asked = stopped(forms, given, begin);
        const early = forms.map((values) => values.slice(0, begin(values.length)));
        const most = verdictOf(early).counts[0]?.[1] ?? 0;
        const share = most / early.flat().length;
        const isBefore = forms.some(({ length }) => begin(length) < firstLook(length));
        if (isBefore && share < Math.min(0.5, given.minAgreement)) {
          expect(asked).toEqual(early.map(({ length }) => length));
        } else {
          // What could not be elected from the early look on is given up sooner.
          const plain = stopped(forms, given);
          for (const [i, answers] of asked.entries()) expect(answers).toBeLessThanOrEqual(plain[i]);
          const whole = verdictOf(forms);
          if (whole.consistent && whole.agreement >= given.minAgreement) expect(asked).toEqual(plain);
        }
      }),
      { numRuns: 2000 },
    );
    expect([earlyLook(16, 1), earlyLook(8, 2), earlyLook(5, 3), earlyLook(2, 5), earlyLook(3, 1)]).toEqual([
      4, 2, 2, 2, 2,
    ]);
  });

  it("leave groups that will teach as they are", () => {
    fc.assert(
      fc.property(group, fc.constantFrom(0, 0.5, 0.6), (forms, minAgreement) => {
        const asked = stopped(forms, { minAgreement, completeDisputed: true });
        const part = verdictOf(forms.map((values, i) => values.slice(0, asked[i])));
        const whole = verdictOf(forms);
        if (whole.consistent && whole.agreement >= minAgreement && part.agreement < 1) {
          expect(asked).toEqual(forms.map(({ length }) => length));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("elect for one who only asks what the whole vote elects, and say rightly whether all forms do", () => {
    fc.assert(
      fc.property(group, (forms) => {
        const asked = stoppedBy(forms, answersToElect);
        const whole = verdictOf(forms);
        const part = verdictOf(forms.map((values, i) => values.slice(0, asked[i])));
        expect([part.winner, part.consistent]).toEqual([whole.winner, whole.consistent]);
      }),
      { numRuns: 2000 },
    );
  });

  it("weigh groups that are asked to their end so that they teach what all would, whatever the order of answers", () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.array(fc.boolean(), { minLength: 3, maxLength: 6 }),
          fc.array(fc.boolean(), { minLength: 3, maxLength: 5 }),
        ),
        (forms) => {
          // Every order of the votes against the winner in each form, of which some are stopped unanimous.
          const orders = forms.map((votes) => placings(votes.length, votes.filter((vote) => !vote).length));
          let [groups, weights] = [0, 0];
          for (const one of orders[0]) {
            for (const other of orders[1]) {
              const values = [one, other];
              const whole = verdictOf(values);
              if (!whole.consistent || whole.winner !== "a" || whole.agreement === 1) continue;
              groups++;
              const asked = stopped(values, { minAgreement: 0.5, completeDisputed: true });
              const part = verdictOf(values.map((ofForm, i) => ofForm.slice(0, asked[i])));
              if (part.agreement === 1) continue;
              const answers = values.flatMap((ofForm, form) => ofForm.map((value) => ({ form, value })));
              weights += standsFor({ answers, verdict: whole });
            }
          }
          expect(weights).toBeCloseTo(groups, 9);
        },
      ),
    );
    const unanimous = { answers: [{ form: 0, value: "a" }], verdict: { winner: "a" } };
    expect(standsFor(unanimous)).toBe(1);
    // Programs have no winner, and what cannot be read of them is not for it.
    const programs = ["p", null, null, null, null].map((value) => ({ form: 0, value }));
    expect(standsFor({ answers: programs, verdict: { winner: null } })).toBe(1);
  });

  it("ask ten of sixteen where all agree in three forms, nine in one", () => {
    const same = (count: number): Values => Array.from({ length: count }, () => "a");
    const options = { minAgreement: 0.5, completeDisputed: true };
    expect(stopped([same(6), same(5), same(5)], options)).toEqual([4, 3, 3]);
    expect(stopped([same(16)], options)).toEqual([9]);
  });

  it("give up where forms elect different winners, where nothing can win, and where too few agree", () => {
    const options = { minAgreement: 0.5, completeDisputed: true };
    expect(stopped([[..."aaaaaa"], [..."bbbbb"], [..."aaaaa"]], options)).toEqual([4, 3, 3]);
    expect(stopped([[..."abcdabcd"]], options)).toEqual([7]);
    expect(stopped([[..."abcdabcd"]], { ...options, minAgreement: 0 })).toEqual([8]);
  });

  it.each([
    [1, 0.43, 0.45],
    [0.9, 0.36, 0.42],
    [0.7, 0.26, 0.34],
    [0.5, 0.14, 0.27],
  ])("save by exact stopping alone, with 16 answers of which a share of %d is right, from %d to %d", (p, low, high) => {
    const random = randomStream("exact stop", p);
    let [asked, groups] = [0, 2000];
    for (let i = 0; i < groups; i++) {
      const values = Array.from({ length: 16 }, () => (random.next() < p ? "a" : String(random.next())));
      asked += stopped([values], { minAgreement: 0, completeDisputed: false })[0];
    }
    const saved = 1 - asked / (16 * groups);
    expect(saved).toBeGreaterThan(low);
    expect(saved).toBeLessThan(high);
  });
});

describe("solve with votes that stop", () => {
  const engine = createScriptedPolicy({
    reply: ({ random }) => writeNumber(String(random.next() < 0.75 ? 12 : random.integer(1, 40))),
  });
  const options: SolveOptions = {
    ...{ groupSize: 16, consistentVote: true, heldOutKeys: new Set<string>(), seed: 3 },
    ...{ temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" },
  };
  const proposals = Array.from({ length: 40 }, (_, i) => ({
    question: sumQuestion({ left: String(i), operator: "+", right: "7" }),
    refusal: null,
  }));

  it("gives each form a prefix of what the whole group gives it, in form order", async () => {
    const whole = await solve(engine, arithmetic.topic, proposals, { ...options, consistentVote: false });
    const part = await solve(engine, arithmetic.topic, proposals, {
      ...{ ...options, consistentVote: false },
      stopVotes: { minAgreement: 0.5 },
    });
    for (const [i, { answers }] of part.entries()) expect(answers).toEqual(whole[i].answers.slice(0, answers.length));
    expect(answersSaved(part, 16)["answersSaved"]).toBeGreaterThan(0.03);
    expect(answersSaved(whole, 16)).toEqual({ answersSaved: 0 });
    const forms = await solve(engine, arithmetic.topic, proposals, { ...options, stopVotes: { minAgreement: 0.5 } });
    for (const { answers } of forms) {
      const order = answers.map(({ form }) => form);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  it("asks one question as `sqlm ask` does with the first answers of the whole vote, and its winner", async () => {
    const [{ question }] = proposals;
    const asking = { votes: 16, seed: 1, truncatedReplies: "refuse" as const };
    const whole = await askVote(engine, arithmetic.topic, question, { ...asking, stop: false });
    const part = await askVote(engine, arithmetic.topic, question, { ...asking, stop: true });
    expect(whole.flatMap(({ values }) => values)).toHaveLength(16);
    for (const [i, { values }] of part.entries()) expect(values).toEqual(whole[i].values.slice(0, values.length));
    const winner = (forms: typeof whole) => verdictOf(forms.map(({ values }) => values)).winner;
    expect(winner(part)).toBe(winner(whole));
  });

  it("asks one question alike in rounds and all at once, where it ends what is not needed", async () => {
    const rounds = { ...engine, capabilities: { ...engine.capabilities, tellsTokens: false } };
    let drawn = 0;
    const counting: typeof engine = {
      ...engine,
      sample: async (asks, options, listener = () => true) => {
        // In company: a token of each in turn, as an engine draws them, where each begins three steps behind the one before.
        const rows = await engine.sample(asks, options);
        const all = rows.flatMap((row, ask) =>
          row.map(({ tokens, logprobs }, sample) => ({ ask, sample, tokens, logprobs })),
        );
        const enough = new Set<number>();
        for (let step = 0; step < options.maxTokens + 3 * all.length; step++) {
          for (const [i, { ask, sample, tokens, logprobs }] of all.entries()) {
            const at = step - 3 * i;
            if (enough.has(i) || at < 0 || at >= tokens.length) continue;
            drawn++;
            if (!listener({ ask, sample, tokens: [tokens[at]], logprobs: [logprobs[at]] })) enough.add(i);
          }
        }
        return rows;
      },
    };
    let ended = 0;
    for (const [i, { question }] of proposals.slice(0, 20).entries()) {
      const asking = { votes: 13, seed: i, stop: true, truncatedReplies: "refuse" as const };
      const expected = await askVote(rounds, arithmetic.topic, question, asking);
      expect(await askVote(counting, arithmetic.topic, question, asking)).toEqual(expected);
      const before = drawn;
      await askVote(counting, arithmetic.topic, question, { ...asking, stop: false });
      ended += drawn - before;
    }
    // All that is drawn to the end is more than what was drawn until votes were decided.
    expect(drawn - ended).toBeLessThan(ended);
  });

  it("leaves out what is on its way when it is told to end", async () => {
    const controller = new AbortController();
    const [{ question }] = proposals;
    const forms = await askVote(engine, arithmetic.topic, question, {
      ...{ votes: 9, seed: 1, stop: false, truncatedReplies: "refuse" as const },
      onPiece: ({ answer }) => {
        if (answer === 2) controller.abort();
      },
      signal: controller.signal,
    });
    expect(forms.flatMap(({ values }) => values)).toEqual([]);
  });

  it("asks all of a topic whose answers are programs: what they give is not known before they run", async () => {
    const tests = { ...arithmetic.topic, verification: "tests" as const };
    const groups = await solve(engine, tests, proposals, { ...options, stopVotes: { minAgreement: 0.5 } });
    for (const { answers } of groups) expect(answers).toHaveLength(16);
  });
});
