// Options of commands that open a model to ask it: an adapter beside it, and how its weights are held.
import { type Command, Option } from "commander";
import { type WeightSettings, weightForms, weightFormsHelp } from "../config/engine.ts";
import { UsageError } from "../errors.ts";
import { isAdapterFolder } from "../model/adapter.ts";
import { fetchWithProgress } from "./fetch-model.ts";
import type { Terminal } from "./terminal.ts";

export interface ModelCommandOptions {
  readonly adapter?: string;
  readonly base?: string;
  readonly weights: WeightSettings["weights"];
}

export function withBaseOption(command: Command): Command {
  return command.option(
    "--base <model>",
    "Model that the adapter of a checkpoint is of, where the checkpoint's own base is not on this machine.",
  );
}

export function withModelOptions(command: Command): Command {
  return withBaseOption(command)
    .option("--adapter <folder>", "PEFT adapter to put beside the model.")
    .addOption(weightsOption());
}

export const weightsOption = (): Option =>
  new Option("--weights <name>", weightFormsHelp)
    .choices([...weightForms])
    .argParser(readWeightForm)
    .default("auto");

/** Throws UsageError. */
function readWeightForm(text: string): (typeof weightForms)[number] {
  const form = weightForms.find((name) => name === text);
  if (form !== undefined) return form;
  throw new UsageError(`--weights must be one of ${weightForms.join(", ")}, not "${text}".`, weightFormsHelp);
}

/** What is opened of a model that was named: its folder or GGUF file, and the adapter to put beside it. */
export interface OpenedAs {
  readonly folder: string;
  readonly adapter: string | undefined;
}

/**
 * A checkpoint that holds an adapter, or any model as it is. With `--base` that model is opened, and the checkpoint's adapter beside it.
 * Throws UsageError where there is no such model, or where it would change nothing.
 */
export async function openedAs(
  folder: string,
  { base, adapter }: Pick<ModelCommandOptions, "base" | "adapter">,
  terminal: Terminal,
): Promise<OpenedAs> {
  if (base === undefined) return { folder, adapter };
  if (adapter !== undefined) {
    throw new UsageError("--base and --adapter cannot both be given.", "Name the base itself, with --adapter.");
  }
  if (!isAdapterFolder(folder)) {
    throw new UsageError(`${folder} holds no adapter, so --base changes nothing.`, "Leave it out.");
  }
  return { folder: await fetchWithProgress({ model: base }, terminal), adapter: folder };
}

/** What they say to the engine. Large models are opened as they are trained, their own weights frozen. */
export function modelSettings({
  adapter,
  weights,
}: Pick<ModelCommandOptions, "adapter" | "weights">): Partial<WeightSettings> {
  return { loraRank: -1, weights, ...(adapter === undefined ? {} : { adapter }) };
}
