// `sqlm show`: what a run did: evaluations, curves of its metrics, checkpoints and what went wrong.
import type { Command } from "commander";
import { configKeys, runConfigSchema } from "../../config/config.ts";
import { didYouMean, UsageError } from "../../errors.ts";
import { type MetricSeries, metricSeries, openReader, type RunOverview, runOverview } from "../../store/queries.ts";
import { type RecordedTokens, recordedTokens } from "../../store/view-tokens.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import {
  formatBytes,
  formatDuration,
  formatNumber,
  formatShare,
  formatTable,
  formatTokens,
  oneLine,
  sparkline,
} from "../format.ts";
import { healthOf } from "../health-of.ts";
import { costOf, type Prices, readPrices } from "../plan-server.ts";
import { beforeAfterTable, levelTable } from "../step-line.ts";
import type { Terminal } from "../terminal.ts";
import { describeTrial } from "../trials.ts";

export function showCommand(): Command {
  const command = makeCommand("show", "Show what a run did: results, curves, checkpoints, anomalies.", [
    "sqlm show arithmetic-20260101-120000-s1",
    "sqlm show RUN --metrics agreement,labelAccuracy",
    "sqlm show RUN --json",
  ]);
  return withWorkspace(command)
    .argument("<run>", "Name of the run, its beginning, or latest.")
    .option("--metrics <names>", "Only these metrics, separated by commas.")
    .option("--prices <list>", "Cost so far: dollars for a million tokens of prompts, samples and training.")
    .action((run: string, options: { json?: boolean; workspace: string; metrics?: string; prices?: string }) => {
      const terminal = terminalOf(options);
      const prices = options.prices === undefined ? null : readPrices(options.prices);
      using reader = openReader(options.workspace);
      const overview = runOverview(reader, run);
      const series = metricSeries(reader, overview.run, readMetricNames(options.metrics, overview));
      const health = healthOf(reader, overview);
      const cost = prices === null ? null : costSoFar(recordedTokens(reader, overview.run), prices);
      print(terminal, overview, series, health);
      if (cost !== null) terminal.say(`\n${cost.says}`);
      terminal.result({ ...overview, metrics: series, ...(cost === null ? {} : { cost }) });
    });
}

/** What the run has taken of a server, in a sentence. */
function costSoFar(tokens: RecordedTokens, prices: Prices): { says: string; tokens: RecordedTokens; dollars: number } {
  const dollars = costOf(tokens, prices);
  const says =
    `Cost so far: $${dollars.toFixed(2)}, of ${formatTokens(tokens.prefill)} tokens of prompts, ${formatTokens(tokens.sample)} sampled and ` +
    `${formatTokens(tokens.train)} trained; evaluations not counted.`;
  return { says, tokens, dollars };
}

/** Names of metrics given to --metrics; undefined for all. Throws UsageError for one that the run does not have. */
function readMetricNames(given: string | undefined, { run, metricNames }: RunOverview): string[] | undefined {
  const names = given?.split(",").map((name) => name.trim());
  const unknown = names?.find((name) => !metricNames.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(
    `Run ${run} has no metric "${unknown}".${didYouMean(unknown, metricNames)}`,
    metricNames.length === 0 ? "It has recorded no step yet." : `It has: ${metricNames.join(", ")}.`,
  );
}

function print(
  terminal: Terminal,
  overview: RunOverview,
  series: readonly MetricSeries[],
  health: string | null,
): void {
  const { run, config, trial, status, lastStep, created, totals, evaluations, checkpoints, anomalies, guardEvents } =
    overview;
  const width = terminal.tableColumns;
  const section = (title: string, text: string): void => terminal.say(`\n${title}\n${text}`);
  terminal.say(`${run}: ${status} at step ${lastStep} of ${config.steps}, started ${created}`);
  if (trial !== null) terminal.say(`trial of experiment ${describeTrial(trial)}`);
  terminal.say(`${config.topic} from ${config.model}, ${formatDuration(totals.seconds)} in ${totals.steps} steps`);
  terminal.say(
    `${totals.proposals} proposals, ${totals.questions} questions, ${totals.answers} answers; ` +
      `${totals.trained} questions taught something`,
  );
  const defaults = runConfigSchema.parse({});
  const changed = configKeys.filter((key) => config[key] !== defaults[key]);
  if (changed.length > 0) terminal.say(`not default: ${changed.map((key) => `${key} ${config[key]}`).join(", ")}`);

  const [first, last] = [evaluations[0], evaluations.at(-1)];
  if (first !== undefined && last !== undefined) {
    if (first === last) section(`Evaluation at step ${first.step}`, levelTable(first.levels, width));
    else section(`Evaluation, step ${first.step} → ${last.step}`, beforeAfterTable(first.levels, last.levels, width));
    section("pass@1 over evaluations", evaluationCurves(evaluations, width));
  }
  if (health !== null) section("Nobody knows which answers to its own questions are right", health);
  if (series.length > 0) section("Metrics by step", metricTable(series, terminal.columns, width));
  if (checkpoints.length > 0) {
    const rows = checkpoints.map(({ step, bytes, folder }) => [String(step), formatBytes(bytes), folder]);
    section("Checkpoints", formatTable(["step", "size", "folder"], rows, width));
  }
  const events = [
    ...guardEvents.map(({ step, detector, action, message }) => ({ step, what: `${detector} → ${action}`, message })),
    ...anomalies.map(({ step, kind, message }) => ({ step, what: kind, message })),
  ].sort((a, b) => a.step - b.step);
  if (events.length > 0) {
    const lines = events.map(({ step, what, message }) => `step ${step}: ${what}: ${oneLine(message, 1000)}`);
    section("Guard and anomalies", lines.join("\n"));
  }
}

/** One line a difficulty level: its pass@1 over the run's evaluations. */
function evaluationCurves(evaluations: RunOverview["evaluations"], columns: number): string {
  const difficulties = [...new Set(evaluations.flatMap(({ levels }) => levels.map(({ difficulty }) => difficulty)))];
  const rows = difficulties.map((difficulty) => {
    const values = evaluations.map(
      ({ levels }) => levels.find((level) => level.difficulty === difficulty)?.passAt1 ?? Number.NaN,
    );
    return [String(difficulty), sparkline(values), values.map(formatShare).join(" ")];
  });
  const steps = `at steps ${evaluations.map(({ step }) => step).join(", ")}`;
  return formatTable(["difficulty", "curve", steps], rows, columns);
}

function metricTable(series: readonly MetricSeries[], columns: number, tableColumns: number): string {
  const widest = Math.max(...series.map(({ name }) => name.length));
  const width = Math.max(10, Math.min(60, Math.min(columns, tableColumns) - widest - 44));
  const rows = series.map(({ name, values }) => {
    const finite = values.filter(Number.isFinite);
    const shown = [values[0], values.at(-1) ?? Number.NaN, Math.min(...finite), Math.max(...finite)];
    return [
      name,
      sparkline(values, width),
      ...shown.map((value) => (Number.isFinite(value) ? formatNumber(value) : "-")),
    ];
  });
  return formatTable(["metric", "curve", "first", "last", "least", "most"], rows, tableColumns);
}
