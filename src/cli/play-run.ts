// Opens what a run needs, plays it to its end and sums it up. Prints nothing: whoever plays a run sees every event.
import { resolve } from "node:path";
import type { RunConfig } from "../config/config.ts";
import type { Engine } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import { makeControl } from "../evaluate/controls.ts";
import type { RunEvent, RunSummary } from "../events.ts";
import { findStartingModel } from "../model/find-model.ts";
import { openReader } from "../store/queries.ts";
import type { RunTrial, Workspace } from "../store/store.ts";
import { summarizeRun } from "../store/summarize-run.ts";
import { builtInTopicNames, openTopic } from "../topics/registry.ts";
import type { Parts } from "./parts.ts";

export interface PlayOptions {
  readonly parts: Parts;
  readonly workspace: Workspace;
  /** The settings of a new run and which of an experiment's it is, or the name of one to go on with. */
  readonly run: { readonly config: RunConfig; readonly trial?: RunTrial } | { readonly resume: string };
  /** Ends the run after the current step. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
}

export interface PlayedRun {
  readonly summary: RunSummary;
  readonly reason: "finished" | "interrupted" | "stopped";
}

/**
 * Plays a run, under the control that its trial names: a run that is resumed goes on under the one in its record. Throws what cannot work before a run is made (UsageError, UnsupportedError), and RunStoppedError where the
 * loop had to stop.
 */
export async function playRun({ parts, workspace, run, signal, onEvent }: PlayOptions): Promise<PlayedRun> {
  const { config: given, trial } = "config" in run ? run : workspace.info(run.resume);
  const topic = await openTopic(given.topic);
  const config = withAbsolutePaths(given);
  const control = trial?.control;
  await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
  const { language } = topic.topic;
  if (sandbox !== undefined && language !== undefined && !sandbox.languages.includes(language)) {
    throw new UnsupportedError(
      `Topic ${topic.topic.name} runs ${language} programs, which this sandbox does not.`,
      "`sqlm doctor` says what the sandbox can run here.",
    );
  }
  const { engine: name, model, threads } = config;
  await using engine = await parts.openEngine({ engine: name, model, threads });
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
  await using store =
    "config" in run ? workspace.createRun(withThreadsOf(engine, config), run.trial) : workspace.openRun(run.resume);

  let reason: PlayedRun["reason"] = "stopped";
  for await (const event of await parts.selfPlay({ ...playOptions, store })) {
    if (event.type === "run-end") reason = event.reason;
    onEvent(event);
  }
  using reader = openReader(workspace.folder);
  return { summary: summarizeRun(reader, store.run, topic.hidden?.frontier ?? null), reason };
}

/** Where the engine chose its threads by measuring, the choice becomes part of the run: resuming must not measure again. */
function withThreadsOf({ capabilities: { threads } }: Engine, config: RunConfig): RunConfig {
  return { ...config, threads: threads ?? config.threads };
}

/** The same config for a process in another working folder: a run may be resumed from anywhere. */
export function withAbsolutePaths(config: RunConfig): RunConfig {
  const topic = builtInTopicNames.includes(config.topic) ? config.topic : resolve(config.topic);
  return { ...config, topic, model: findStartingModel(config) };
}
