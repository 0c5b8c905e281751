// `sqlm experiment`: plays every variant of an experiment file with every seed and prints the table. What the workspace
// has of it in its record is not played again, so that the same command goes on with an experiment that was interrupted.
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import type { RunConfig } from "../../config/config.ts";
import { withPathsFrom } from "../../config/file.ts";
import { importFile } from "../../config/import-file.ts";
import { didYouMean, RunStoppedError, UsageError } from "../../errors.ts";
import { makeControl } from "../../evaluate/controls.ts";
import {
  defineExperiment,
  type Experiment,
  runExperiment,
  type Trial,
  trialsOf,
  type VariantResult,
} from "../../evaluate/experiment.ts";
import { mean, standardDeviation } from "../../evaluate/statistics.ts";
import type { RunEvent, RunSummary } from "../../events.ts";
import { findModel } from "../../model/find-model.ts";
import { openReader } from "../../store/queries.ts";
import type { RunSources, RunTrial, Workspace } from "../../store/store.ts";
import { summarizeRun } from "../../store/summarize-run.ts";
import type { DefinedTopic } from "../../topics/define-topic.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { type ConfigForModel, resolveWithTopic } from "../config-options.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import { formatDuration, formatShare, formatTable } from "../format.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { openTopicFor } from "../open-topic.ts";
import type { Parts } from "../parts.ts";
import { playRun, withAbsolutePaths } from "../play-run.ts";
import { readNumbers } from "../read-range.ts";
import { sourcesOf } from "../run-sources.ts";
import { describeRemoved } from "../step-line.ts";
import type { Terminal } from "../terminal.ts";
import { findTrial, type RecordedTrial } from "../trials.ts";
import { watchTopicCalls } from "../watchdog.ts";

interface ExperimentCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly seeds: string;
  readonly parallel: string;
  readonly fresh?: boolean;
  readonly only?: string;
  readonly model?: string;
}

const experimentExamples = [
  "sqlm experiment examples/arithmetic-controls.ts --seeds 1,2,3",
  "sqlm experiment ./mine.ts --seeds 1,2 --parallel 2 --json",
];

