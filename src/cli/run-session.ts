// Runs or resumes self-play and shows it: prints each event, then the result.
// Leaves the playing to play-run.ts and every decision about a run to its config.
import { resolve } from "node:path";
import type { RunConfig } from "../config/config.ts";
import type { RunEvent, RunSummary } from "../events.ts";
import { exitCodes } from "./command.ts";
import { formatDuration, formatNumber } from "./format.ts";
import { listenForInterrupt } from "./interrupt.ts";
import type { Parts } from "./parts.ts";
import { playRun } from "./play-run.ts";
import { beforeAfterTable, describeLevels, describeStep } from "./step-line.ts";
import type { Terminal } from "./terminal.ts";
import { describeTrial } from "./trials.ts";

export interface SessionOptions {
  readonly terminal: Terminal;
  readonly parts: Parts;
  readonly workspace: string;
  /** The settings of a new run, or the name of one to go on with. */
  readonly run: { readonly config: RunConfig } | { readonly resume: string };
}

/** Runs to the end or to an interrupt; returns the exit code. */
export async function runSession({ terminal, parts, workspace: folder, run }: SessionOptions): Promise<number> {
  await using workspace = await parts.openWorkspace(resolve(folder));
  const { config, trial } = "config" in run ? { config: run.config, trial: null } : workspace.info(run.resume);
  terminal.status(`opening ${config.model}`);
  if (trial !== null) terminal.note(`a trial of experiment ${describeTrial(trial)}`);
  using interrupt = listenForInterrupt(terminal);
  const show = eventPrinter(terminal, config);
  const { signal } = interrupt;
  try {
    const { summary, reason } = await playRun({ parts, workspace, run, signal, onEvent: show });
    if (reason === "finished") printResult(terminal, config, summary);
    terminal.result(summary);
    return reason === "finished" ? exitCodes.ok : exitCodes.stopped;
  } finally {
    terminal.status(null);
  }
}

/** Prints events as they come; the time left is estimated from the latest steps. */
function eventPrinter(terminal: Terminal, config: RunConfig): (event: RunEvent) => void {
  const secondsOfSteps: number[] = [];
  let name = "";
  return (event) => {
    switch (event.type) {
      case "run-start": {
        const { run, fromStep, steps } = event;
        name = run;
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
        terminal.status(null);
        // Also where the loop throws next: whoever reads the error must know that the run can go on.
        if (event.reason !== "finished") {
          terminal.say(`Run ${name} ended after step ${event.step} of ${config.steps}.`);
          terminal.say(`Go on with: sqlm resume ${name}`);
        }
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
  terminal.say(`Look at the run with: sqlm show ${summary.run}. Ask its model with: sqlm ask ${summary.run} QUESTION`);
}
