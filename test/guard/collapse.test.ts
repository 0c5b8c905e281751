import { describe, expect, test } from "vitest";
import type { StepRecord } from "../../src/events.ts";
import { type Lacking, watchForCollapse } from "../../src/guard/collapse.ts";
import { exampleStep } from "../../src/testing/example-step.ts";
import type { Refusal } from "../../src/types.ts";

const settings = { learningRate: 1000 };

/** A step with proposals refused like this and no question. */
function emptyStep(step: number, refusal: Refusal): StepRecord {
  const whole = exampleStep(step);
  return { ...whole, groups: [], proposals: whole.proposals.map((one) => ({ ...one, question: null, refusal })) };
}

const mute = (record: StepRecord): StepRecord => ({
  ...record,
  groups: record.groups.map((group) => ({
    ...group,
    signal: "no-answer" as const,
    answers: group.answers.map((answer) => ({ ...answer, value: null })),
  })),
});

const untaught = (record: StepRecord): StepRecord => ({
  ...record,
  groups: record.groups.map((group) => ({ ...group, signal: "all-equal" as const })),
});

/** What is said at each step of a run. */
function watch(
  records: readonly StepRecord[],
): { readonly step: number; readonly kind: string; readonly message: string }[] {
  let lacking: Lacking = {};
  return records.flatMap((record) => {
    const watched = watchForCollapse(record, lacking, settings);
    ({ lacking } = watched);
    return watched.warnings.map((warning) => ({ step: record.step, ...warning }));
  });
}

const steps = (from: number, to: number, make: (step: number) => StepRecord): StepRecord[] =>
  Array.from({ length: to - from + 1 }, (_, i) => make(from + i));

describe("steps that teach nothing", () => {
  test("a healthy run is not warned of", () => {
    expect(watch(steps(1, 30, (step) => exampleStep(step)))).toEqual([]);
  });

  test("one without a question is said at once, with the likeliest cause, and seldom after that", () => {
    const said = watch([
      exampleStep(1),
      ...steps(2, 60, (step) => emptyStep(step, { kind: "malformed", says: "not a sum" })),
    ]);
    expect(said.map(({ step, kind }) => [step, kind])).toEqual([2, 4, 11, 21, 41].map((step) => [step, "no-question"]));
    expect(said[0].message).toContain("None of the 8 proposals of step 2");
    expect(said[0].message).toContain("8 malformed; most often: not a sum");
    expect(said[0].message).toContain("can be resumed");
    expect(said[0].message).toContain("learning rate 1000");
    expect(said[1].message).toContain("as in the 2 before it");
  });

  test("the cause that is named is another from the first step on, and where questions were asked before", () => {
    expect(watch([emptyStep(1, { kind: "malformed" })])[0].message).toContain("sqlm questions RUN --refused");
    expect(watch([exampleStep(1), emptyStep(2, { kind: "duplicate" })])[0].message).toContain("few questions");
  });

  test("replies that are cut off ask for more room", () => {
    const cut = <Reply extends object>(reply: Reply) => ({ ...reply, stopReason: "length" as const });
    const empty = emptyStep(1, { kind: "malformed", says: "cut off after 21 tokens" });
    const proposals = { ...empty, proposals: empty.proposals.map(cut) };
    expect(watch([proposals])[0].message).toMatch(/most often: cut off after 21 tokens.*--max-question-tokens/);
    const silent = mute(exampleStep(1));
    const groups = silent.groups.map((group) => ({ ...group, answers: group.answers.map(cut) }));
    expect(watch([{ ...silent, groups }])[0].message).toContain("--max-answer-tokens");
  });

  test("answers that cannot be read", () => {
    const said = watch([exampleStep(1), mute(exampleStep(2))]);
    expect(said).toMatchObject([{ step: 2, kind: "no-answer", message: expect.stringContaining("learning rate") }]);
    expect(watch([mute(exampleStep(1))])[0].message).toContain("does not fit");
  });

  test("ten in a row in which nothing taught; one that taught begins the count anew", () => {
    const said = watch(steps(1, 25, (step) => (step === 9 ? exampleStep(step) : untaught(exampleStep(step)))));
    expect(said).toMatchObject([{ step: 19, kind: "nothing-taught", message: expect.stringContaining("4 all-equal") }]);
  });
});
