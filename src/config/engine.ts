// Settings of the engine: where the model is, what of it trains, and how its weights are held.
import { z } from "zod";
import { onlyWith } from "./in-force.ts";
import { count } from "./numbers.ts";

export const weightForms = ["auto", "f32", "int8"] as const;

/** Why a file's own blocks are no choice of their own is decision 0085. */
export const weightFormsHelp =
  "How frozen weights are held: f32, int8 in blocks of 32 (a GGUF file's Q8_0 blocks as they are stored, others rounded to such), or auto: int8 above 250 M parameters.";

export const weights = {
  loraRank: z
    .number()
    .int()
    .min(-1)
    .default(-1)
    .describe(
      "Rank of the low-rank adapter (LoRA) that trains beside frozen weights; 0 trains all weights, -1 chooses: 16 for models above 50 M parameters and on servers, else 0.",
    ),
  loraAlpha: onlyWith(
    { engine: ["onnx"], loraRank: "not 0" },
    z.number().positive().default(32).describe("The adapter's part is scaled by this over its rank."),
  ),
  loraTargets: onlyWith(
    { engine: ["onnx"], loraRank: "not 0" },
    z
      .string()
      .default("all-linear")
      .describe("What gets an adapter: all-linear, or names such as q_proj,v_proj, separated by commas."),
  ),
  weights: onlyWith(
    { engine: ["onnx"], loraRank: "not 0" },
    z.enum(weightForms).default("auto").describe(weightFormsHelp),
  ),
  activationMemory: onlyWith(
    { engine: ["onnx"], loraRank: "not 0" },
    count
      .default(0)
      .describe(
        "MB that a micro-batch of training may take; 0 chooses by the model's size and the memory that is left.",
      ),
  ),
  adapter: onlyWith(
    { engine: ["onnx"], loraRank: "not 0" },
    z
      .string()
      .default("none")
      .describe(
        "Folder of a PEFT adapter to begin with, or none; its rank, alpha and targets are then those in force.",
      ),
  ),
};

/** Of a model on a server. The key is none of them: it is read from the environment when it is needed. */
export const server = {
  baseUrl: onlyWith(
    { engine: ["tinker"] },
    z
      .string()
      .default("none")
      .describe(
        "Address of the Tinker server; none takes TINKER_BASE_URL, else the hosted service. Its key: TINKER_API_KEY.",
      ),
  ),
  tokenizer: onlyWith(
    { engine: ["tinker"] },
    z
      .string()
      .default("model")
      .describe(
        "Folder, GGUF file or hub id with the tokenizer of the server's model; model: under the model's own name.",
      ),
  ),
};

export type ServerSettings = z.output<z.ZodObject<typeof server>>;
export type WeightSettings = z.output<z.ZodObject<typeof weights>>;
