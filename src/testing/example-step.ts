// A step as self-play on additions would record it, made from a seed without any model: for tests and benches of stores
// and of what reads them.
import type { GroupRecord, StepRecord } from "../events.ts";
import { type Random, randomStream } from "../random.ts";
import type { Completion, Evaluation, JudgedProposal, Refusal } from "../types.ts";
import { vote } from "../verify/vote.ts";

export interface ExampleStepOptions {
  readonly seed?: number;
  /** Questions that are solved; twice as many are proposed. Default 4. */
  readonly questions?: number;
  /** Answers to each. Default 4. */
  readonly groupSize?: number;
  /** Also a metric that is not a number, as a run that went wrong has. */
  readonly notANumber?: boolean;
}

/** The same step for the same step number and options. */
export function exampleStep(step: number, options: ExampleStepOptions = {}): StepRecord {
  const { seed = 1, questions = 4, groupSize = 4, notANumber = false } = options;
  const random = randomStream("example-step", seed, step);
  const groups = Array.from({ length: questions }, (_, i) => exampleGroup(random, i, groupSize));
  const proposals: JudgedProposal[] = [];
  for (let i = 0; i < 2 * questions; i++) {
    const question = i < questions ? groups[i].question : null;
    const { promptTokens, ...completion } = exampleCompletion(random, 10);
    const refusal: Refusal | null = question === null ? { kind: "malformed", says: "no operator" } : null;
    proposals.push({
      ...completion,
      promptTokens,
      text: "",
      ask: 0,
      question,
      refusal,
      reward: i % 3,
      advantage: i / 7,
    });
  }
  const agreement = groups.reduce((sum, { verdict }) => sum + verdict.agreement, 0);
  const loss = random.normal();
  return {
    step,
    proposals,
    groups,
    metrics: {
      agreement: agreement / questions,
      loss: notANumber ? Number.NaN : loss,
      gradNorm: random.next(),
      secondsSampling: 0.5,
    },
    seconds: 1.5,
  };
}

function exampleGroup(random: Random, proposal: number, groupSize: number): GroupRecord {
  const [a, b] = [random.integer(0, 9999), random.integer(0, 9999)];
  const [right, wrong] = [String(a + b), String(a + b + 10)];
  const answers = Array.from({ length: groupSize }, (_, i) => {
    const draw = random.next();
    const value = draw < 0.6 ? right : draw < 0.9 ? wrong : null;
    const refusal = value === null ? { reason: "no number" } : {};
    return { ...exampleCompletion(random, 6), text: "", form: i % 2, value, ...refusal };
  });
  const verdict = vote(answers);
  const { winner, agreement, problem } = verdict;
  return {
    question: {
      text: `${a}+${b}=`,
      key: `${Math.min(a, b)}+${Math.max(a, b)}`,
      difficulty: String(Math.max(a, b)).length,
    },
    proposal,
    answers: answers.map((answer, i) => ({ ...answer, reward: verdict.scores[i], advantage: random.normal() })),
    verdict,
    proposerReward: agreement,
    signal: problem ?? (agreement === 1 ? "all-equal" : "trained"),
    truth: {
      labelRight: winner === null ? null : winner === right,
      accuracy: answers.filter(({ value }) => value === right).length / groupSize,
    },
  };
}

function exampleCompletion(random: Random, length: number): Completion & { readonly promptTokens: readonly number[] } {
  const ids = (): number[] => Array.from({ length }, () => random.integer(0, 200));
  return {
    promptTokens: ids(),
    tokens: ids(),
    logprobs: Array.from({ length }, () => -random.next()),
    stopReason: random.next() < 0.9 ? "stop" : "length",
  };
}

/** An evaluation of two levels that gets better with `step`. */
export function exampleEvaluation(step: number): Evaluation {
  const passAt1 = 1 - 1 / (2 + step);
  const level = { passAt1, passAt1Interval: [passAt1 - 0.05, passAt1 + 0.05] as const, greedy: passAt1, questions: 50 };
  return {
    model: "models/example",
    topic: "arithmetic",
    levels: [
      { difficulty: 3, majAt16: 0.9, ...level },
      { difficulty: 4, majAt16: 0.5, ...level },
    ],
  };
}
