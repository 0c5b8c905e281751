// What a run is made from, as checksums: the topic file with the local files that it names, or the files of questions that a topic in
// words was given, and the starting model. Recorded
// when a run is made and compared when it is resumed, since a run goes on as the same run only where they are the same.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { RunConfig } from "../config/config.ts";
import type { RunSources } from "../store/store.ts";

/** Files of a model folder that decide what it computes and how it reads text; a checkpoint's own are left out. */
const modelFile = /\.(safetensors|json|txt|model|jinja)$/;
const loopFiles: ReadonlySet<string> = new Set(["state.json", "manifest.json", "optimizer.safetensors"]);

/** Checksums of a run's topic, with its files of questions, and of its starting model. `config` has absolute paths. */
export async function sourcesOf({
  topic,
  model,
  evalFile = "none",
  examples = "none",
}: Pick<RunConfig, "topic" | "model"> & Partial<Pick<RunConfig, "evalFile" | "examples">>): Promise<RunSources> {
  const sums = await topicSources(topic);
  for (const file of [evalFile, examples]) {
    if (file !== "none" && existsSync(file)) sums[file] = await sha256(file);
  }
  return { topic: sums, model: await modelSources(model) };
}

/** One sentence for each file that is not what it was; none where all are. */
export function changesOf(recorded: RunSources, now: RunSources): string[] {
  return [
    ...compare("topic file", recorded.topic, now.topic),
    // A model that is gone whole is not another one: whoever needs it says so.
    ...(Object.keys(now.model).length === 0 ? [] : compare("model file", recorded.model, now.model)),
  ];
}

function compare(what: string, before: RunSources["topic"], now: RunSources["topic"]): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return names.flatMap((name) => {
    if (before[name] === now[name]) return [];
    const change = !Object.hasOwn(now, name) ? "is gone" : !Object.hasOwn(before, name) ? "is new" : "has changed";
    return [`the ${what} ${name} ${change}`];
  });
}

async function modelSources(folder: string): Promise<Record<string, string>> {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return {};
  // A model of one file (GGUF).
  if (found.isFile()) return { [basename(folder)]: await sha256(folder) };
  const names = readdirSync(folder).filter((name) => modelFile.test(name) && !loopFiles.has(name));
  const sums: Record<string, string> = {};
  for (const name of names.sort()) {
    if (statSync(join(folder, name)).isFile()) sums[name] = await sha256(join(folder, name));
  }
  return sums;
}

/** The topic file and every local file that it names by a relative path, as those name others; nothing for a built-in name. */
async function topicSources(topic: string): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  if (!existsSync(topic) || !statSync(topic).isFile()) return sums;
  const root = dirname(resolve(topic));
  const waiting = [resolve(topic)];
  const seen = new Set(waiting);
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    sums[relative(root, path).replaceAll("\\", "/")] = await sha256(path);
    for (const named of filesNamedIn(path)) {
      if (seen.has(named)) continue;
      seen.add(named);
      waiting.push(named);
    }
  }
  return sums;
}

/**
 * Files that a source names by a relative path in quotes: what it imports, and data that it reads beside itself. What a
 * program computes is not seen, nor packages by name.
 */
function filesNamedIn(path: string): string[] {
  if (![".ts", ".mts", ".js", ".mjs"].includes(extname(path))) return [];
  const quoted = readFileSync(path, "utf8").matchAll(/(["'`])(\.{1,2}\/[^"'`\n]+)\1/g);
  return [...quoted].flatMap(([, , name]) => {
    const named = resolve(dirname(path), name);
    return statSync(named, { throwIfNoEntry: false })?.isFile() ? [named] : [];
  });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
