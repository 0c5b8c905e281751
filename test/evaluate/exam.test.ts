// An exam asks each question once greedily and some times at temperature 1, and counts what is right. Played by a scripted model.
import { describe, expect, test, vi } from "vitest";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { compareExams } from "../../src/evaluate/compare.ts";
import { type Exam, holdExam, type QuestionOutcome, scoresOf } from "../../src/evaluate/exam.ts";
import type { Question } from "../../src/types.ts";

const question = (text: string): Question => ({ text, key: text, difficulty: 1 });

/** Numbers to be said again; `x` cannot be read. */
function exam(texts: readonly string[], tokenizer: { decode(tokens: readonly number[]): string }, votes = true): Exam {
  return {
    questions: texts.map(question),
    maxTokens: 6,
    votes,
    prompt: ({ text }) => text,
    read: ({ tokens }) => {
      const text = tokenizer.decode(tokens);
      return text.includes("x") ? { text, value: null, reason: "an x" } : { text, value: text };
    },
    check: ({ text }, { value }) => value === text,
  };
}

/** Says the prompt again, but something else at temperature 1 in one of `oneIn` answers. */
const scripted = (oneIn: number) =>
  createScriptedPolicy({ reply: ({ prompt, random }) => (random.integer(1, oneIn) === 1 ? "x" : prompt) });

describe("an exam", () => {
  test("gives the same whether questions are asked together or one by one, and tells how far it is", async () => {
    const player = scripted(3);
    const texts = ["12", "7", "300", "45", "6"];
    const options = { samples: 4, seed: 3 };
    const whole = await holdExam(player, exam(texts, player.tokenizer), options);
    const seen: number[] = [];
    const parts = await holdExam(player, exam(texts, player.tokenizer), {
      ...options,
      pace: { questions: 2, seconds: 0 },
      onJudged: (outcomes) => seen.push(outcomes.length),
    });
    expect(parts).toEqual(whole);
    // Each call takes too long, yet fewer than at first would be slower still.
    expect(seen).toEqual([2, 4, 5]);
    const quick: number[] = [];
    const growing = { questions: 1, seconds: 1e9 };
    const grown = await holdExam(player, exam(texts, player.tokenizer), {
      ...options,
      pace: growing,
      onJudged: (outcomes) => quick.push(outcomes.length),
    });
    expect(grown).toEqual(whole);
    expect(quick).toEqual([1, 3, 5]);
    // What is known already takes no time, so nothing follows from it.
    const known = { ...player, tokenizer: player.tokenizer, capabilities: player.capabilities, sampled: 0 };
    quick.length = 0;
    await holdExam(known, exam(texts, player.tokenizer), {
      ...options,
      pace: growing,
      onJudged: (outcomes) => quick.push(outcomes.length),
    });
    expect(quick).toEqual([1, 2, 3, 4, 5]);
    expect(whole.map(({ question: { text } }) => text)).toEqual(texts);
    const other = await holdExam(player, exam(texts, player.tokenizer), { ...options, seed: 4 });
    expect(other).not.toEqual(whole);
  });

  test("asks fewer together where a call took too long, and never fewer than at first", async () => {
    let now = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
    // From the third call on an answer takes two seconds.
    let answers = 0;
    const reply = ({ prompt }: { readonly prompt: string }): string => {
      if (++answers > 6) now += 2000;
      return prompt;
    };
    const player = createScriptedPolicy({ reply });
    const judged: number[] = [];
    const texts = Array.from({ length: 20 }, (_, i) => String(i));
    await holdExam(player, exam(texts, player.tokenizer), {
      samples: 0,
      seed: 3,
      pace: { questions: 2, seconds: 3 },
      onJudged: (outcomes) => judged.push(outcomes.length),
    });
    clock.mockRestore();
    // 2, 4, then 8 in 16 seconds, 4 in 8, and 2 in 4.
    expect(judged).toEqual([2, 6, 14, 18, 20]);
  });

  test("a question that leaves no room counts as wrong; where none does, nobody can be examined", async () => {
    const player = createScriptedPolicy({ reply: ({ prompt }) => prompt, maxSequenceTokens: 10 });
    const outcomes = await holdExam(player, exam(["12", "123456789"], player.tokenizer), { samples: 2, seed: 1 });
    const scores = scoresOf(outcomes);
    expect(scores).toMatchObject({ tooLong: 1, answers: 3, questions: 2 });
    expect(scores.greedy.value).toBe(0.5);
    expect(scores.passAt1?.value).toBe(0.5);
    expect(scores.vote?.value).toBe(0.5);
    await expect(holdExam(player, exam(["123456789"], player.tokenizer), { samples: 2, seed: 1 })).rejects.toThrow(
      "No question leaves room",
    );
  });

  test("without samples there is the most likely answer only", async () => {
    const player = scripted(1e9);
    const outcomes = await holdExam(player, exam(["1", "2"], player.tokenizer), { samples: 0, seed: 1 });
    expect(scoresOf(outcomes)).toMatchObject({ samples: 0, passAt1: null, vote: null, passAtK: {}, answers: 2 });
  });
});

describe("scores", () => {
  const answer = (value: string | null, right: boolean, cutOff = false) => ({
    text: value ?? "",
    value,
    right,
    cutOff,
  });
  const outcome = (
    text: string,
    rights: readonly boolean[],
    greedy: boolean,
    voteRight: boolean | null,
  ): QuestionOutcome => ({
    question: question(text),
    sampled: rights.map((right) => answer(right ? text : "other", right)),
    greedy: answer(greedy ? text : null, greedy, !greedy),
    voteRight,
  });

  test("of a few questions, by hand", () => {
    const scores = scoresOf([
      outcome("a", [true, true, true, false], true, true),
      outcome("b", [false, false, false, false], false, false),
      outcome("c", [true, false, false, false], true, false),
    ]);
    expect(scores).toMatchObject({ questions: 3, samples: 4, answers: 15, unreadable: 1, cutOff: 1, tooLong: 0 });
    expect(scores.passAt1?.value).toBeCloseTo((0.75 + 0 + 0.25) / 3, 12);
    // Of 4 answers with one right, 3 of 6 pairs have it.
    expect(scores.passAtK["2"].value).toBeCloseTo((1 + 0 + 0.5) / 3, 12);
    expect(scores.passAtK["4"].value).toBeCloseTo(2 / 3, 12);
    expect(Object.keys(scores.passAtK)).toEqual(["2", "4"]);
    expect(scores.greedy.value).toBeCloseTo(2 / 3, 12);
    expect(scores.vote?.value).toBeCloseTo(1 / 3, 12);
    for (const score of [scores.passAt1, scores.greedy, scores.vote, ...Object.values(scores.passAtK)]) {
      const { value, interval } = score ?? expect.fail("it is there");
      expect(interval[0]).toBeLessThan(value);
      expect(interval[1]).toBeGreaterThan(value);
    }
  });

  test("are compared by question, whatever their order; what only one was asked is left out", () => {
    const before = [outcome("a", [true, false], true, null), outcome("b", [false, false], false, null)];
    const after = [outcome("c", [true, true], true, null), outcome("b", [true, true], true, null), before[0]];
    const found = compareExams(before, after);
    expect(found.questions).toBe(2);
    expect(found.vote).toBeNull();
    expect(found.greedy).toMatchObject({ before: 0.5, after: 1, better: 1, worse: 0, errorsRemoved: 1 });
    expect(found.passAt1).toMatchObject({ before: 0.25, after: 0.75, better: 1, worse: 0 });
  });
});