export function experimentCommand(parts: Parts): Command {
  const command = makeCommand(
    "experiment",
    "Compare variants of a run over seeds. Interrupted, the same command goes on.",
    experimentExamples,
  );
  return withWorkspace(command)
    .argument("<file>", "File that exports the experiment (defineExperiment).")
    .option("--seeds <numbers>", "Seeds, as 1,2,3 or 1..5.", "1,2,3")
    .option("--parallel <count>", "Runs at a time; each takes a core and its own memory.", "1")
    .option("--only <names>", "Variants to play, separated by commas: several processes can share an experiment.")
    .option(
      "--model <model>",
      "Model of every run whose variant names none: a name, a folder, a GGUF file or a hub id.",
    )
    .option("--fresh", "Play every run anew, also those that the workspace has in its record.")
    .action(async (file: string, options: ExperimentCommandOptions) => {
      const terminal = terminalOf(options);
      const seeds = readNumbers("--seeds", options.seeds);
      const parallel = readCount("--parallel", options.parallel, 1);
      const experiment = withModel(withVariants(await openExperiment(file), options.only), options.model);
      const trials = trialsOf(experiment, seeds);
      // Every config is checked before the first run begins: a mistake in the last variant must not cost hours.
      const configs = new Map<string, RunConfig>();
      for (const trial of trials) {
        const first = await configOfTrial(trial, file, options.workspace);
        await fetchWithProgress({ ...first.config, workspace: options.workspace }, terminal);
        // A model that had to be downloaded first has a say in the settings only now.
        const { config, notes } = first.model === null ? await configOfTrial(trial, file, options.workspace) : first;
        for (const note of trial.seed === seeds[0] ? notes : []) terminal.note(note);
        if (trial.variant.control !== undefined)
          makeControl(trial.variant.control, await topicOf(config, options.workspace));
        configs.set(nameOf(trial), config);
      }

      await using workspace = await parts.openWorkspace(resolve(options.workspace));
      using interrupt = listenForInterrupt(terminal);
      using _watchdog = watchTopicCalls();
      const known = options.fresh === true ? new Map() : await findTrials(workspace, experiment, trials, configs);
      const left = trials.length - [...known.values()].filter(({ finished }) => finished).length;
      terminal.note(`${experiment.name}: ${trials.length} runs, ${parallel} at a time`);
      if (left < trials.length) {
        terminal.note(`in the record already, not played again: ${trials.length - left} (--fresh plays all anew)`);
      }
      const play = async (trial: Trial, stopped: AbortSignal) => {
        const name = nameOf(trial);
        const config = configs.get(name)!;
        const recorded = known.get(name);
        if (recorded?.finished === true) return summaryOf(workspace, recorded.run, config);
        const signal = AbortSignal.any([interrupt.signal, stopped]);
        if (signal.aborted) throw experimentEnded(`before ${name}`);
        const { summary, reason } = await playRun({
          parts,
          workspace,
          run:
            recorded === undefined
              ? { config: withThreads(config, parallel), trial: recordOf(experiment, trial) }
              : { resume: recorded.run },
          signal,
          onEvent: trialPrinter(terminal, name, config.steps, recorded !== undefined),
        });
        // A guard that stops a run has brought it to its end: what it is worth is a result.
        if (reason !== "interrupted") return summary;
        throw experimentEnded(`in ${name}, after step ${summary.steps} of ${config.steps}`);
      };
      const started = performance.now();
      let played = 0;
      const variants = await runExperiment(experiment, {
        seeds,
        parallel,
        play,
        onTrial: (trial, summary, done, total) => {
          const fromRecord = known.get(nameOf(trial))?.finished === true;
          if (!fromRecord) played++;
          const secondsLeft = ((performance.now() - started) / 1000 / Math.max(1, played)) * (left - played);
          terminal.note(
            `${done}/${total} ${nameOf(trial)}: ${frontierChange(summary)} ` +
              `(${summary.run}${fromRecord ? ", from the record" : ""})` +
              `${played > 0 && played < left ? `, ${formatDuration(secondsLeft)} left` : ""}`,
          );
        },
      });
      terminal.status(null);
      terminal.say(variantTable(variants, terminal.tableColumns));
      terminal.result({ variants });
    });
}

/** Says what happens in a trial, in a line of its own where somebody must know. */
function trialPrinter(terminal: Terminal, name: string, steps: number, resumed: boolean): (event: RunEvent) => void {
  return (event) => {
    if (event.type === "run-start" && resumed) {
      terminal.note(`${name}: going on with ${event.run} from step ${event.fromStep}`);
    }
    if (event.type === "step-end") terminal.status(`${name}: step ${event.record.step}/${steps}`);
    if (event.type === "anomaly") terminal.note(`${name}, step ${event.step}: ${event.message}`);
    if (event.type === "guard") {
      terminal.note(`${name}, step ${event.step}: ${event.detector}: ${event.message} → ${event.action}`);
    }
  };
}

function experimentEnded(where: string): RunStoppedError {
  return new RunStoppedError(
    `The experiment ended ${where}.`,
    "The same command goes on from here: what was played is in the record (`sqlm list`).",
  );
}

/** Names a trial within its experiment. */
function nameOf({ variant, seed }: Trial): string {
  return `${variant.name}, seed ${seed}`;
}

/** What a run of this trial is marked with in its record. */
function recordOf({ name }: Experiment, { variant }: Trial): RunTrial {
  return { experiment: name, variant: variant.name, control: variant.control ?? null };
}

/** The trials that the workspace has runs of, by name. */
async function findTrials(
  workspace: Workspace,
  experiment: Experiment,
  trials: readonly Trial[],
  configs: ReadonlyMap<string, RunConfig>,
): Promise<Map<string, RecordedTrial>> {
  const runs = workspace.list();
  const known = new Map<string, RecordedTrial>();
  // Trials share topics and models: each is read once.
  const sources = new Map<string, Promise<RunSources>>();
  for (const trial of trials) {
    const config = withAbsolutePaths(configs.get(nameOf(trial))!, workspace.folder);
    const files = JSON.stringify([config.topic, config.model, config.evalFile, config.examples]);
    if (!sources.has(files)) sources.set(files, sourcesOf(config));
    const found = findTrial(runs, recordOf(experiment, trial), config, await sources.get(files)!);
    if (found !== null) known.set(nameOf(trial), found);
  }
  return known;
}

