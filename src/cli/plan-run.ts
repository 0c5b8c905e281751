// What a step of a run would take, before its model is opened: refuses what does not fit into memory and says what would.
import type { RunConfig } from "../config/config.ts";
import type { Engine } from "../engine/engine.ts";
import type { OpenEngineOptions } from "../engine/open-engine.ts";
import { type EnginePlan, peakBytes, type StepWork } from "../engine/work.ts";
import { UnsupportedError } from "../errors.ts";
import type { ModelFiles } from "../model/model-files.ts";
import { checkPrompts } from "../run-options.ts";
import { stepWork } from "../step-work.ts";
import { type DefinedTopic, withReplyLengths } from "../topics/define-topic.ts";
import { formatBytes } from "./format.ts";
import type { Parts } from "./parts.ts";

export interface PlannedStep {
  readonly work: StepWork;
  readonly plan: EnginePlan;
}

export interface StepToPlan {
  readonly parts: Pick<Parts, "planEngine">;
  readonly config: RunConfig;
  /** Where the model is. */
  readonly model: string;
  readonly topic: DefinedTopic;
  readonly files: ModelFiles;
}

/** What is opened for a run, and who hears of it. */
export interface RunToOpen extends Omit<StepToPlan, "parts" | "files"> {
  readonly parts: Pick<Parts, "openModelFiles" | "planEngine" | "openEngine">;
  readonly onProgress?: OpenEngineOptions["onProgress"];
  readonly onNote?: OpenEngineOptions["onNote"];
}

/**
 * Opens the engine of a run, with micro-batches as large as memory allows. Throws UnsupportedError before any weight is read where a
 * step does not fit into it, and what `openEngine` throws. The config is the one to record: a run that is resumed must neither
 * measure threads nor cut micro-batches anew.
 */
export async function openWithinMemory(
  run: RunToOpen,
): Promise<{ readonly engine: Engine; readonly config: RunConfig }> {
  const { parts, config, model, topic, onProgress, onNote } = run;
  const files = config.engine === "onnx" ? await parts.openModelFiles(model) : undefined;
  let { activationMemory } = config;
  if (files !== undefined) {
    const step = { parts, config, model, topic, files };
    const planned = await planRun(step, false);
    if (planned !== null) {
      await refuseBeforeSwapping(step, planned);
      const { plan } = planned;
      activationMemory = Math.floor(plan.activationBytes / 1e6);
      if (activationMemory > 0)
        onNote?.(`${describeMemory(plan)}; \`sqlm plan\` shows of what, and how long a step takes`);
    }
  }
  const chosen = { ...config, activationMemory };
  const engine = await parts.openEngine({ ...engineOptions(chosen), model, files, onProgress, onNote });
  return { engine, config: { ...chosen, threads: engine.capabilities.threads ?? config.threads } };
}

/** `a step takes up to 1.4 GB of 12.1 GB of memory`. */
export function describeMemory(plan: EnginePlan): string {
  return `a step takes up to ${formatBytes(peakBytes(plan))} of ${formatBytes(roomFor(plan))} of memory`;
}

/** null for an engine that computes elsewhere. Throws what `planEngine` and `checkPrompts` throw. */
export async function planRun(step: StepToPlan, measure: boolean): Promise<PlannedStep | null> {
  const { parts, config, model, topic, files } = step;
  const work = stepWork(config, topic.topic, files.tokenizer);
  const plan = await parts.planEngine({ ...engineOptions(config), model, files }, work, { measure });
  if (plan === null) return null;
  checkPrompts(files.tokenizer, plan, topic.topic);
  return { work, plan };
}

/** What a run's config says to the engine. */
function engineOptions(config: RunConfig): Omit<OpenEngineOptions, "model"> {
  const { engine, threads, seed, loraRank, loraAlpha, loraTargets, weights, activationMemory, adapter } = config;
  const { baseUrl, tokenizer } = config;
  const settings = { engine, threads, seed, loraRank, loraAlpha, loraTargets, weights, activationMemory, adapter };
  return { ...settings, baseUrl, tokenizer };
}

/** Bytes that a step may take without swapping: what is left, and what this process has already, which the plan counts too. */
function roomFor({ availableBytes }: EnginePlan): number {
  return availableBytes + process.memoryUsage.rss();
}

/** Throws UnsupportedError, with settings that would fit, where a step needs more memory than there is. */
async function refuseBeforeSwapping(step: StepToPlan, { plan }: PlannedStep): Promise<void> {
  const room = roomFor(plan);
  const needed = peakBytes(plan);
  if (needed <= room) return;
  const ways: string[] = [];
  for (const { flag, config } of smallerSteps(step)) {
    const topic = withReplyLengths(step.topic, config);
    const smaller = await planRun({ ...step, config, topic }, false).catch(() => null);
    if (smaller !== null && peakBytes(smaller.plan) <= room)
      ways.push(`${flag} (${formatBytes(peakBytes(smaller.plan))})`);
  }
  const [largest] = [...plan.memory].sort((a, b) => b.bytes - a.bytes);
  throw new UnsupportedError(
    `A step of this run would need ${formatBytes(needed)} of memory, most of it ${largest.part}, and ${formatBytes(room)} are available.`,
    ways.length > 0
      ? `Give ${ways.slice(0, 3).join(", or ")}. \`sqlm plan\` shows what takes how much.`
      : "Use a smaller model, or end other programs. `sqlm plan` shows what takes how much.",
  );
}

/** Settings that need less, by the flag that asks for them. */
function smallerSteps({ config, topic }: StepToPlan): { readonly flag: string; readonly config: RunConfig }[] {
  const answers = [1024, 512, 256, 128, 64].filter((tokens) => tokens < topic.topic.maxTokens.solve);
  const changes: [string, Partial<RunConfig>][] = [
    ["--weights int8", { weights: "int8" }],
    ["--lora-rank 16", { loraRank: 16 }],
    ["--lora-rank 16 --weights int8", { loraRank: 16, weights: "int8" }],
    ...answers.map((tokens): [string, Partial<RunConfig>] => [
      `--max-answer-tokens ${tokens}`,
      { maxAnswerTokens: tokens },
    ]),
    ["--group-size 4", { groupSize: Math.min(config.groupSize, 4) }],
  ];
  return changes
    .filter(([, change]) => Object.entries(change).some(([key, value]) => config[key as keyof RunConfig] !== value))
    .map(([flag, change]) => ({ flag, config: { ...config, ...change } }));
}
