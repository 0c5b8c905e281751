// The loop. One step: propose, solve, verify, reward, learn, record. It reads top to bottom and knows the engine, the
// sandbox and the store by their contracts only.
//
// Everything random is drawn from streams named by (seed, step, purpose), so a run that was killed and resumed from a
// checkpoint equals one that was not. What knows the truth (`hidden`) is read in `diagnose` and in evaluation, after the
// rewards are fixed; the only exception is a control of an experiment, which is passed in from outside.
import type { RunConfig } from "./config/config.ts";
import type { Engine } from "./engine/engine.ts";
import { UnsupportedError, UsageError } from "./errors.ts";
import type { Control } from "./evaluate/controls.ts";
import { evaluate, heldOutQuestions } from "./evaluate/evaluate.ts";
import type { GroupRecord, RunEvent, StepRecord } from "./events.ts";
import { stepMetrics } from "./guard/health.ts";
import { judge } from "./learn/judge.ts";
import { updateModel } from "./learn/update.ts";
import { acceptedQuestions, propose } from "./play/propose.ts";
import { solve } from "./play/solve.ts";
import { randomStream, seedFrom } from "./random.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import type { LoopState, RunStore } from "./store/store.ts";
import type { DefinedTopic, HiddenTruth } from "./topics/define-topic.ts";
import type { Answer, Evaluation, Question, Verdict } from "./types.ts";
import { verifyByTests } from "./verify/unit-tests.ts";
import { vote } from "./verify/vote.ts";

