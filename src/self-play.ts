// The loop. One step: propose, solve, verify, reward, learn, record. It reads top to bottom and knows the engine, the
// sandbox and the store by their contracts only.
//
// Everything random is drawn from streams named by (seed, step, purpose), so a run that was killed and resumed from a
// checkpoint equals one that was not. What knows the truth (`hidden`) is read in `diagnose` and in evaluation, after the
// rewards are fixed; the only exception is a control of an experiment, which is passed in from outside.
import { type Cast, loadCast, openCast, saveCast } from "./cast.ts";
import { diagnose, truthMetrics } from "./evaluate/diagnose.ts";
import { evaluate, heldOutKeys } from "./evaluate/evaluate.ts";
import type { RunEvent, StepRecord } from "./events.ts";
import { type Lacking, watchForCollapse } from "./guard/collapse.ts";
import { health } from "./guard/health.ts";
import { judge } from "./learn/judge.ts";
import { updateModel } from "./learn/update.ts";
import { propose } from "./play/propose.ts";
import { solve } from "./play/solve.ts";
import { randomStream, seedFrom } from "./random.ts";
import { checkControl, checkFit, type SelfPlayOptions } from "./run-options.ts";
import type { LoopState, RunStore } from "./store/store.ts";
import type { Evaluation, Question } from "./types.ts";
import { verify } from "./verify/verify.ts";

/** What changes from step to step, beside the weights. */
interface Progress {
  step: number;
  /** Step of the newest checkpoint. */
  saved: number;
  readonly seen: Set<string>;
  readonly recent: Question[];
  best: LoopState["best"];
  lacking: Lacking;
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
  await using cast = await openCast(options.engine, config);
  const record = <Event extends RunEvent>(event: Event): Event => {
    store.append(event);
    return event;
  };

  const progress = await restore(options, cast);
  yield record({ type: "run-start", run: store.run, fromStep: progress.step, steps: config.steps });
  const heldOut = heldOutKeys(options.topic, config.evalQuestions);

  try {
    if (progress.step === 0 && hidden !== null) yield record(await examine(options, cast, progress));

    while (progress.step < config.steps && !signal?.aborted) {
      const played = await playStep(options, cast, progress, heldOut);
      yield record({ type: "step-end", record: played });
      const { lacking, warnings } = watchForCollapse(played, progress.lacking, config);
      progress.lacking = lacking;
      for (const warning of warnings) yield record({ type: "anomaly", step: played.step, ...warning });

      const due = (every: number): boolean =>
        progress.step === config.steps || (every > 0 && progress.step % every === 0);
      if (hidden !== null && due(config.evalEvery)) yield record(await examine(options, cast, progress));
      if (due(config.saveEvery)) yield record(await save(store, cast, progress));
    }
    if (progress.step > progress.saved) yield record(await save(store, cast, progress));
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
  cast: Cast,
  progress: Progress,
  heldOut: ReadonlySet<string>,
): Promise<StepRecord> {
  const { sandbox, config, control } = options;
  const { topic, hidden } = options.topic;
  const started = performance.now();
  const stages: Record<string, number> = {};
  let lap = started;
  const done = (stage: string): void => {
    stages[stage] = (performance.now() - lap) / 1000;
    lap = performance.now();
  };
  const step = progress.step + 1;
  const { temperature, topP, topK, truncatedReplies } = config;
  const sampling = { temperature, topP, topK, truncatedReplies };

  const proposals = await propose(cast.proposer, topic, {
    ...sampling,
    count: Math.ceil(config.groupsPerBatch * config.proposalsPerQuestion),
    accept: config.groupsPerBatch,
    seenKeys: progress.seen,
    heldOutKeys: heldOut,
    recent: progress.recent,
    random: randomStream(config.seed, "propose", step),
    seed: seedFrom(config.seed, "propose", step),
  });
  done("propose");
  const asked = await solve(cast.solver, topic, proposals, {
    ...sampling,
    groupSize: config.groupSize,
    consistentVote: config.consistentVote,
    heldOutKeys: heldOut,
    seed: seedFrom(config.seed, "solve", step),
  });
  done("solve");
  const { consistentVote } = config;
  const verified = await verify(topic, asked, { sandbox, consistentVote, changeVerdict: control?.verdict });
  done("verify");
  const random = randomStream(config.seed, "control", step);
  const changeRewards = control?.rewards && ((rewards: readonly number[]) => control.rewards!(rewards, random));
  const judgement = judge({ step, proposals, groups: verified }, config, changeRewards);
  const training = await updateModel(cast, judgement, config);
  done("learn");
  const groups = await diagnose(hidden, judgement.groups, sandbox);
  done("diagnose");

  for (const { question } of groups) {
    progress.seen.add(question.key);
    progress.recent.push(question);
  }
  progress.recent.splice(0, progress.recent.length - recentQuestions);
  progress.step = step;
  const metrics = { ...health(judgement), ...truthMetrics(groups), ...training };
  const timing = { stages, memoryBytes: process.memoryUsage.rss() };
  const seconds = (performance.now() - started) / 1000;
  return { step, proposals: judgement.proposals, groups, metrics, seconds, timing };
}

async function examine(
  options: SelfPlayOptions,
  { solver }: Cast,
  progress: Progress,
): Promise<Extract<RunEvent, { type: "evaluation-end" }>> {
  const { config, topic } = options;
  const evaluation: Evaluation = await evaluate(solver, topic, {
    questions: config.evalQuestions,
    sandbox: options.sandbox,
    truncatedReplies: config.truncatedReplies,
    model: progress.step === 0 ? config.model : `${options.store.run} step ${progress.step}`,
  });
  const frontier = evaluation.levels.find(({ difficulty }) => difficulty === topic.hidden?.frontier);
  if (frontier !== undefined && frontier.passAt1 > (progress.best?.passAt1 ?? -1)) {
    progress.best = { step: progress.step, passAt1: frontier.passAt1 };
  }
  return { type: "evaluation-end", step: progress.step, evaluation };
}

async function save(store: RunStore, cast: Cast, progress: Progress): Promise<RunEvent> {
  const state: LoopState = {
    step: progress.step,
    seenKeys: [...progress.seen],
    recent: progress.recent,
    best: progress.best,
    lacking: progress.lacking,
  };
  const { folder } = await store.saveCheckpoint(state, (into, makeFolder) => saveCast(cast, into, makeFolder));
  progress.saved = progress.step;
  return { type: "checkpoint-saved", step: progress.step, folder };
}

async function restore({ store, checkpoint: known }: SelfPlayOptions, cast: Cast): Promise<Progress> {
  const checkpoint = known === undefined ? await store.latestCheckpoint() : known;
  store.rewindTo(checkpoint?.step ?? 0);
  if (checkpoint === null) return { step: 0, saved: 0, seen: new Set(), recent: [], best: null, lacking: {} };
  await loadCast(cast, checkpoint.folder);
  const { step, seenKeys, recent, best, lacking = {} } = checkpoint.state;
  return { step, saved: step, seen: new Set(seenKeys), recent: [...recent], best, lacking };
}
