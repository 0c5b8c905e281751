// `sqlm plan`: what a step of a run would take of memory and time, before anything is loaded.
import type { Command } from "commander";
import type { RunConfig } from "../../config/config.ts";
import { completionsOf, type EnginePlan, peakBytes, type SampledWork, type StepWork } from "../../engine/work.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import { stepWork } from "../../step-work.ts";
import type { DefinedTopic } from "../../topics/define-topic.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { configOf } from "../config-options.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import { formatBytes, formatDuration, formatTable, formatTokens } from "../format.ts";
import { openTopicFor } from "../open-topic.ts";
import type { Parts } from "../parts.ts";
import { describeMemory, planRun } from "../plan-run.ts";
import { costOf, measureServer, readPrices, tokensOfStep } from "../plan-server.ts";
import { runNamed } from "../run-name.ts";
import type { Terminal } from "../terminal.ts";

interface PlanOptions extends Record<string, unknown> {
  readonly json?: boolean;
  readonly workspace: string;
  readonly measure: boolean;
  readonly prices?: string;
}

export function planCommand(parts: Parts): Command {
  const command = makeCommand("plan", "Say what a step of a run would take of memory and time, before anything runs.", [
    'sqlm plan "plain:adding two numbers" --model MODEL.gguf',
    "sqlm plan arithmetic --groups-per-batch 16 --group-size 8 --no-measure",
    "sqlm plan --model MODEL.gguf --weights int8 --max-answer-tokens 256 --json",
    "sqlm plan --engine tinker --model Qwen/Qwen3-8B --prices 0.13,0.4,0.4    what a step and the run would cost",
  ]);
  const withFlags = withWorkspace(command)
    .argument("[topic]", "Topic name or path of a topic file.")
    .option("--no-measure", "Leave out the time, which takes some seconds to measure.")
    .option("--prices <list>", "Of a server: dollars for a million tokens of prompts, samples and training.");
  return addConfigFlags(withFlags).action(async (topicName: string | undefined, options: PlanOptions) => {
    const terminal = terminalOf(options);
    const { workspace } = options;
    const { config, notes } = await configOf(options, topicName);
    for (const note of notes) terminal.note(note);
    const remote = config.engine === "tinker";
    const name = remote ? config.model : runNamed(config.model, workspace);
    const model = await fetchWithProgress({ ...config, model: name, workspace }, terminal);
    const topic = await openTopicFor(config.topic, model, config);
    if (remote) {
      await planOnServer(terminal, parts, { config, tokenizer: model, topic }, options);
      return;
    }
    if (options.prices !== undefined) {
      throw new UsageError("--prices are those of a server.", "Leave it out, or plan with --engine tinker.");
    }
    if (options.measure) terminal.status("measuring");
    const step = { parts, config, model, topic, files: await parts.openModelFiles(model) };
    const planned = await planRun(step, options.measure);
    terminal.status(null);
    if (planned === null) {
      throw new UnsupportedError(
        `The engine ${config.engine} computes on a server, which says nothing of its memory.`,
        "Plan runs of the engine onnx.",
      );
    }
    const { plan, work } = planned;
    show(terminal, model, plan, work);
    terminal.result({ model, topic: config.topic, ...plan, peakBytes: peakBytes(plan), work });
  });
}

interface ServerPlan {
  readonly config: RunConfig;
  /** Folder of the tokenizer. */
  readonly tokenizer: string;
  readonly topic: DefinedTopic;
}

