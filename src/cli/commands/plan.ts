// `sqlm plan`: what a step of a run would take of memory and time, before anything is loaded.
import type { Command } from "commander";
import { completionsOf, type EnginePlan, peakBytes, type SampledWork, type StepWork } from "../../engine/work.ts";
import { UnsupportedError } from "../../errors.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { addConfigFlags } from "../config-flags.ts";
import { configOf } from "../config-options.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
import { openTopicFor } from "../open-topic.ts";
import type { Parts } from "../parts.ts";
import { describeMemory, planRun } from "../plan-run.ts";
import { runNamed } from "../run-name.ts";
import type { Terminal } from "../terminal.ts";

interface PlanOptions extends Record<string, unknown> {
  readonly json?: boolean;
  readonly workspace: string;
  readonly measure: boolean;
}

export function planCommand(parts: Parts): Command {
  const command = makeCommand("plan", "Say what a step of a run would take of memory and time, before anything runs.", [
    'sqlm plan "plain:adding two numbers" --model MODEL.gguf',
    "sqlm plan arithmetic --groups-per-batch 16 --group-size 8 --no-measure",
    "sqlm plan --model MODEL.gguf --weights int8 --max-answer-tokens 256 --json",
  ]);
  const withFlags = withWorkspace(command)
    .argument("[topic]", "Topic name or path of a topic file.")
    .option("--no-measure", "Leave out the time, which takes some seconds to measure.");
  return addConfigFlags(withFlags).action(async (topicName: string | undefined, options: PlanOptions) => {
    const terminal = terminalOf(options);
    const { workspace } = options;
    const { config, notes } = await configOf(options, topicName);
    for (const note of notes) terminal.note(note);
    const model = await fetchWithProgress({ ...config, model: runNamed(config.model, workspace), workspace }, terminal);
    const topic = await openTopicFor(config.topic, model, config);
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

function show(terminal: Terminal, model: string, plan: EnginePlan, work: StepWork): void {
  terminal.say(`${model}: ${(plan.parameters / 1e6).toFixed(1)} M parameters, ${plan.weights}`);
  terminal.say(`A step at its longest: ${work.sampled.map(describeSampled).join("; ")}.\n`);
  const memory = plan.memory.map(({ part, bytes, about }) => [part, formatBytes(bytes), about]);
  terminal.say(formatTable(["memory", "", "of what"], memory, terminal.tableColumns));
  terminal.say(`Together: ${describeMemory(plan)}.`);
  if (plan.time === null) return;
  const seconds = plan.time.reduce((sum, stage) => sum + stage.seconds, 0);
  const time = plan.time.map((stage) => [
    stage.stage,
    formatDuration(stage.seconds),
    `${Math.round(stage.tokens)} tokens, ${Math.round(stage.tokens / Math.max(1e-9, stage.seconds))} a second`,
  ]);
  terminal.say(`\n${formatTable(["time", "", "of what"], time, terminal.tableColumns)}`);
  terminal.say(
    `Together: ${formatDuration(seconds)} a step, where every reply is as long as it may be; shorter ones take less.`,
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
