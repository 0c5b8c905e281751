// Finds a model: a path of a folder or GGUF file, a model that comes with the package, the newest checkpoint of a run, `seed`, or one of
// the Hugging Face hub. One function for the command line and for the library.
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean, UsageError } from "../errors.ts";
import {
  checkpointName,
  checkpointSteps,
  checkpointsOf,
  modelOfCheckpoint,
  parseRunModel,
} from "./checkpoint-folder.ts";
import { fetchTokenizer, findTokenizer } from "./find-tokenizer.ts";
import { isGgufPath } from "./gguf-companions.ts";
import type { HubOptions } from "./hub.ts";
import { cachedModel, hubCacheFolder, parseHubId } from "./hub-cache.ts";

/** Root of this package, whether it runs from src/ or dist/. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

export interface ModelRequest {
  /** A folder in Hugging Face layout, the name of a shipped model or of a recorded run, or `seed`. */
  readonly model: string;
  /** The topic whose shipped model `seed` stands for. */
  readonly topic?: string;
  /** Folder of recorded runs; `.sqlm` where left out. */
  readonly workspace?: string;
  /** With `tinker` the model is one of a server, and what is found of it is its tokenizer. */
  readonly engine?: string;
  /** Where that is, if not under the model's own name: a folder or a hub id; `model` says that it is. */
  readonly tokenizer?: string;
}

const isModel = (path: string): boolean => existsSync(join(path, "config.json")) || isGgufPath(path);

/**
 * Absolute path of a model, a folder or a GGUF file. A run stands for its newest checkpoint, RUN/proposer for the proposer in it; a path starts at the working folder, then at the
 * package; a name is one in the package's models/ folder; a hub id is one whose model is in the cache; `seed` is the model that is shipped for the topic. A config is a
 * request too: `findModel(config)`. Throws UsageError that names the nearest model, or says how to name one.
 *
 * @example
 * import { findModel, runConfigSchema } from "self-questioning";
 *
 * const config = runConfigSchema.parse({ topic: "coding" });
 * console.log(findModel(config)); // the model that is shipped for coding
 * console.log(findModel({ model: "arithmetic" }));
 */
export function findModel(request: ModelRequest): string {
  if (request.engine === "tinker") {
    const name = tokenizerOf(request);
    return findTokenizer(name, localCandidates(name));
  }
  const { model, topic, workspace = ".sqlm" } = request;
  if (model === "seed") return seedModel(topic);
  const checkpoint = newestCheckpoint(workspace, model);
  if (checkpoint !== null) return checkpoint;
  const candidates = localCandidates(model);
  const found = candidates.find(isModel);
  if (found !== undefined) return found;
  const hubId = parseHubId(model);
  const cached = hubId === null ? null : cachedModel(hubId);
  if (cached !== null) return cached;
  if (existsSync(candidates[0])) {
    throw new UsageError(
      `${candidates[0]} holds no config.json.`,
      "A model is a folder in Hugging Face layout or a GGUF file.",
    );
  }
  const shipped = shippedModels();
  throw new UsageError(
    `There is no model "${model}".${didYouMean(model.replace(/^models\//, ""), shipped)}`,
    `Give a folder in Hugging Face layout, a GGUF file, a hub id ORG/NAME, the name of a run, or one of: ${shipped.map((name) => `models/${name}`).join(", ")}.`,
  );
}

/**
 * The same; a model of the Hugging Face hub that is not on this machine is downloaded first. What is in the cache is used
 * without asking the hub. Throws also what downloadModel throws.
 */
export async function fetchModel(request: ModelRequest, options: HubOptions = {}): Promise<string> {
  if (request.engine === "tinker") {
    const name = tokenizerOf(request);
    return fetchTokenizer(name, localCandidates(name), options);
  }
  const hubId = parseHubId(request.model);
  const isRun = (): boolean => newestCheckpoint(request.workspace ?? ".sqlm", request.model) !== null;
  if (hubId === null || localCandidates(request.model).some((path) => existsSync(path)) || isRun()) {
    return findModel(request);
  }
  const cached = cachedModel(hubId, options.cache ?? hubCacheFolder(options.environment));
  if (cached !== null) return cached;
  const { downloadModel } = await import("./hub.ts");
  return downloadModel(hubId, options);
}

/** Whether a path holds a model's weights, not its tokenizer and config alone. */
export function holdsWeights(path: string): boolean {
  const files = ["model.safetensors", "model.safetensors.index.json"];
  return isGgufPath(path) ? existsSync(path) : files.some((name) => existsSync(join(path, name)));
}

/** The model that a path, a name or a hub id stands for, whole on this machine; null where it is not. Asks no run and no hub. */
export function modelOnDisk(name: string): string | null {
  const found = localCandidates(name).find((path) => isModel(path) && holdsWeights(path));
  const hubId = parseHubId(name);
  return found ?? (hubId === null ? null : cachedModel(hubId));
}

/** The name under which the tokenizer of a server's model is found. */
function tokenizerOf({ model, tokenizer = "model" }: ModelRequest): string {
  if (tokenizer !== "model") return tokenizer;
  if (model !== "seed") return model;
  throw new UsageError(
    "With --engine tinker the model must be named.",
    "Give the name of one that the server serves: --model ORG/NAME. `sqlm plan --engine tinker` lists them.",
  );
}

function localCandidates(model: string): readonly [string, ...string[]] {
  return [resolve(model), join(packageRoot, model), join(packageRoot, "models", model)];
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

/** Folder of the newest checkpoint of a run of this name, or of the proposer in it; null where there is no such run. */
function newestCheckpoint(workspace: string, name: string): string | null {
  const named = parseRunModel(name);
  const { run } = named;
  if (run === "" || basename(run) !== run || !existsSync(join(workspace, "runs", run))) return null;
  const parent = resolve(checkpointsOf(workspace, run));
  const [step] = checkpointSteps(parent);
  if (step !== undefined) return modelOfCheckpoint(join(parent, checkpointName(step)), named);
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
