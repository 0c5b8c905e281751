// Models from the Hugging Face hub as they lie on this machine, in the cache that Python's huggingface_hub uses too
// (models--ORG--NAME/ with blobs/, snapshots/COMMIT/ and refs/). Finds; hub.ts downloads.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A model's name on the hub, `org/name@revision`. The revision is a branch, a tag or a commit. */
export interface HubId {
  readonly repo: string;
  readonly revision: string;
}

const namePart = /^[A-Za-z0-9][\w.-]{0,95}$/;
const revisionPattern = /^[\w][\w./-]{0,200}$/;
const commitPattern = /^[0-9a-f]{40}$/;

/** Reads `org/name` or `org/name@revision`; null for what cannot be one. */
export function parseHubId(text: string): HubId | null {
  const [repo, revision = "main", ...more] = text.split("@");
  const [organisation, name, ...deeper] = repo.split("/");
  if (more.length > 0 || deeper.length > 0 || name === undefined) return null;
  // Shipped models are named models/NAME: a slip in that name is not to be looked for elsewhere.
  if (!namePart.test(organisation) || !namePart.test(name) || organisation === "models") return null;
  if (!revisionPattern.test(revision) || `${repo}/${revision}`.includes("..")) return null;
  return { repo, revision };
}

/** Folder of the cache, by the environment variables that huggingface_hub knows. */
export function hubCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment["HF_HUB_CACHE"] ?? environment["HUGGINGFACE_HUB_CACHE"];
  if (named !== undefined && named !== "") return named;
  const home =
    environment["HF_HOME"] ?? join(environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "huggingface");
  return join(home, "hub");
}

/** A model's part of the cache. */
export function repoFolder({ repo }: HubId, cache: string): string {
  return join(cache, `models--${repo.replace("/", "--")}`);
}

export function snapshotFolder(id: HubId, commit: string, cache: string): string {
  return join(repoFolder(id, cache), "snapshots", commit);
}

/** Where the cache notes which commit a branch or tag was when it was downloaded. */
export function refPath(id: HubId, cache: string): string {
  return join(repoFolder(id, cache), "refs", id.revision);
}

/** The model, a folder or a GGUF file, where all of it is in the cache; null where it is not. */
export function cachedModel(id: HubId, cache: string = hubCacheFolder()): string | null {
  const commit = commitPattern.test(id.revision) ? id.revision : commitOf(id, cache);
  return commit === null ? null : modelIn(snapshotFolder(id, commit, cache));
}

/** The folder of a model of which tokenizer and config are in the cache, whether its weights are or not; null where they are not. */
export function cachedTokenizer(id: HubId, cache: string = hubCacheFolder()): string | null {
  const commit = commitPattern.test(id.revision) ? id.revision : commitOf(id, cache);
  if (commit === null) return null;
  const snapshot = snapshotFolder(id, commit, cache);
  return ["tokenizer.json", "config.json"].every((name) => existsSync(join(snapshot, name))) ? snapshot : null;
}

function commitOf(id: HubId, cache: string): string | null {
  const path = refPath(id, cache);
  if (!existsSync(path)) return null;
  const commit = readFileSync(path, "utf8").trim();
  return commitPattern.test(commit) ? commit : null;
}

/** The model in a snapshot: the folder where config, tokenizer and all weights are there, or the one GGUF file in it. */
export function modelIn(snapshot: string): string | null {
  // existsSync follows links: one whose blob is gone is not there.
  const has = (name: string): boolean => existsSync(join(snapshot, name));
  if (!has("config.json")) {
    const files = existsSync(snapshot)
      ? readdirSync(snapshot).filter((name) => name.endsWith(".gguf") && has(name))
      : [];
    return files.length === 1 ? join(snapshot, files[0]) : null;
  }
  if (!has("tokenizer.json")) return null;
  if (has("model.safetensors")) return snapshot;
  return has(indexName) && shardsOf(readFileSync(join(snapshot, indexName), "utf8"))?.every(has) ? snapshot : null;
}

export const indexName = "model.safetensors.index.json";

/** Names of the files that an index of shards lists; null where it is no index, or names what cannot be a file beside it. */
export function shardsOf(index: string): readonly string[] | null {
  try {
    const { weight_map: map } = JSON.parse(index) as { weight_map: Record<string, unknown> };
    const names = [...new Set(Object.values(map))];
    return names.every((name) => typeof name === "string" && /^[\w-][\w.-]*\.safetensors$/.test(name))
      ? (names as string[])
      : null;
  } catch {
    return null;
  }
}
