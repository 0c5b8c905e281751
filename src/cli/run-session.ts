// Runs or resumes self-play and shows it: prints each event, then the result.
// Leaves the playing to play-run.ts and every decision about a run to its config.

import { resolve } from "node:path";
import type { RunConfig } from "../config/config.ts";
import { readJsonLines } from "../config/json-lines-file.ts";
import type { EngineCapabilities } from "../engine/engine.ts";
import type { RunEvent, RunSummary, StepRecord } from "../events.ts";
import { isAdapterFolder } from "../model/adapter.ts";
import { metricSeries, openReader } from "../store/queries.ts";
import { subjectOf } from "../topic-names.ts";
import { exitCodes } from "./command.ts";
import { engineProgress, sayWeights } from "./engine-progress.ts";
import { type EventOutputOptions, openEventOutputs } from "./event-outputs.ts";
import { formatDuration, formatNumber, oneLine } from "./format.ts";
import { healthOfRun } from "./health-of.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { liveCurves } from "./live-curves.ts";
import { ownCommand } from "./own-command.ts";
import type { Parts } from "./parts.ts";
import { type NewRun, type PlayOptions, playRun } from "./play-run.ts";
import { beforeAfterTable, describeLevels, describeStep } from "./step-line.ts";
import type { Terminal } from "./terminal.ts";
import { describeTrial } from "./trials.ts";
import { watchTopicCalls } from "./watchdog.ts";

export interface SessionOptions extends EventOutputOptions {
  readonly terminal: Terminal;
  readonly parts: Parts;
  readonly workspace: string;
  /** The settings of a new run, or the name of one to go on with. */
  readonly run: NewRun | Exclude<PlayOptions["run"], NewRun>;
  /** Show the result and what went wrong, and nothing else. */
  readonly quiet?: boolean | undefined;
  /** Address of a dashboard that shows it, or null. */
  readonly dashboard: string | null;
}

/** Runs to the end or to an interrupt; returns the exit code. */
export async function runSession(options: SessionOptions): Promise<number> {
  const { parts, run, quiet = false } = options;
  const terminal = quiet ? { ...options.terminal, status: () => {} } : options.terminal;
  await using workspace = await parts.openWorkspace(resolve(options.workspace));
  const info = "config" in run ? null : workspace.info(run.resume);
  const config = "config" in run ? run.config : { ...info!.config, steps: run.steps ?? info!.config.steps };
  noteLeftOut(terminal, config);
  terminal.status(`opening ${config.model}`);
  if (info?.trial != null) terminal.note(`a trial of experiment ${describeTrial(info.trial)}`);
  if (info?.status === "finished" && config.steps === info.config.steps) {
    const more = config.steps + 100;
    const command = ownCommand(["resume", info.run, "--steps", String(more)], options.workspace);
    terminal.note(`${info.run} is finished. To go on with it: ${command}`);
  }
  using outputs = openEventOutputs(options, workspace.folder);
  using interrupt = listenForInterrupt(terminal);
  using _watchdog = watchTopicCalls();
  const show = eventPrinter({ ...options, terminal, quiet }, config);
  let example: string | null = null;
  const onEvent = (event: RunEvent): void => {
    if (event.type === "step-end") example = questionToAsk(event.record) ?? example;
    outputs.onEvent(event);
    show(event);
  };
  const { signal } = interrupt;
  const onOpened = (capabilities: EngineCapabilities): void => {
    if (!quiet) sayWeights(terminal, capabilities);
  };
  const onProgress = quiet ? undefined : engineProgress(terminal);
  const onNote = (note: string): void => terminal.note(note);
  try {
    const { summary, reason } = await playRun({ parts, workspace, run, signal, onEvent, onOpened, onProgress, onNote });
    if (reason === "finished") printResult(terminal, config, summary, options.workspace, example);
    terminal.result(summary);
    return reason === "finished" ? exitCodes.ok : exitCodes.stopped;
  } finally {
    terminal.status(null);
  }
}

/** Says where an eval file holds more questions than an evaluation asks. */
function noteLeftOut(terminal: Terminal, { topic, evalFile, evalQuestions }: RunConfig): void {
  if (evalFile === "none" || subjectOf(topic) === null) return;
  const { length } = readJsonLines(evalFile, "eval file");
  if (length <= evalQuestions) return;
  terminal.note(
    `Each evaluation asks ${evalQuestions} of the ${length} questions of ${evalFile}, the same ones each time; --eval-questions ${length} asks all.`,
  );
}

