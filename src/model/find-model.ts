// Finds the folder of a model: a path, a model that comes with the package, the newest checkpoint of a run, or `seed`. One
// function for the command line and for the library.
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean, UsageError } from "../errors.ts";
import { checkpointName, checkpointSteps, checkpointsOf } from "./checkpoint-folder.ts";
import { isGgufPath } from "./gguf-companions.ts";

/** Root of this package, whether it runs from src/ or dist/. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

export interface ModelRequest {
  /** A folder in Hugging Face layout, the name of a shipped model or of a recorded run, or `seed`. */
  readonly model: string;
  /** The topic whose shipped model `seed` stands for. */
  readonly topic?: string;
  /** Folder of recorded runs; `.sqlm` where left out. */
  readonly workspace?: string;
}

const isModel = (path: string): boolean => existsSync(join(path, "config.json")) || isGgufPath(path);

/**
 * Absolute folder of a model. A run stands for its newest checkpoint; a path starts at the working folder, then at the
 * package; a name is one in the package's models/ folder; `seed` is the model that is shipped for the topic. A config is a
 * request too: `findModel(config)`. Throws UsageError that names the nearest model, or says how to name one.
 *
 * @example
 * import { findModel, runConfigSchema } from "self-questioning";
 *
 * const config = runConfigSchema.parse({ topic: "coding" });
 * console.log(findModel(config)); // the model that is shipped for coding
 * console.log(findModel({ model: "arithmetic" }));
 */
export function findModel({ model, topic, workspace = ".sqlm" }: ModelRequest): string {
  if (model === "seed") return seedModel(topic);
  const checkpoint = newestCheckpoint(workspace, model);
  if (checkpoint !== null) return checkpoint;
  const candidates = [resolve(model), join(packageRoot, model), join(packageRoot, "models", model)];
  const found = candidates.find(isModel);
  if (found !== undefined) return found;
  if (existsSync(candidates[0])) {
    throw new UsageError(`${candidates[0]} holds no config.json.`, "A model is a folder in Hugging Face layout.");
  }
  const shipped = shippedModels();
  throw new UsageError(
    `There is no model "${model}".${didYouMean(model.replace(/^models\//, ""), shipped)}`,
    `Give a folder in Hugging Face layout, the name of a run, or one of: ${shipped.map((name) => `models/${name}`).join(", ")}.`,
  );
}

function seedModel(topic: string | undefined): string {
  const shipped = shippedModels();
  if (topic !== undefined && shipped.includes(topic)) return join(packageRoot, "models", topic);
  throw new UsageError(
    topic === undefined
      ? 'The model "seed" is the one shipped for a topic, and no topic was named.'
      : `The topic ${topic} comes without a model to start from.`,
    topic === undefined
      ? "Name the topic too: openEngine(config), or findModel({ model, topic })."
      : `Name one with --model FOLDER, or in the topic itself: settings: { model: "FOLDER" }. Shipped models: ${shipped.join(", ")}.`,
  );
}

/** Folder of the newest checkpoint of a run of this name; null where there is no such run. */
function newestCheckpoint(workspace: string, run: string): string | null {
  if (run === "" || basename(run) !== run || !existsSync(join(workspace, "runs", run))) return null;
  const parent = resolve(checkpointsOf(workspace, run));
  const [step] = checkpointSteps(parent);
  if (step !== undefined) return join(parent, checkpointName(step));
  throw new UsageError(`Run ${run} has no checkpoint.`, `Go on with it first: sqlm resume ${run}.`);
}

/** Names of the models that come with the package. */
export function shippedModels(): readonly string[] {
  const folder = join(packageRoot, "models");
  return existsSync(folder) ? readdirSync(folder).filter((name) => isModel(join(folder, name))) : [];
}

/** The shipped model that a folder is, by name; null for any other. */
export function shippedModelOf(folder: string): string | null {
  return shippedModels().find((name) => join(packageRoot, "models", name) === resolve(folder)) ?? null;
}
