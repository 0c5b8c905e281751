// Opens what a run needs, plays it to its end and sums it up. Prints nothing: whoever plays a run sees every event.
import { resolve } from "node:path";
import type { RunConfig } from "../config.ts";
import type { Engine } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import type { Control } from "../evaluate/controls.ts";
import type { RunEvent, RunSummary } from "../events.ts";
import type { RunStore, Workspace } from "../store/store.ts";
import type { DefinedTopic } from "../topics/define-topic.ts";
import { builtInTopicNames, openTopic } from "../topics/registry.ts";
import { findStartingModel } from "./model-folder.ts";
import type { Parts } from "./parts.ts";
import { addEvaluation, addStep, advance, noProgress, type RunProgress, summarize } from "./summary.ts";

export interface PlayOptions {
  readonly parts: Parts;
  readonly workspace: Workspace;
  /** The settings of a new run, or the name of one to go on with. */
  readonly run: { readonly config: RunConfig } | { readonly resume: string };
  /** Ends the run after the current step. */
  readonly signal: AbortSignal;
  /** Makes the control of an experiment. */
  readonly control?: (topic: DefinedTopic) => Control;
  readonly onEvent: (event: RunEvent) => void;
}

export interface PlayedRun {
  readonly summary: RunSummary;
  readonly reason: "finished" | "interrupted" | "stopped";
}

/**
 * Plays a run. Throws what cannot work before a run is made (UsageError, UnsupportedError), and RunStoppedError where the
 * loop had to stop.
 */
export async function playRun({ parts, workspace, run, signal, control, onEvent }: PlayOptions): Promise<PlayedRun> {
  const given = "config" in run ? run.config : workspace.info(run.resume).config;
  const topic = await openTopic(given.topic);
  const config = withAbsolutePaths(given);
  await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
  const { language } = topic.topic;
  if (sandbox !== undefined && language !== undefined && !sandbox.languages.includes(language)) {
    throw new UnsupportedError(
      `Topic ${topic.topic.name} runs ${language} programs, which this sandbox does not.`,
      "`sqlm doctor` says what the sandbox can run here.",
    );
  }
  const engineOptions = { engine: config.engine, model: config.model, threads: config.threads };
  await using engine = await parts.openEngine(engineOptions);
  await using reference = config.klPenaltyCoef > 0 ? await parts.openEngine(engineOptions) : undefined;
  const playOptions = {
    topic,
    engine,
    config,
    signal,
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(reference === undefined ? {} : { reference }),
    ...(control === undefined ? {} : { control: control(topic) }),
  };
  // Before a run is made, so that what cannot work leaves nothing behind.
  await parts.checkFit(playOptions);
  await using store =
    "config" in run ? workspace.createRun(withThreadsOf(engine, config)) : workspace.openRun(run.resume);

  const started = performance.now();
  let progress = "config" in run ? noProgress : await recorded(store);
  let reason: PlayedRun["reason"] = "stopped";
  for await (const event of await parts.selfPlay({ ...playOptions, store })) {
    progress = advance(progress, event);
    if (event.type === "run-end") reason = event.reason;
    onEvent(event);
  }
  const seconds = (performance.now() - started) / 1000;
  return { summary: summarize(store.run, progress, seconds, topic.hidden?.frontier ?? null), reason };
}

/** Where the engine chose its threads by measuring, the choice becomes part of the run: resuming must not measure again. */
function withThreadsOf({ capabilities: { threads } }: Engine, config: RunConfig): RunConfig {
  return { ...config, threads: threads ?? config.threads };
}

/** The same config for a process in another working folder: a run may be resumed from anywhere. */
function withAbsolutePaths(config: RunConfig): RunConfig {
  const topic = builtInTopicNames.includes(config.topic) ? config.topic : resolve(config.topic);
  return { ...config, topic, model: findStartingModel(config) };
}

/** What the store knows of a run up to the checkpoint that it will go on from. */
async function recorded(store: RunStore): Promise<RunProgress> {
  const checkpoint = await store.latestCheckpoint();
  if (checkpoint === null) return noProgress;
  let progress: RunProgress = { ...noProgress, checkpoint: checkpoint.folder };
  for (const { step, levels } of store.evaluations()) {
    if (step <= checkpoint.step) progress = addEvaluation(progress, step, levels);
  }
  for (const record of store.steps()) if (record.step <= checkpoint.step) progress = addStep(progress, record);
  return progress;
}
