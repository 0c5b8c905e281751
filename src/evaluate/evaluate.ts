// Held-out evaluation against the hidden checker: sampled pass@1, greedy, and the plurality of 16, per difficulty.
// It reads the truth, so nothing here may be imported by what makes rewards.
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import { encodePrompt } from "../play/prompts.ts";
import { originalForm, readAnswer } from "../play/read-answer.ts";
import { randomStream, seedFrom } from "../random.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { DefinedTopic, HiddenTruth } from "../topics/define-topic.ts";
import type { Topic } from "../topics/topic.ts";
import type { Evaluation, LevelResult, Question } from "../types.ts";
import { vote } from "../verify/vote.ts";
import { clusteredInterval, mean } from "./statistics.ts";

/** Answers sampled to each question, for pass@1 and for maj@16. */
export const evaluationSamples = 16;

/** Seed of the held-out sets: fixed, so that every run, seed and checkpoint is judged on the same questions. */
const heldOutSeed = "held-out";

export interface EvaluateOptions {
  /** Questions a level. */
  readonly questions: number;
  /** Name of the model in the result. */
  readonly model: string;
  /** Levels to evaluate; all of the topic's by default. */
  readonly levels?: readonly number[];
  /** Needed where the hidden checker runs programs. */
  readonly sandbox?: Sandbox | undefined;
  /** Seed of the sampled answers. */
  readonly seed?: number;
  /** What to do with a reply that was cut off at its longest length; what the topic asks for, or `refuse`. */
  readonly truncatedReplies?: PlaySettings["truncatedReplies"];
  /** Called after each level. */
  readonly onLevel?: (done: number, total: number) => void;
}

/** The held-out questions of every level: what evaluation asks and training must never see. */
export function heldOutQuestions(
  topic: Topic,
  hidden: HiddenTruth,
  questions: number,
): Map<number, readonly Question[]> {
  return new Map(
    hidden.levels.map((level) => [
      level,
      hidden.heldOut(level, questions, randomStream(heldOutSeed, topic.name, level)),
    ]),
  );
}

/**
 * Evaluates the engine's model. Throws UnsupportedError for a topic without a hidden checker: there is nothing to
 * compare with.
 *
 * @example
 * import { evaluate, openEngine, openTopic } from "self-questioning";
 *
 * const topic = await openTopic("arithmetic");
 * await using engine = await openEngine({ model: "arithmetic" });
 * await using player = await engine.openPolicy();
 * const { levels } = await evaluate(player, topic, { questions: 20, model: "arithmetic", levels: [1, 2] });
 * for (const { difficulty, passAt1 } of levels) console.log(difficulty, passAt1);
 */
export async function evaluate(
  player: Player,
  { topic, hidden }: DefinedTopic,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { questions, model, levels: wanted, onLevel } = options;
  if (hidden === null) {
    throw new UnsupportedError(
      `The topic ${topic.name} has no hidden checker, so accuracy is unknown.`,
      "Add `hidden` to the topic.",
    );
  }
  const sets = heldOutQuestions(topic, hidden, questions);
  const chosen = wanted ?? hidden.levels;
  const levels: LevelResult[] = [];
  for (const level of chosen) {
    levels.push(await evaluateLevel(player, topic, hidden, level, sets.get(level) ?? [], options));
    onLevel?.(levels.length, chosen.length);
  }
  return { model, topic: topic.name, levels };
}

async function evaluateLevel(
  player: Player,
  topic: Topic,
  hidden: HiddenTruth,
  difficulty: number,
  questions: readonly Question[],
  { sandbox, seed = 0, truncatedReplies = topic.settings?.truncatedReplies ?? "refuse" }: EvaluateOptions,
): Promise<LevelResult> {
  const valuesOf = (numSamples: number, temperature: number, drawn: number): Promise<(string | null)[][]> =>
    answerValues(player, topic, questions, { numSamples, temperature, seed: drawn, truncatedReplies });
  const sampled = await valuesOf(evaluationSamples, 1, seedFrom(seed, "evaluate", difficulty));
  const greedy = await valuesOf(1, 0, 0);
  // Equal answers are checked once: running a program takes time.
  const checked = new Map<Question, Map<string, Promise<boolean> | boolean>>(questions.map((one) => [one, new Map()]));
  const right = async (question: Question, value: string | null): Promise<boolean> => {
    if (value === null) return false;
    const known = checked.get(question);
    const verdict = known?.get(value) ?? hidden.check(question, value, sandbox);
    known?.set(value, verdict);
    return verdict;
  };

  const shares: number[] = [];
  let majorityRight = 0;
  let greedyRight = 0;
  for (const [index, question] of questions.entries()) {
    const verdicts = await Promise.all(sampled[index].map((value) => right(question, value)));
    shares.push(mean(verdicts.map(Number)));
    const { winner } = vote(sampled[index].map((value) => ({ form: 0, value })));
    if (await right(question, winner)) majorityRight++;
    if (await right(question, greedy[index][0])) greedyRight++;
  }
  return {
    difficulty,
    passAt1: mean(shares),
    passAt1Interval: clusteredInterval(shares),
    greedy: greedyRight / questions.length,
    majAt16: majorityRight / questions.length,
    questions: questions.length,
  };
}

/** Canonical answers as [question][sample]; null where one could not be read. */
async function answerValues(
  player: Player,
  topic: Topic,
  questions: readonly Question[],
  {
    numSamples,
    temperature,
    seed,
    truncatedReplies,
  }: {
    readonly numSamples: number;
    readonly temperature: number;
    readonly seed: number;
    readonly truncatedReplies: PlaySettings["truncatedReplies"];
  },
): Promise<(string | null)[][]> {
  const { tokenizer } = player;
  const asks = questions.map((question) => ({
    promptTokens: encodePrompt(tokenizer, topic.solvePrompt(question)),
    numSamples,
    seed: seedFrom(seed, question.key),
    first: 0,
  }));
  const options = { maxTokens: topic.maxTokens.solve, temperature, stop: tokenizer.endTokens };
  const completions = await player.sample(asks, options);
  return completions.map((samples, index) =>
    samples.map(
      (completion) => readAnswer(tokenizer, topic, originalForm(questions[index]), completion, truncatedReplies).value,
    ),
  );
}