/** Tokens, time and money of a step and of the run, before anything is spent beside what the time is measured with. */
async function planOnServer(
  terminal: Terminal,
  parts: Parts,
  { config, tokenizer, topic }: ServerPlan,
  { measure, prices: given }: PlanOptions,
): Promise<void> {
  const prices = given === undefined ? null : readPrices(given);
  const { openTokenizer } = await import("../../model/tokenizer.ts");
  const tokens = tokensOfStep(stepWork(config, topic.topic, openTokenizer(tokenizer)));
  if (measure) terminal.status("measuring");
  const rates = measure ? await ratesOf(parts, { ...config, tokenizer }) : null;
  terminal.status(null);
  const seconds = rates === null ? null : tokens.sample / rates.sample + tokens.train / rates.train;
  const dollars = prices === null ? null : costOf(tokens, prices);
  const rows = (["prefill", "sample", "train"] as const).map((kind) => [
    { prefill: "prompts", sample: "samples", train: "training" }[kind],
    formatTokens(tokens[kind]),
    formatTokens(tokens[kind] * config.steps),
    prices === null ? "" : `$${((tokens[kind] * prices[kind]) / 1e6).toFixed(3)} a step`,
  ]);
  terminal.say(
    `${config.model} on a server. A step at its longest, and ${config.steps} of them, without evaluations:\n`,
  );
  terminal.say(formatTable(["tokens", "a step", "the run", ""], rows, terminal.tableColumns));
  if (seconds !== null) {
    terminal.say(
      `\n${formatDuration(seconds)} a step, ${formatDuration(seconds * config.steps)} the run, at the rates measured with ${rates!.tokens} tokens.`,
    );
  }
  terminal.say(
    dollars === null
      ? "Prices are not part of the protocol: give them with --prices PROMPTS,SAMPLES,TRAINING, in dollars for a million tokens."
      : `$${dollars.toFixed(2)} a step, $${(dollars * config.steps).toFixed(2)} the run, at most.`,
  );
  terminal.say("The memory is the server's; here a run takes little more than the tokens of a step.");
  terminal.result({ model: config.model, topic: config.topic, tokens, rates, seconds, dollars, steps: config.steps });
}

async function ratesOf(parts: Parts, config: RunConfig) {
  await using engine = await parts.openEngine(config);
  return await measureServer(engine);
}

function show(terminal: Terminal, model: string, plan: EnginePlan, work: StepWork): void {
  terminal.say(`${model}: ${(plan.parameters / 1e6).toFixed(1)} M parameters, ${plan.weights}`);
  terminal.say(`A step at its longest: ${work.sampled.map(describeSampled).join("; ")}.\n`);
  const memory = plan.memory.map(({ part, bytes, about }) => [part, formatBytes(bytes), about]);
  terminal.say(formatTable(["memory", "", "of what"], memory, terminal.tableColumns));
  terminal.say(`Together: ${describeMemory(plan)}.`);
  const { time, timeAtHalf } = plan;
  if (time === null || timeAtHalf === null) return;
  const rows = time.map((stage, i) => [
    stage.stage,
    formatDuration(timeAtHalf[i].seconds),
    formatDuration(stage.seconds),
    `${Math.round(stage.tokens)} tokens, ${Math.round(stage.tokens / Math.max(1e-9, stage.seconds))} a second`,
  ]);
  terminal.say(`\n${formatTable(["time", "half as long", "longest", "of what"], rows, terminal.tableColumns)}`);
  const [half, whole] = [timeAtHalf, time].map((stages) =>
    formatDuration(stages.reduce((sum, { seconds }) => sum + seconds, 0)),
  );
  terminal.say(
    `Together: ${half} a step where replies are half as long as they may be, ${whole} where every one is as long as it may be. Equal replies are computed once, and take less.`,
  );
}

const stageNames: Readonly<Record<SampledWork["stage"], string>> = {
  propose: "proposals",
  paraphrase: "paraphrases",
  solve: "answers",
};

/** `128 answers of up to 256 tokens to 16 prompts of 140`. */
function describeSampled(work: SampledWork): string {
  const { stage, prompts, promptTokens, maxTokens } = work;
  const to = prompts === 1 ? `a prompt of ${promptTokens}` : `${prompts} prompts of ${promptTokens}`;
  return `${completionsOf(work)} ${stageNames[stage]} of up to ${maxTokens} tokens to ${to}`;
}
