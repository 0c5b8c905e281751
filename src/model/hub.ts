// Downloads a model from the Hugging Face hub into the cache of hub-cache.ts: only the files that are read here, resumed where an earlier
// download ended, each checked against its checksum before it counts. @huggingface/hub speaks with the hub; its own download to the
// cache neither resumes nor checks (docs/decisions/0024). Tokens come from the environment only.
import { createHash, type Hash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { FileFormatError, SqlmError, UnsupportedError, UsageError } from "../errors.ts";
import { companionFiles } from "./companions.ts";
import {
  type HubId,
  hubCacheFolder,
  indexName,
  modelIn,
  refPath,
  repoFolder,
  shardsOf,
  snapshotFolder,
} from "./hub-cache.ts";

export interface HubProgress {
  readonly file: string;
  /** Bytes of this file, and of it what is here. */
  readonly size: number;
  readonly done: number;
}

export interface HubOptions {
  readonly cache?: string;
  readonly onProgress?: (progress: HubProgress) => void;
  /** Where HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are read from. */
  readonly environment?: NodeJS.ProcessEnv;
}

interface Access {
  readonly repo: string;
  readonly hubUrl: string;
  readonly accessToken?: string;
  readonly fetch: typeof fetch;
}

const weightsName = "model.safetensors";
/** How often a broken connection is taken up again before it is reported. */
const attempts = 3;

/**
 * Downloads what is missing and returns the model's folder, or its GGUF file. Throws UsageError where the hub has no such
 * model or cannot be reached, UnsupportedError where it has none in a form that can be read here, FileFormatError where what came is not what
 * the hub announced.
 */
export function downloadModel(id: HubId, options: HubOptions = {}): Promise<string> {
  return download(id, options, async ({ files, get, snapshot }) => {
    for (const name of wantedFiles(id, files)) await get(name);
    if (!files.has(weightsName) && files.has(indexName)) {
      for (const name of shardsOf(readFileSync(join(snapshot, indexName), "utf8")) ?? []) await get(name);
    }
    return modelIn(snapshot);
  });
}

/** The same for tokenizer and config alone, of a model whose weights are elsewhere; returns the folder. */
export function downloadTokenizer(id: HubId, options: HubOptions = {}): Promise<string> {
  return download(id, options, async ({ files, get, snapshot }) => {
    for (const name of companionFiles.filter((file) => files.has(file))) await get(name);
    return existsSync(join(snapshot, "tokenizer.json")) && existsSync(join(snapshot, "config.json")) ? snapshot : null;
  });
}

interface Offered {
  readonly files: ReadonlyMap<string, ListFileEntry>;
  readonly snapshot: string;
  /** Brings one file into the cache and links it into the snapshot. */
  readonly get: (name: string) => Promise<void>;
}

/** Lists the files of a revision and hands them to `take`, which says what has come of it; null where that is no whole model. */
async function download(
  id: HubId,
  options: HubOptions,
  take: (offered: Offered) => Promise<string | null>,
): Promise<string> {
  const { environment = process.env, cache = hubCacheFolder(environment), onProgress = () => {} } = options;
  if (isOn(environment["HF_HUB_OFFLINE"])) {
    throw new UsageError(
      `The model ${id.repo} (${id.revision}) is not in the cache ${cache}, and HF_HUB_OFFLINE forbids to download it.`,
      "Unset HF_HUB_OFFLINE, or copy the model into the cache.",
    );
  }
  const access = accessFrom(id, environment);
  try {
    const hub = await import("@huggingface/hub");
    const { sha: commit } = await hub.modelInfo({
      ...access,
      name: id.repo,
      revision: id.revision,
      additionalFields: ["sha"],
    });
    const files = new Map<string, ListFileEntry>();
    for await (const entry of hub.listFiles({ ...access, revision: commit })) {
      if (entry.type === "file") files.set(entry.path, entry);
    }
    const snapshot = snapshotFolder(id, commit, cache);
    const get = (name: string): Promise<void> =>
      downloadFile(access, { commit, snapshot, cache, id }, files.get(name), name, onProgress);
    const model = await take({ files, snapshot, get });
    if (commit !== id.revision) writeRef(refPath(id, cache), commit);
    if (model !== null) return model;
    throw new UnsupportedError(
      `The model ${id.repo} on the hub is not whole: its tokenizer.json or some of its weights are missing.`,
      "Use another model, or another revision of it: ORG/NAME@REVISION.",
    );
  } catch (error) {
    throw error instanceof SqlmError ? error : explain(error, id, access);
  }
}

const isOn = (value: string | undefined): boolean =>
  value !== undefined && !["", "0", "false", "no", "off"].includes(value.toLowerCase());

function accessFrom({ repo }: HubId, environment: NodeJS.ProcessEnv): Access {
  const token = environment["HF_TOKEN"] ?? environment["HUGGING_FACE_HUB_TOKEN"];
  return {
    repo,
    hubUrl: (environment["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, ""),
    // The library wants tokens to begin as the hub's do, and reports others in words of its own.
    ...(token === undefined || token === "" ? {} : { accessToken: token }),
    fetch,
  };
}

/** Names of the files to read, but for shards, which the index names. */
function wantedFiles({ repo }: HubId, files: ReadonlyMap<string, ListFileEntry>): readonly string[] {
  const weights = [weightsName, indexName].find((name) => files.has(name));
  if (files.has("config.json") && weights !== undefined) {
    return [...companionFiles.filter((name) => files.has(name)), weights];
  }
  const gguf = [...files.keys()].filter((name) => name.endsWith(".gguf") && !name.includes("/"));
  if (gguf.length === 1) return gguf;
  throw new UnsupportedError(
    gguf.length > 1
      ? `The model ${repo} on the hub is ${gguf.length} GGUF files: ${gguf.slice(0, 12).join(", ")}.`
      : `The model ${repo} on the hub has no weights in safetensors form with a config.json, and no GGUF file.`,
    gguf.length > 1
      ? "Download one of them and give its path."
      : "Use a model in Hugging Face layout with safetensors.",
  );
}

interface Place {
  readonly id: HubId;
  readonly commit: string;
  readonly snapshot: string;
  readonly cache: string;
}

/** Brings one file into the cache and links it into the snapshot. */
async function downloadFile(
  access: Access,
  { id, commit, snapshot, cache }: Place,
  entry: ListFileEntry | undefined,
  name: string,
  onProgress: (progress: HubProgress) => void,
): Promise<void> {
  const link = join(snapshot, name);
  if (existsSync(link)) return;
  const digest = entry?.lfs?.oid ?? entry?.oid;
  if (entry === undefined || digest === undefined || !/^[0-9a-f]{40,64}$/.test(digest)) {
    throw new UnsupportedError(
      `The model ${id.repo} on the hub is not whole: ${name} is missing.`,
      "Use another model, or another revision of it: ORG/NAME@REVISION.",
    );
  }
  const size = entry.lfs?.size ?? entry.size;
  const blob = join(repoFolder(id, cache), "blobs", digest);
  mkdirSync(dirname(blob), { recursive: true });
  if (!existsSync(blob)) {
    const partial = `${blob}.sqlm-incomplete`;
    await fetchInto(partial, access, { name, commit, size, digest }, onProgress);
    await checkDigest(partial, digest, size, entry.lfs === undefined, `${id.repo}/${name}`);
    renameSync(partial, blob);
  }
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  linkTo(blob, link);
}

/** A link as huggingface_hub makes it; where the system allows none (Windows without developer mode), a second name of the file. */
function linkTo(blob: string, link: string): void {
  try {
    symlinkSync(relative(dirname(link), blob), link);
  } catch {
    linkSync(blob, link);
  }
}

/** Appends to `partial` what it lacks. A connection that breaks is taken up again where it broke. */
async function fetchInto(
  partial: string,
  access: Access,
  file: { readonly name: string; readonly commit: string; readonly size: number; readonly digest: string },
  onProgress: (progress: HubProgress) => void,
): Promise<void> {
  const { downloadFile: openRemote } = await import("@huggingface/hub");
  const { name, commit, size, digest } = file;
  for (let attempt = 1; ; attempt++) {
    try {
      const url = `${access.hubUrl}/${access.repo}/resolve/${commit}/${name}`;
      const downloadInfo = { url, size, etag: digest };
      const remote = await openRemote({ ...access, path: name, revision: commit, xet: false, downloadInfo });
      if (remote === null) throw new Error(`the hub has no ${name}`);
      await using target = await open(partial, "a");
      let done = (await target.stat()).size;
      if (done > size) {
        await target.truncate(0);
        done = 0;
      }
      if (done === size) return;
      const rest: ReadableStream<Uint8Array> = remote.slice(done, size).stream();
      for await (const chunk of rest) {
        await target.writeFile(chunk);
        done += chunk.byteLength;
        onProgress({ file: name, size, done });
      }
      await target.sync();
      if (done === size) return;
      throw new Error(`the connection ended after ${done} of ${size} bytes`);
    } catch (error) {
      if (attempt === attempts || statusOf(error) !== null) throw error;
    }
  }
}

/** Large files are named by the SHA-256 of their content, small ones by git's SHA-1 of a header and their content. */
async function checkDigest(path: string, digest: string, size: number, isGit: boolean, name: string): Promise<void> {
  const hash: Hash = isGit ? createHash("sha1").update(`blob ${size}\0`) : createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  if (statSync(path).size === size && hash.digest("hex") === digest) return;
  rmSync(path, { force: true });
  throw new FileFormatError(
    path,
    `what was downloaded as ${name} is not what the hub announced (its checksum differs)`,
    "Run the command again: the file will be downloaded anew.",
  );
}

function writeRef(path: string, commit: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, commit);
}

/** Status of the hub's answer; null for what is no answer. */
function statusOf(error: unknown): number | null {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : null;
}

function explain(cause: unknown, { repo, revision }: HubId, { hubUrl, accessToken }: Access): SqlmError {
  const status = statusOf(cause);
  if (status === 401 || status === 403) {
    return new UsageError(
      `The hub ${hubUrl} does not give the model ${repo}${accessToken === undefined ? " without a token" : " to this token"}: it is private, needs your consent, or does not exist.`,
      "Check the name; accept the model's terms on its page; and set HF_TOKEN to a token that may read it.",
      { cause },
    );
  }
  if (status === 404) {
    return new UsageError(
      `There is no model "${repo}" here, and the hub ${hubUrl} has none with the revision ${revision}.`,
      "Give a folder in Hugging Face layout, a GGUF file, or a hub id ORG/NAME[@REVISION].",
      { cause },
    );
  }
  return new UsageError(
    `There is no model "${repo}" here, and it could not be downloaded from ${hubUrl}: ${reasonOf(cause)}.`,
    "Check the name and the connection and run the command again: it goes on where it ended.",
    { cause },
  );
}

/** The innermost reason: fetch says only that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? reasonOf(error.cause) : "";
  return (inner === "" ? error.message || error.name : inner).split("\n")[0].replace(/\.$/, "");
}
