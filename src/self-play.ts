// The loop. One step: propose, solve, verify, reward, learn, record. It reads top to bottom and knows the engine, the
// sandbox and the store by their contracts only.
//
// Everything random is drawn from streams named by (seed, step, purpose), so a run that was killed and resumed from a
// checkpoint equals one that was not. What knows the truth (`hidden`) is read in `diagnose` and in evaluation, after the
// rewards are fixed; the only exception is a control of an experiment, which is passed in from outside.
import { type Cast, openCast } from "./cast.ts";
import type { RunConfig } from "./config/config.ts";
import { diagnose, truthMetrics } from "./evaluate/diagnose.ts";
import { evaluate, heldOutKeys } from "./evaluate/evaluate.ts";
import type { RunEvent, StepRecord } from "./events.ts";
import {
  afterStep,
  beginExploring,
  choiceOf,
  climbProbeKeys,
  curiosityAbout,
  type ExploreParts,
  idleExploring,
  requestsOf,
} from "./exploring.ts";
import { watchForCollapse } from "./guard/collapse.ts";
import { health } from "./guard/health.ts";
import type { Response } from "./guard/ladder.ts";
import {
  beginGuard,
  type GuardParts,
  idleParts,
  lookAround,
  lookBack,
  probeKeys,
  teacherOf,
  underGuard,
  withhold,
} from "./guarding.ts";
import { judge } from "./learn/judge.ts";
import { updateModel } from "./learn/update.ts";
import { askSolver, idleTrying } from "./play/ask-solver.ts";
import { propose } from "./play/propose.ts";
import { answersSaved } from "./play/solve.ts";
import { standsFor } from "./play/voters.ts";
import { comeBack, type Progress, restore, save, trusted } from "./progress.ts";
import { randomStream, seedFrom } from "./random.ts";
import { Renewal } from "./renewal.ts";
import { checkControl, checkFit, type SelfPlayOptions } from "./run-options.ts";
import type { RunStore } from "./store/store.ts";
import { TeacherSeat } from "./teacher.ts";
import type { Evaluation, Question } from "./types.ts";
import { verify } from "./verify/verify.ts";

/** Who takes part in a step. */
interface Players {
  readonly cast: Cast;
  readonly teacher: TeacherSeat;
}

/** As many questions of earlier steps as a proposer may be shown. */
const recentQuestions = 32;

/**
 * Runs self-play from the store's newest checkpoint, or from the beginning, to `config.steps`. Yields each event after it
 * was recorded. Throws UnsupportedError before any work when the parts do not fit together, UsageError when the control is
 * not the one that the run is recorded under, and RunStoppedError when the run had to stop (NaN, full disk, a server that stays
 * away); the last good checkpoint is whole then.
 */
export async function* selfPlay(options: SelfPlayOptions): AsyncGenerator<RunEvent, void> {
  checkFit(options);
  checkControl(options);
  const renewal = new Renewal(options.engine);
  const { checkpoint: _, ...again } = options;
  for (let [first, ended] = [true, false]; ; first = false) {
    try {
      for await (const event of playToEnd(first ? options : again, renewal)) {
        ended = event.type === "run-end";
        yield event;
      }
      return;
    } catch (thrown) {
      const { renewed, error } = await renewal.after(thrown);
      if (renewed) continue;
      // Where the newest checkpoint could not be loaded after a loss: what was recorded as begun has ended.
      if (!first && !ended) yield recorded(options.store, endAfter(renewal.furthest, error));
      throw error;
    }
  }
}

