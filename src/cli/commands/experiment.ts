// `sqlm experiment`: plays every variant of an experiment file with every seed and prints the table.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import type { RunConfig } from "../../config.ts";
import { resolveConfig } from "../../config-layers.ts";
import { RunStoppedError, UsageError } from "../../errors.ts";
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
import { openTopic } from "../../topics/registry.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { formatDuration, formatShare, formatTable } from "../format.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { findStartingModel } from "../model-folder.ts";
import type { Parts } from "../parts.ts";
import { playRun } from "../play-run.ts";

interface ExperimentCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly seeds: string;
  readonly parallel: string;
}

export function experimentCommand(parts: Parts): Command {
  const command = makeCommand("experiment", "Compare variants of a run over seeds.", [
    "sqlm experiment examples/arithmetic-controls.ts --seeds 1,2,3",
    "sqlm experiment ./mine.ts --seeds 1,2 --parallel 2 --json",
  ]);
  return withWorkspace(command)
    .argument("<file>", "File that exports the experiment (defineExperiment).")
    .option("--seeds <numbers>", "Seeds, separated by commas.", "1,2,3")
    .option("--parallel <count>", "Runs at a time; each takes a core and its own memory.", "1")
    .action(async (file: string, options: ExperimentCommandOptions) => {
      const terminal = terminalOf(options);
      const seeds = options.seeds.split(",").map((seed) => readCount("--seeds", seed.trim()));
      const parallel = readCount("--parallel", options.parallel, 1);
      const experiment = await openExperiment(file);
      const trials = trialsOf(experiment, seeds);
      // Every config is checked before the first run begins: a mistake in the last variant must not cost hours.
      for (const trial of trials) {
        const config = configOfTrial(trial, file, parallel);
        await openTopic(config.topic);
        findStartingModel(config);
      }

      await using workspace = await parts.openWorkspace(resolve(options.workspace));
      using interrupt = listenForInterrupt(terminal);
      const started = performance.now();
      terminal.note(`${experiment.name}: ${trials.length} runs, ${parallel} at a time`);
      const play = async (trial: Trial) => {
        const config = configOfTrial(trial, file, parallel);
        const name = `${trial.variant.name}, seed ${trial.seed}`;
        const { control } = trial.variant;
        const { summary, reason } = await playRun({
          parts,
          workspace,
          run: { config },
          signal: interrupt.signal,
          ...(control === undefined ? {} : { control: (topic) => makeControl(control, topic) }),
          onEvent: (event) => {
            if (event.type === "step-end") terminal.status(`${name}: step ${event.record.step}/${config.steps}`);
            if (event.type === "anomaly") terminal.note(`${name}, step ${event.step}: ${event.message}`);
          },
        });
        if (reason === "finished") return summary;
        throw new RunStoppedError(
          `The experiment ended in ${name}, after step ${summary.steps} of ${config.steps}.`,
          "Runs that were finished are recorded: `sqlm list`. The experiment itself starts over.",
        );
      };
      const variants = await runExperiment(experiment, {
        seeds,
        parallel,
        play,
        onTrial: ({ variant, seed }, summary, done, total) => {
          const left = ((performance.now() - started) / 1000 / done) * (total - done);
          terminal.note(
            `${done}/${total} ${variant.name}, seed ${seed}: ${frontierChange(summary)} (${summary.run})` +
              `${done < total ? `, ${formatDuration(left)} left` : ""}`,
          );
        },
      });
      terminal.status(null);
      terminal.say(variantTable(variants));
      terminal.result({ variants });
    });
}

/** The experiment that a file exports, by default or as `experiment`. Throws UsageError. */
async function openExperiment(file: string): Promise<Experiment> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no experiment file ${path}.`, "Check the path.");
  const loaded: Record<string, unknown> = await import(pathToFileURL(path).href);
  const found = loaded["default"] ?? loaded["experiment"];
  if (typeof found !== "object" || found === null || !("variants" in found) || !Array.isArray(found.variants)) {
    throw new UsageError(
      `${path} exports no experiment.`,
      "Write: export const experiment = defineExperiment({ name, config, variants: [...] }).",
    );
  }
  return defineExperiment(found as Experiment);
}

function configOfTrial({ variant, config }: Trial, file: string, parallel: number): RunConfig {
  const resolved = resolveConfig({ file: { path: `${file}, variant ${variant.name}`, values: config } }).config;
  // Threads that are measured while other runs compute would be measured wrong, and differently each time.
  return parallel > 1 && resolved.threads === 0 ? { ...resolved, threads: 1 } : resolved;
}

type Summary = Pick<VariantResult["seeds"][number], "frontier" | "before" | "after">;

function atFrontier({ frontier }: Summary, evaluation: Summary["before"]): number {
  return evaluation?.levels.find(({ difficulty }) => difficulty === frontier)?.passAt1 ?? Number.NaN;
}

function frontierChange(summary: Summary): string {
  return `pass@1 ${formatShare(atFrontier(summary, summary.before))} → ${formatShare(atFrontier(summary, summary.after))}`;
}

/** One row a variant: pass@1 at the frontier before and after, and the share of its errors that are gone. */
function variantTable(variants: readonly VariantResult[]): string {
  const rows = variants.map(({ name, seeds, errorRemoved }) => {
    const before = seeds.map((summary) => atFrontier(summary, summary.before));
    const after = seeds.map((summary) => atFrontier(summary, summary.after));
    return [
      name,
      String(seeds.length),
      formatShare(mean(before)),
      `${formatShare(mean(after))} ± ${formatShare(standardDeviation(after))}`,
      `${Math.round(errorRemoved.mean * 100)} % ± ${Math.round(errorRemoved.sd * 100)}`,
    ];
  });
  return formatTable(["variant", "seeds", "pass@1 before", "after, ± sd", "errors gone, ± sd"], rows);
}
