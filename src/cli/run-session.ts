// Runs or resumes self-play and shows it: opens what the run needs, prints each event, prints the result.
// Leaves the method to self-play.ts and every decision about a run to its config.
import { resolve } from "node:path";
import type { RunConfig } from "../config.ts";
import { UnsupportedError } from "../errors.ts";
import type { RunEvent, RunSummary } from "../events.ts";
import type { RunStore } from "../store/store.ts";
import { openTopic } from "../topics/registry.ts";
import { exitCodes } from "./command.ts";
import { formatDuration, formatNumber } from "./format.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { findModel } from "./model-folder.ts";
import type { Parts } from "./parts.ts";
import { beforeAfterTable, describeLevels, describeStep } from "./step-line.ts";
import { addEvaluation, addStep, advance, noProgress, type RunProgress, summarize } from "./summary.ts";
import type { Terminal } from "./terminal.ts";

export interface SessionOptions {
  readonly terminal: Terminal;
  readonly parts: Parts;
  readonly workspace: string;
  /** Settings of a new run. */
  readonly config?: RunConfig;
  /** Name of the run to go on with. */
  readonly resume?: string;
}

/** Runs to the end or to an interrupt; returns the exit code. */
export async function runSession(options: SessionOptions): Promise<number> {
  const { terminal, parts } = options;
  await using workspace = await parts.openWorkspace(resolve(options.workspace));
  const config = options.config ?? workspace.info(options.resume ?? "").config;
  const topic = await openTopic(config.topic);
  const model = findModel(config.model);
  await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
  const { language } = topic.topic;
  if (sandbox !== undefined && language !== undefined && !sandbox.languages.includes(language)) {
    throw new UnsupportedError(
      `Topic ${topic.topic.name} runs ${language} programs, which this sandbox does not.`,
      "`sqlm doctor` says what the sandbox can run here.",
    );
  }
  terminal.status(`opening ${config.model}`);
  await using engine = await parts.openEngine({ model, threads: config.threads });
  await using reference =
    config.klPenaltyCoef > 0 ? await parts.openEngine({ model, threads: config.threads }) : undefined;
  using interrupt = listenForInterrupt(terminal);
  const playOptions = {
    topic,
    engine,
    config,
    signal: interrupt.signal,
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(reference === undefined ? {} : { reference }),
  };
  // Before a run is made, so that what cannot work leaves nothing behind.
  await parts.checkFit(playOptions);
  await using store =
    options.resume === undefined ? workspace.createRun({ ...config, model }) : workspace.openRun(options.resume);

  const started = performance.now();
  let progress = options.resume === undefined ? noProgress : await recorded(store);
  let end: Extract<RunEvent, { type: "run-end" }> | undefined;
  const show = eventPrinter(terminal, config);
  try {
    for await (const event of await parts.selfPlay({ ...playOptions, store })) {
      progress = advance(progress, event);
      show(event);
      if (event.type === "run-end") end = event;
    }
  } finally {
    terminal.status(null);
    // Also where the loop throws: whoever reads the error must know that the run can go on.
    if (end?.reason !== "finished") {
      terminal.say(`Run ${store.run} ended after step ${end?.step ?? progress.steps} of ${config.steps}.`);
      terminal.say(`Go on with: sqlm resume ${store.run}`);
    }
  }

  const seconds = (performance.now() - started) / 1000;
  const summary = summarize(store.run, progress, seconds, topic.hidden?.frontier ?? null);
  if (end?.reason === "finished") printResult(terminal, config, summary);
  terminal.result(summary);
  return end?.reason === "finished" ? exitCodes.ok : exitCodes.stopped;
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

/** Prints events as they come; the time left is estimated from the latest steps. */
function eventPrinter(terminal: Terminal, config: RunConfig): (event: RunEvent) => void {
  const secondsOfSteps: number[] = [];
  return (event) => {
    switch (event.type) {
      case "run-start": {
        const { run, fromStep, steps } = event;
        terminal.say(
          `run ${run}: ${config.topic} from ${config.model}, ${steps} steps of ${config.groupsPerBatch} questions × ` +
            `${config.groupSize} answers, seed ${config.seed}${fromStep > 0 ? `, going on from step ${fromStep}` : ""}`,
        );
        terminal.status("evaluating the model before the first step");
        break;
      }
      case "evaluation-end":
        terminal.say(`step ${event.step} evaluated, ${describeLevels(event.evaluation.levels)}`);
        break;
      case "step-end": {
        const { record } = event;
        secondsOfSteps.push(record.seconds);
        const recent = secondsOfSteps.slice(-10);
        const left = (recent.reduce((sum, value) => sum + value, 0) / recent.length) * (config.steps - record.step);
        for (const line of describeStep(record, config.steps, left, terminal.columns)) terminal.say(line);
        terminal.status(record.step < config.steps ? `step ${record.step + 1}/${config.steps} …` : "evaluating");
        break;
      }
      case "checkpoint-saved":
        terminal.note(`checkpoint of step ${event.step} in ${event.folder}`);
        break;
      case "anomaly":
        terminal.note(`step ${event.step}: ${event.kind}: ${event.message}`);
        break;
      case "guard":
        terminal.note(`step ${event.step}: ${event.detector}: ${event.message} → ${event.action}`);
        break;
      case "run-end":
        break;
    }
  };
}

function printResult(terminal: Terminal, config: RunConfig, summary: RunSummary): void {
  terminal.say("");
  if (summary.before !== null && summary.after !== null) {
    terminal.say(`${config.topic}: ${config.model} → ${summary.run} (${summary.steps} steps)`);
    terminal.say(beforeAfterTable(summary.before.levels, summary.after.levels));
  }
  const { first, last } = summary.proposedDifficulty;
  terminal.say(
    `Proposed difficulty ${formatNumber(first)} → ${formatNumber(last)}, ${formatDuration(summary.seconds)}.`,
  );
  terminal.say(`The result is a Hugging Face folder: ${summary.checkpoint}`);
}