/** Plays from the newest checkpoint to the end. Where the engine was renewed, what ended it is thrown all the same. */
async function* playToEnd(options: SelfPlayOptions, renewal: Renewal): AsyncGenerator<RunEvent, void> {
  const { store, config, signal } = options;
  const { hidden } = options.topic;
  await using cast = await openCast(options.engine, config);
  const record = <Event extends RunEvent>(event: Event): Event => recorded(store, event);

  const progress = await restore(options, cast);
  yield record({ type: "run-start", run: store.run, fromStep: progress.step, steps: config.steps });
  const notice = renewal.notice(progress.step);
  if (notice !== null) yield record(notice);
  const evaluated = heldOutKeys(options.topic, config.evalQuestions);
  const exploring: ExploreParts = { topic: options.topic.topic, config, heldOutKeys: evaluated };
  const heldOut = new Set([...evaluated, ...climbProbeKeys(exploring)]);
  const watched = guardParts(options, heldOut);
  await using teacher = new TeacherSeat(options.engine, async (step) => (await trusted(store, step)).folder);

  try {
    if (progress.step === 0 && hidden !== null) yield record(await examine(options, cast, progress));
    if (progress.step === 0) {
      progress.explored = await beginExploring(exploring, cast.solver);
      for (const message of idleExploring(exploring))
        yield record({ type: "anomaly", step: 0, kind: "explore-idle", message });
      const untried = idleTrying(options.topic.topic, config);
      if (untried !== null) yield record({ type: "anomaly", step: 0, kind: "try-idle", message: untried });
    }
    if (progress.step === 0 && progress.guard === null && config.guard !== "off") {
      progress.guard = await beginGuard(watched, cast.solver);
      for (const { part, reason } of idleParts(watched, progress.guard))
        yield record({ type: "anomaly", step: 0, kind: "guard-idle", message: `${part}: ${reason}` });
      // What there is to come back to before anything was saved.
      yield record(await save(options, cast, progress));
    }

    while (progress.step < config.steps && !signal?.aborted && progress.guard?.posture.stopped !== true) {
      const { played, responses } = await playStep(options, { cast, teacher }, progress, { heldOut, exploring });
      yield record({ type: "step-end", record: played });
      const { lacking, warnings } = watchForCollapse(played, progress.lacking, config);
      progress.lacking = lacking;
      for (const warning of warnings) yield record({ type: "anomaly", step: played.step, ...warning });
      const isReturn = ({ action }: Response): boolean => action === "roll-back" || action === "stop";
      const ends = progress.step === config.steps && !responses.some(isReturn);
      const ending = ends ? await lookBack(watched, progress.guard, cast.solver, (step) => teacher.at(step)) : null;
      const done = ending === null ? responses : [...responses, ending];
      for (const { detector, action, message } of done)
        yield record({ type: "guard", step: played.step, detector, action, message });
      const returned = done.some(isReturn);
      if (returned) await comeBack(store, cast, progress);

      const due = (every: number): boolean =>
        progress.step === config.steps ||
        progress.guard?.posture.stopped === true ||
        (every > 0 && progress.step % every === 0);
      if (hidden !== null && due(config.evalEvery)) yield record(await examine(options, cast, progress));
      // A return is saved at once, so that a run that is killed goes on behind it.
      if (returned || due(config.saveEvery)) yield record(await save(options, cast, progress));
    }
    if (progress.step > progress.saved) yield record(await save(options, cast, progress));
  } catch (thrown) {
    // While the players are open: what they still have under way ends with the session.
    const { renewed, error } = await renewal.after(thrown, progress.step);
    if (!renewed) yield record(endAfter(progress.step, error));
    throw error;
  }
  yield record({ type: "run-end", step: progress.step, ...endOf(progress, config) });
}

function recorded<Event extends RunEvent>(store: RunStore, event: Event): Event {
  store.append(event);
  return event;
}

function endAfter(step: number, error: unknown): Extract<RunEvent, { type: "run-end" }> {
  const message = error instanceof Error ? error.message : String(error);
  return { type: "run-end", step, reason: "stopped", message };
}

