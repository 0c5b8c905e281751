// Options of commands that open a model to ask it: an adapter beside it, and how its weights are held.
import { type Command, Option } from "commander";
import { type WeightSettings, weightForms } from "../config/engine.ts";
import { UsageError } from "../errors.ts";

export interface ModelCommandOptions {
  readonly adapter?: string;
  readonly weights: string;
}

export function withModelOptions(command: Command): Command {
  return command
    .option("--adapter <folder>", "PEFT adapter to put beside the model.")
    .addOption(
      new Option(
        "--weights <name>",
        "How a large model's weights are held: auto is int8 above 250 M parameters, else f32.",
      )
        .choices([...weightForms])
        .default("auto"),
    );
}

/** What they say to the engine. Large models are opened as they are trained, their own weights frozen. */
export function modelSettings({ adapter, weights }: ModelCommandOptions): Partial<WeightSettings> {
  const form = weightForms.find((name) => name === weights);
  if (form === undefined)
    throw new UsageError(`--weights ${weights} is unknown.`, `Give one of ${weightForms.join(", ")}.`);
  return { loraRank: -1, weights: form, ...(adapter === undefined ? {} : { adapter }) };
}