export interface SelfPlayOptions {
  readonly topic: DefinedTopic;
  readonly engine: Engine;
  readonly store: RunStore;
  readonly config: RunConfig;
  /** Runs programs; needed by topics that verify by tests. */
  readonly sandbox?: Sandbox;
  /** The starting model, frozen; needed where `klPenaltyCoef` > 0. */
  readonly reference?: Engine;
  /** Only experiments pass one: the one that the store says this run is under. */
  readonly control?: Control;
  /** When it fires, the run ends after the current step with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** What changes from step to step, beside the weights. */
interface Progress {
  step: number;
  /** Step of the newest checkpoint. */
  saved: number;
  readonly seen: Set<string>;
  readonly recent: Question[];
  best: LoopState["best"];
}

/** As many questions of earlier steps as a proposer may be shown. */
const recentQuestions = 32;

/**
 * Runs self-play from the store's newest checkpoint, or from the beginning, to `config.steps`. Yields each event after it
 * was recorded. Throws UnsupportedError before any work when the parts do not fit together, UsageError when the control is
 * not the one that the run is recorded under, and RunStoppedError when the run had to stop (NaN, full disk); the last good
 * checkpoint is whole then.
 */
export async function* selfPlay(options: SelfPlayOptions): AsyncGenerator<RunEvent, void> {
  const { store, config, signal } = options;
  const { hidden } = options.topic;
  checkFit(options);
  checkControl(options);
  const record = <Event extends RunEvent>(event: Event): Event => {
    store.append(event);
    return event;
  };

  const progress = await restore(options);
  yield record({ type: "run-start", run: store.run, fromStep: progress.step, steps: config.steps });
  const heldOut = heldOutKeys(options.topic, config);

  try {
    if (progress.step === 0 && hidden !== null) yield record(await examine(options, progress));

    while (progress.step < config.steps && !signal?.aborted) {
      yield record({ type: "step-end", record: await playStep(options, progress, heldOut) });

      const due = (every: number): boolean =>
        progress.step === config.steps || (every > 0 && progress.step % every === 0);
      if (hidden !== null && due(config.evalEvery)) yield record(await examine(options, progress));
      if (due(config.saveEvery)) yield record(await save(options, progress));
    }
    if (progress.step > progress.saved) yield record(await save(options, progress));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    yield record({ type: "run-end", step: progress.step, reason: "stopped", message });
    throw error;
  }
  const reason = progress.step === config.steps ? "finished" : "interrupted";
  yield record({ type: "run-end", step: progress.step, reason });
}

/** One step of self-play: the method, top to bottom. */
async function playStep(
  options: SelfPlayOptions,
  progress: Progress,
  heldOut: ReadonlySet<string>,
): Promise<StepRecord> {
  const { engine, reference, sandbox, config, control } = options;
  const { topic, hidden } = options.topic;
  const started = performance.now();
  const step = progress.step + 1;
  const sampling = { temperature: config.temperature, topP: config.topP, topK: config.topK };

  const proposals = await propose(engine, topic, {
    ...sampling,
    count: Math.ceil(config.groupsPerBatch * config.proposalsPerQuestion),
    accept: config.groupsPerBatch,
    seenKeys: progress.seen,
    heldOutKeys: heldOut,
    recent: progress.recent,
    random: randomStream(config.seed, "propose", step),
    seed: seedFrom(config.seed, "propose", step),
  });
  const questions = acceptedQuestions(proposals).map(({ question }) => question);

  const answers = await solve(engine, topic, questions, {
    ...sampling,
    groupSize: config.groupSize,
    consistentVote: config.consistentVote,
    heldOutKeys: heldOut,
    seed: seedFrom(config.seed, "solve", step),
  });

  const verdicts = await verify(options, questions, answers);
  const random = randomStream(config.seed, "control", step);
  const changeRewards = control?.rewards && ((rewards: readonly number[]) => control.rewards!(rewards, random));
  const judged = judge({ proposals, answers, verdicts, step, changeRewards }, config);
  const training = await updateModel(engine, reference, judged, step, config);
  const groups = await diagnose(hidden, judged.groups, sandbox);

  for (const { key } of questions) progress.seen.add(key);
  progress.recent.push(...questions);
  progress.recent.splice(0, progress.recent.length - recentQuestions);
  progress.step = step;
  const record = { step, proposals: judged.proposals, groups };
  return { ...record, metrics: { ...stepMetrics(record), ...training }, seconds: (performance.now() - started) / 1000 };
}

/** Turns each group of answers into a verdict: a vote, or the proposer's own unit tests run in the sandbox. */
async function verify(
  { topic: { topic }, sandbox, control }: SelfPlayOptions,
  questions: readonly Question[],
  answers: readonly (readonly Answer[])[],
): Promise<Verdict[]> {
  const verifyGroup = async (question: Question, group: readonly Answer[]): Promise<Verdict> => {
    if (topic.verification === "vote" || sandbox === undefined) return vote(group);
    const programs = group.map(({ value }) => value);
    return (await verifyByTests(sandbox, topic.language ?? "python", question, programs)).verdict;
  };
  const verdicts: Verdict[] = [];
  for (const [index, question] of questions.entries()) {
    const verdict = await verifyGroup(question, answers[index]);
    verdicts.push(control?.verdict === undefined ? verdict : await control.verdict(question, answers[index], verdict));
  }
  return verdicts;
}

/** Adds what the hidden checker says, for people to read. Runs after learning: nothing here can reach a gradient. */
async function diagnose(
  hidden: HiddenTruth | null,
  groups: readonly GroupRecord[],
  sandbox: Sandbox | undefined,
): Promise<GroupRecord[]> {
  if (hidden === null) return [...groups];
  return Promise.all(
    groups.map(async (group) => {
      const right = async (value: string | null): Promise<boolean> =>
        value !== null && (await hidden.check(group.question, value, sandbox));
      const judged = await Promise.all(group.answers.map(({ value }) => right(value)));
      const winner = group.verdict.kind === "vote" ? group.verdict.winner : null;
      const labelRight = winner === null ? null : await right(winner);
      return { ...group, truth: { labelRight, accuracy: judged.filter(Boolean).length / Math.max(1, judged.length) } };
    }),
  );
}

async function examine(
  options: SelfPlayOptions,
  progress: Progress,
): Promise<Extract<RunEvent, { type: "evaluation-end" }>> {
  const { config, engine, topic } = options;
  const evaluation: Evaluation = await evaluate(engine, topic, {
    questions: config.evalQuestions,
    sandbox: options.sandbox,
    model: progress.step === 0 ? config.model : `${options.store.run} step ${progress.step}`,
  });
  const frontier = evaluation.levels.find(({ difficulty }) => difficulty === topic.hidden?.frontier);
  if (frontier !== undefined && frontier.passAt1 > (progress.best?.passAt1 ?? -1)) {
    progress.best = { step: progress.step, passAt1: frontier.passAt1 };
  }
  return { type: "evaluation-end", step: progress.step, evaluation };
}

async function save({ engine, store }: SelfPlayOptions, progress: Progress): Promise<RunEvent> {
  const state: LoopState = {
    step: progress.step,
    seenKeys: [...progress.seen],
    recent: progress.recent,
    best: progress.best,
  };
  const { folder } = await store.saveCheckpoint(state, (into) => engine.save(into, { optimizer: true }));
  progress.saved = progress.step;
  return { type: "checkpoint-saved", step: progress.step, folder };
}

async function restore({ engine, store }: SelfPlayOptions): Promise<Progress> {
  const checkpoint = await store.latestCheckpoint();
  store.rewindTo(checkpoint?.step ?? 0);
  if (checkpoint === null) return { step: 0, saved: 0, seen: new Set(), recent: [], best: null };
  await engine.load(checkpoint.folder, { optimizer: true });
  const { step, seenKeys, recent, best } = checkpoint.state;
  return { step, saved: step, seen: new Set(seenKeys), recent: [...recent], best };
}

function heldOutKeys({ topic, hidden }: DefinedTopic, config: RunConfig): ReadonlySet<string> {
  if (hidden === null) return new Set();
  const sets = heldOutQuestions(topic, hidden, config.evalQuestions);
  return new Set([...sets.values()].flat().map(({ key }) => key));
}

/** Refuses, before any work, what could only fail later. */
export function checkFit({
  engine,
  topic: { topic },
  config,
  sandbox,
  reference,
}: Omit<SelfPlayOptions, "store">): void {
  const { capabilities } = engine;
  const refuse = (problem: string, hint: string): never => {
    throw new UnsupportedError(problem, hint);
  };
  if (!capabilities.lossFunctions.includes(config.lossFn)) {
    refuse(
      `The ${capabilities.name} engine has no loss ${config.lossFn}.`,
      `Use one of ${capabilities.lossFunctions.join(", ")}.`,
    );
  }
  if (config.topP < 1 && !capabilities.topP)
    refuse(`The ${capabilities.name} engine cannot honour topP.`, "Leave topP at 1.");
  if (config.topK > 0 && !capabilities.topK)
    refuse(`The ${capabilities.name} engine cannot honour topK.`, "Leave topK at 0.");
  if (config.klPenaltyCoef > 0 && (!capabilities.klPenalty || reference === undefined)) {
    refuse("klPenaltyCoef needs an engine with a KL penalty and a reference model.", "Set klPenaltyCoef to 0.");
  }
  if (topic.verification === "tests" && sandbox === undefined) {
    refuse(`The topic ${topic.name} runs programs and needs a sandbox.`, "Run `sqlm doctor` to see why there is none.");
  }
  if (Math.max(topic.maxTokens.propose, topic.maxTokens.solve) > capabilities.maxSequenceTokens) {
    refuse(
      `The topic ${topic.name} needs longer replies than the model's ${capabilities.maxSequenceTokens} tokens.`,
      "Use a model with more positions.",
    );
  }
}

/** A record must say under which control every one of its steps was played, so that nobody takes a control for a run. */
function checkControl({ store, control }: SelfPlayOptions): void {
  const recorded = store.trial?.control ?? null;
  const given = control?.name ?? null;
  if (recorded === given) return;
  throw new UsageError(
    `The run ${store.run} is recorded ${under(recorded)} and cannot be played ${under(given)}.`,
    "Make a run of its own: a run stays under the control that it was made under.",
  );
}

const under = (control: string | null): string => (control === null ? "under no control" : `under control ${control}`);