/** The topic of a config as its model is asked about it. */
const topicOf = (config: RunConfig, workspace: string): Promise<DefinedTopic> =>
  openTopicFor(config.topic, findModel({ ...config, workspace }), config);

async function summaryOf({ folder }: Workspace, run: string, config: RunConfig): Promise<RunSummary> {
  const { hidden } = await topicOf(config, folder);
  using reader = openReader(folder);
  return summarizeRun(reader, run, hidden?.frontier ?? null);
}

/** The experiment that a file exports, by default or as `experiment`. Throws UsageError. */
async function openExperiment(file: string): Promise<Experiment> {
  const path = resolve(file);
  const loaded = await importFile(path, "experiment file");
  const found = loaded["default"] ?? loaded["experiment"];
  if (found === undefined) {
    throw new UsageError(
      `${path} exports no experiment.`,
      "Write: export const experiment = defineExperiment({ name, config, variants: [...] }).",
    );
  }
  return defineExperiment(found as Experiment);
}

/** The experiment with the named variants alone. Throws UsageError for one that it does not have. */
function withVariants(experiment: Experiment, only: string | undefined): Experiment {
  if (only === undefined) return experiment;
  const names = only.split(",").map((name) => name.trim());
  const known = experiment.variants.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `${experiment.name} has no variant "${unknown}".${didYouMean(unknown, known)}`,
      `Its variants are: ${known.join(", ")}.`,
    );
  }
  return { ...experiment, variants: experiment.variants.filter(({ name }) => names.includes(name)) };
}

/** The experiment with another model, whose path is seen from here and not from the experiment's file. */
function withModel(experiment: Experiment, model: string | undefined): Experiment {
  if (model === undefined) return experiment;
  const path = existsSync(model) ? resolve(model) : model;
  return { ...experiment, config: { ...experiment.config, model: path } };
}

function configOfTrial({ variant, config }: Trial, file: string, workspace: string): Promise<ConfigForModel> {
  const values = withPathsFrom(dirname(resolve(file)), config);
  return resolveWithTopic({ file: { path: `${file}, variant ${variant.name}`, values } }, workspace);
}

/** Threads that are measured while other runs compute would be measured wrong, and differently each time. */
function withThreads(config: RunConfig, parallel: number): RunConfig {
  return parallel > 1 && config.threads === 0 ? { ...config, threads: 1 } : config;
}

type Summary = Pick<VariantResult["seeds"][number], "frontier" | "before" | "after">;

function atFrontier({ frontier }: Summary, evaluation: Summary["before"]): number {
  return evaluation?.levels.find(({ difficulty }) => difficulty === frontier)?.passAt1 ?? Number.NaN;
}

function frontierChange(summary: Summary): string {
  return `pass@1 ${formatShare(atFrontier(summary, summary.before))} → ${formatShare(atFrontier(summary, summary.after))}`;
}

/** One row a variant: pass@1 at the frontier before and after, and the share of its errors that are gone. */
function variantTable(variants: readonly VariantResult[], columns: number): string {
  const rows = variants.map(({ name, seeds, errorRemoved }) => {
    const before = seeds.map((summary) => atFrontier(summary, summary.before));
    const after = seeds.map((summary) => atFrontier(summary, summary.after));
    return [
      name,
      String(seeds.length),
      formatShare(mean(before)),
      `${formatShare(mean(after))} ± ${formatShare(standardDeviation(after))}`,
      // Beyond that a share says nothing, nor does its spread.
      errorRemoved.mean < -1
        ? describeRemoved(errorRemoved.mean)
        : `${Math.round(errorRemoved.mean * 100)} % ± ${Math.round(errorRemoved.sd * 100)}`,
    ];
  });
  return formatTable(["variant", "seeds", "pass@1 before", "after, ± sd", "errors gone, ± sd"], rows, columns);
}
