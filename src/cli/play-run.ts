// Opens what a run needs, plays it to its end and sums it up. Prints nothing: whoever plays a run sees every event.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { needsStartingModel } from "../cast.ts";
import type { RunConfig } from "../config/config.ts";
import type { EngineCapabilities, EngineProgress } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import { makeControl } from "../evaluate/controls.ts";
import type { RunEvent, RunSummary } from "../events.ts";
import { findModel } from "../model/find-model.ts";
import { openReader } from "../store/queries.ts";
import type { RunInfo, RunSources, RunStore, RunTrial, SavedCheckpoint, Workspace } from "../store/store.ts";
import { summarizeRun } from "../store/summarize-run.ts";
import { checkRunName } from "../store/workspace.ts";
import { absoluteTopicName } from "../topics/registry.ts";
import { openTopicFor } from "./open-topic.ts";
import type { Parts } from "./parts.ts";
import { openWithinMemory } from "./plan-run.ts";
import { acceptSources, extendRun, findStart, type ResumeOptions } from "./prepare-resume.ts";
import { sourcesOf } from "./run-sources.ts";

export interface PlayOptions {
  readonly parts: Parts;
  readonly workspace: Workspace;
  /** The settings of a new run, its name and which of an experiment's it is, or the name of one to go on with. */
  readonly run: NewRun | ({ readonly resume: string } & ResumeOptions);
  /** Ends the run after the current step. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
  /** Hears what trains and how weights are held, once the model is open. */
  readonly onOpened?: ((capabilities: EngineCapabilities) => void) | undefined;
  /** Hears of the engine's long calls. */
  readonly onProgress?: ((progress: EngineProgress) => void) | undefined;
  /** Hears what the engine has to say that nothing depends on. */
  readonly onNote?: ((note: string) => void) | undefined;
}

export interface NewRun {
  readonly config: RunConfig;
  readonly trial?: RunTrial;
  readonly name?: string | undefined;
}

export interface PlayedRun {
  readonly summary: RunSummary;
  readonly reason: "finished" | "interrupted" | "stopped";
}

/**
 * Plays a run, under the control that its trial names: a run that is resumed goes on under the one in its record. Throws what cannot work before a run is made (UsageError, UnsupportedError), and RunStoppedError where the
 * loop had to stop.
 */
export async function playRun({
  parts,
  workspace,
  run,
  signal,
  onEvent,
  onOpened,
  onProgress,
  onNote,
}: PlayOptions): Promise<PlayedRun> {
  const info = "config" in run ? null : workspace.info(run.resume);
  const { config: given, trial } = "config" in run ? run : info!;
  if ("config" in run && run.name !== undefined) checkRunName(run.name, workspace.list());
  // Weights come from a run's own checkpoint: a starting model that is gone since is needed where it plays or is compared with.
  const gone = info !== null && given.engine === "onnx" && !needsStartingModel(given) && !existsSync(given.model);
  const paths = gone ? given : withAbsolutePaths(given, workspace.folder);
  const sources = await sourcesOf({ ...paths, model: localPartOf(paths) });
  // One that goes on is looked at before anything slow is opened.
  await using opened = info === null ? undefined : workspace.openRun(info.run);
  const start =
    opened === undefined || "config" in run
      ? null
      : await prepare({ info: info!, store: opened, workspace: workspace.folder, sources, options: run, onEvent });
  const asked = start === null ? paths : { ...paths, steps: start.steps };
  const model = gone ? checkpointInPlaceOf(asked.model, start?.checkpoint ?? null) : asked.model;
  const topic = await openTopicFor(asked.topic, localPartOf({ ...asked, model }), asked);
  await (opened === undefined ? workspace.requireSpace(asked) : opened.requireSpace());
  const control = trial?.control;
  await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
  const { language } = topic.topic;
  if (sandbox !== undefined && language !== undefined && !sandbox.languages.includes(language)) {
    throw new UnsupportedError(
      `Topic ${topic.topic.name} runs ${language} programs, which this sandbox does not.`,
      "`sqlm doctor` says what the sandbox can run here.",
    );
  }
  const { engine: opening, config } = await openWithinMemory({
    parts,
    config: asked,
    model,
    topic,
    onProgress,
    onNote,
  });
  await using engine = opening;
  onOpened?.(engine.capabilities);
  const playOptions = {
    topic,
    engine,
    config,
    signal,
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(control == null ? {} : { control: makeControl(control, topic) }),
  };
  // Before a run is made, so that what cannot work leaves nothing behind.
  await parts.checkFit(playOptions);
  const { trial: ofExperiment, name } = "config" in run ? run : {};
  await using made =
    opened === undefined ? workspace.createRun(config, { trial: ofExperiment, name, sources }) : undefined;
  const store = opened ?? made!;
  const checkpoint = start === null ? {} : { checkpoint: start.checkpoint };

  let reason: PlayedRun["reason"] = "stopped";
  for await (const event of await parts.selfPlay({ ...playOptions, ...checkpoint, store })) {
    if (event.type === "run-end") reason = event.reason;
    onEvent(event);
  }
  using reader = openReader(workspace.folder);
  return { summary: summarizeRun(reader, store.run, topic.hidden?.frontier ?? null), reason };
}

/** What of a run's model is on this machine: all of it, or of a server's model the tokenizer. Paths are absolute. */
function localPartOf({ engine, model, tokenizer }: Pick<RunConfig, "engine" | "model" | "tokenizer">): string {
  return engine === "tinker" ? tokenizer : model;
}

/** Folder of the checkpoint that stands in for a starting model. Throws UsageError where there is none. */
function checkpointInPlaceOf(model: string, checkpoint: SavedCheckpoint | null): string {
  return checkpoint?.folder ?? findModel({ model });
}

interface Start {
  readonly checkpoint: SavedCheckpoint | null;
  readonly steps: number;
}

/** Checks that a run can go on as itself, and says at once what is lost or changed. */
async function prepare(resumed: {
  readonly info: RunInfo;
  readonly store: RunStore;
  readonly workspace: string;
  readonly sources: RunSources;
  readonly options: ResumeOptions;
  readonly onEvent: PlayOptions["onEvent"];
}): Promise<Start> {
  const { info, store, workspace, sources, options, onEvent } = resumed;
  const changes = [acceptSources(info, sources, options), extendRun(info, options)];
  const checkpoint = await findStart(info, store, workspace, options, onEvent);
  const step = checkpoint?.step ?? 0;
  for (const change of changes) {
    if (change === null) continue;
    store.amend({ ...change, step });
    onEvent({ type: "anomaly", step, kind: change.kind, message: change.note });
  }
  return { checkpoint, steps: options.steps ?? info.config.steps };
}

/** The same config for a process in another working folder: a run may be resumed from anywhere. */
export function withAbsolutePaths(config: RunConfig, workspace: string): RunConfig {
  const found = findModel({ ...config, workspace });
  const at = config.engine === "tinker" ? { tokenizer: found } : { model: found };
  const absolute = (path: string): string => (path === "none" ? path : resolve(path));
  const { adapter, evalFile, examples } = config;
  const files = { adapter: absolute(adapter), evalFile: absolute(evalFile), examples: absolute(examples) };
  return { ...config, topic: absoluteTopicName(config.topic), ...files, ...at };
}