/** One step of self-play: the method, top to bottom. */
async function playStep(
  options: SelfPlayOptions,
  { cast, teacher }: Players,
  progress: Progress,
  { heldOut, exploring }: { readonly heldOut: ReadonlySet<string>; readonly exploring: ExploreParts },
): Promise<{ readonly played: StepRecord; readonly responses: readonly Response[] }> {
  const { sandbox, control } = options;
  const { topic, hidden } = options.topic;
  const config = underGuard(options.config, progress.guard);
  const watched = guardParts(options, heldOut);
  const heldOutKeys = new Set([...heldOut, ...probeKeys(progress.guard)]);
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

  const count = Math.ceil(config.groupsPerBatch * config.proposalsPerQuestion);
  const proposals = await propose(cast.proposer, topic, {
    ...sampling,
    count,
    requests: requestsOf(exploring, progress.explored, { step, count }),
    accept: config.groupsPerBatch,
    choose: choiceOf(exploring, progress.explored, step),
    seenKeys: progress.seen,
    heldOutKeys,
    recent: progress.recent,
    random: randomStream(config.seed, "propose", step),
    seed: seedFrom(config.seed, "propose", step),
  });
  done("propose");
  const teaching = await teacher.at(teacherOf(progress.guard));
  const asked = { config, heldOutKeys, step };
  const answers = await askSolver({ solver: cast.solver, teaching }, topic, proposals, asked);
  done("solve");
  const { consistentVote, labelRule } = config;
  const settings = { sandbox, consistentVote, labelRule, changeVerdict: control?.verdict };
  const verified = await verify(topic, answers.asked, { ...settings, teacher: answers.taught, tried: answers.tried });
  done("verify");
  const random = randomStream(config.seed, "control", step);
  const changeRewards = control?.rewards && ((rewards: readonly number[]) => control.rewards!(rewards, random));
  const { memory, withheld } = withhold(watched, progress.guard, verified);
  const changes = {
    changeRewards,
    weightOf: answers.stopped ? standsFor : undefined,
    withheld,
    curiosity: (question: Question) => curiosityAbout(progress.explored, question),
  };
  const judgement = judge({ step, proposals, groups: verified }, config, changes);
  const training = await updateModel(cast, judgement, config);
  done("learn");
  const look = await lookAround(watched, memory, cast.solver, { step, groups: verified });
  progress.guard = look.memory;
  if (look.memory !== null) done("guard");
  const explored = await afterStep(exploring, progress.explored, cast.solver, judgement);
  if (config.climb === "on") done("climb");
  const groups = await diagnose(hidden, judgement.groups, sandbox);
  done("diagnose");

  for (const { question } of groups) {
    progress.seen.add(question.key);
    progress.recent.push(question);
  }
  progress.recent.splice(0, progress.recent.length - recentQuestions);
  progress.step = step;
  const saved = answers.stopped ? answersSaved(groups, config.groupSize) : {};
  progress.explored = explored.memory;
  const metrics = {
    ...health(judgement),
    ...explored.metrics,
    ...saved,
    ...truthMetrics(groups),
    ...training,
    ...look.metrics,
  };
  const timing = { stages, memoryBytes: process.memoryUsage.rss() };
  const seconds = (performance.now() - started) / 1000;
  const played = { step, proposals: judgement.proposals, groups, metrics, seconds, timing };
  return { played, responses: look.responses };
}

function endOf(
  { step, guard }: Progress,
  { steps }: RunConfig,
): Pick<Extract<RunEvent, { type: "run-end" }>, "reason" | "message"> {
  if (guard?.posture.stopped === true) {
    const message = `The guard ended the run: it came back to the model of step ${guard.honest} twice and lost the vote again.`;
    return { reason: "stopped", message };
  }
  return { reason: step === steps ? "finished" : "interrupted" };
}

const guardParts = (
  { topic: { topic }, config, sandbox }: SelfPlayOptions,
  heldOutKeys: ReadonlySet<string>,
): GuardParts => ({
  topic,
  config,
  sandbox,
  heldOutKeys,
});

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