/** Prints events as they come; the time left is estimated from the latest steps. */
function eventPrinter(
  { terminal, workspace, quiet = false, dashboard }: SessionOptions,
  config: RunConfig,
): (event: RunEvent) => void {
  const secondsOfSteps: number[] = [];
  const curves = liveCurves();
  let name = "";
  const say = (line: string): void => {
    if (!quiet) terminal.say(line);
  };
  return (event) => {
    switch (event.type) {
      case "run-start": {
        const { run, fromStep, steps } = event;
        name = run;
        say(
          `run ${run}: ${config.topic} from ${config.model}, ${steps} steps of ${config.groupsPerBatch} questions × ` +
            `${config.groupSize} answers, seed ${config.seed}${fromStep > 0 ? `, going on from step ${fromStep}` : ""}`,
        );
        if (dashboard !== null) terminal.note(`watch it at ${dashboard}#/run/${encodeURIComponent(run)}`);
        terminal.status("evaluating the model before the first step");
        break;
      }
      case "evaluation-end":
        say(`step ${event.step} evaluated, ${describeLevels(event.evaluation.levels)}`);
        break;
      case "step-end": {
        const { record } = event;
        secondsOfSteps.push(record.seconds);
        const recent = secondsOfSteps.slice(-10);
        const left = (recent.reduce((sum, value) => sum + value, 0) / recent.length) * (config.steps - record.step);
        for (const line of describeStep(record, config.steps, left, terminal.columns)) say(line);
        curves.add(record);
        const next = record.step < config.steps ? `step ${record.step + 1}/${config.steps} …` : "evaluating";
        terminal.status(curves.line(next, terminal.columns));
        break;
      }
      case "checkpoint-saved":
        if (!quiet) terminal.note(`checkpoint of step ${event.step} in ${event.folder}`);
        break;
      case "anomaly":
        terminal.note(`step ${event.step}: ${event.kind}: ${event.message}`);
        break;
      case "guard":
        terminal.note(`step ${event.step}: ${event.detector}: ${event.message} → ${event.action}`);
        break;
      case "run-end":
        terminal.status(null);
        // Also where the loop throws next: whoever reads the error must know that the run can go on.
        if (event.reason !== "finished") {
          terminal.say(`Run ${name} ended after step ${event.step} of ${config.steps}.`);
          terminal.say(`Go on with: ${ownCommand(["resume", name], workspace)}`);
        }
        break;
    }
  };
}

/** A question of this step that a user can type: short, on one line, and answered by a vote. */
function questionToAsk({ groups }: StepRecord): string | null {
  const found = groups.find(
    ({ question: { text }, verdict }) =>
      verdict.kind === "vote" && !text.startsWith("-") && text.length <= 60 && oneLine(text, 60) === text,
  );
  return found?.question.text ?? null;
}

function printResult(
  terminal: Terminal,
  config: RunConfig,
  summary: RunSummary,
  workspace: string,
  example: string | null,
): void {
  terminal.say("");
  if (summary.before !== null && summary.after !== null) {
    terminal.say(`${config.topic}: ${config.model} → ${summary.run} (${summary.steps} steps)`);
    terminal.say(beforeAfterTable(summary.before.levels, summary.after.levels, terminal.tableColumns));
  }
  const health = healthOfRun(workspace, summary.run);
  if (health !== null) terminal.say(`Nobody knows which answers to its own questions are right. ${health}`);
  if (health !== null && summary.after === null) {
    terminal.say("To measure accuracy, give questions with answers that it never trains on: --eval-file FILE.jsonl.");
  }
  const { first, last } = summary.proposedDifficulty;
  terminal.say(
    `Proposed difficulty ${formatNumber(first)} → ${formatNumber(last)}, ${formatDuration(summary.seconds)}.`,
  );
  const empty = stepsWithoutQuestions(workspace, summary.run);
  if (empty > 0) {
    const steps = empty === 1 ? "1 step" : `${empty} of ${summary.steps} steps`;
    terminal.note(
      `Warning: ${steps} had no question to ask and taught nothing. See: ${ownCommand(["questions", summary.run, "--refused"], workspace)}`,
    );
  }
  if (config.engine === "tinker") {
    const hasCopy = summary.checkpoint !== null && isAdapterFolder(summary.checkpoint);
    const copy = hasCopy ? "; a copy of the adapter lies there" : "";
    terminal.say(`The weights are on the server; ${summary.checkpoint} says where${copy}.`);
    if (hasCopy)
      terminal.say(
        `As a model of this machine: ${ownCommand(["export", "model", summary.run, "--to", "FOLDER"], workspace)}`,
      );
    terminal.say(`Look at the run with: ${ownCommand(["show", summary.run], workspace)}`);
    if (hasCopy && example !== null)
      terminal.say(`Ask its model with: ${ownCommand(["ask", summary.run, example], workspace)}`);
    return;
  }
  const isAdapter = summary.checkpoint !== null && isAdapterFolder(summary.checkpoint);
  terminal.say(
    isAdapter
      ? `The result is an adapter: ${summary.checkpoint}. As a model: ${ownCommand(["export", "model", summary.run, "--to", "FOLDER"], workspace)}`
      : `The result is a Hugging Face folder: ${summary.checkpoint}`,
  );
  terminal.say(`Look at the run with: ${ownCommand(["show", summary.run], workspace)}`);
  if (example !== null) terminal.say(`Ask its model with: ${ownCommand(["ask", summary.run, example], workspace)}`);
}

function stepsWithoutQuestions(workspace: string, run: string): number {
  using reader = openReader(workspace);
  const questions = metricSeries(reader, run, ["questions"])[0]?.values ?? [];
  return questions.filter((count) => count === 0).length;
}
