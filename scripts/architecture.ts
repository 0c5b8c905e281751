// The rule that holds the architecture: which part of src/ may import which. `npm run check` runs it, and a test.
//
// The table below is the rule. Imports point one way: a test proves that it has no circle. Type imports count
// too: what a file may not know, it may not know as a type either. What a program computes (`import(name)`) is not seen.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

import { fileURLToPath } from "node:url";

export interface Part {
  readonly name: string;
  /** Paths below src/ that belong to it. A file belongs to the first part that matches. */
  readonly files: RegExp;
  /** Names of the parts that it may import, beside itself; "all" only where everything is put together. */
  readonly imports: readonly string[] | "all";
  /** True where neither packages nor Node's own modules may be imported: the part is a function of its inputs. */
  readonly pure?: true;
}

const contracts = ["config", "engine contract", "sandbox contract", "store contract", "topic contract"];

export const parts: readonly Part[] = [
  { name: "nouns", files: /^(types|events|errors|random)\.ts$/, imports: [], pure: true },
  { name: "engine contract", files: /^engine\/engine\.ts$/, imports: ["nouns"], pure: true },
  { name: "config", files: /^config\.ts$/, imports: ["nouns", "engine contract"] },
  { name: "config reading", files: /^config-[a-z]+\.ts$/, imports: ["nouns", "config"] },
  // The plain values that pass the sandbox's wall are part of what it promises.
  { name: "sandbox contract", files: /^sandbox\/(sandbox|plain-values)\.ts$/, imports: ["nouns"] },
  { name: "store contract", files: /^store\/store\.ts$/, imports: ["nouns", "config"], pure: true },
  // A topic may ask for settings; its hidden check may run programs, so it names the sandbox that it is handed.
  {
    name: "topic contract",
    files: /^topics\/define-topic\.ts$/,
    imports: ["nouns", "config", "sandbox contract"],
    pure: true,
  },

  // The stages of a step. None of them can reach a topic's truth, an evaluation, or an implementation of a contract.
  { name: "verify", files: /^verify\//, imports: ["nouns", "sandbox contract"] },
  { name: "play", files: /^play\//, imports: ["nouns", "engine contract", "topic contract"], pure: true },
  { name: "losses", files: /^learn\/losses\.ts$/, imports: ["nouns", "engine contract"], pure: true },
  {
    name: "learn",
    files: /^learn\//,
    imports: ["nouns", "config", "engine contract", "losses", "play"],
    pure: true,
  },
  { name: "explore", files: /^explore\//, imports: ["nouns", "config"], pure: true },
  { name: "guard", files: /^guard\//, imports: ["nouns", "config"], pure: true },

  // Topics know the truth (`*-truth.ts`); the loop is handed a DefinedTopic and imports none.
  { name: "topics", files: /^topics\//, imports: ["nouns", "topic contract", "verify"] },

  // Implementations of the contracts. Each knows its own contract and no other implementation.
  { name: "engine helpers", files: /^engine\/[a-z-]*(checks|tokenizer)\.ts$/, imports: ["nouns", "engine contract"] },
  {
    name: "scripted engine",
    files: /^engine\/scripted\.ts$/,
    // It computes the losses by their definition, having no device to compute them on.
    imports: ["nouns", "engine contract", "engine helpers", "losses"],
  },
  { name: "onnx engine", files: /^engine\/onnx\//, imports: ["nouns", "engine contract", "engine helpers"] },
  { name: "tinker engine", files: /^engine\/tinker\//, imports: ["nouns", "engine contract", "engine helpers"] },
  {
    name: "engine opener",
    files: /^engine\/open-engine\.ts$/,
    imports: ["config", "engine contract", "scripted engine", "onnx engine", "tinker engine"],
  },
  // What scripts ask of the sandbox over JSON lines is a verdict, so it sits above verify.
  { name: "sandboxes", files: /^sandbox\//, imports: ["nouns", "sandbox contract", "verify"] },
  {
    name: "store queries",
    files: /^store\/(queries|diff-runs|export|summarize-run|tensorboard)\.ts$/,
    imports: ["nouns", "config", "store contract", "store"],
  },
  { name: "store", files: /^store\//, imports: ["nouns", "config", "store contract"] },

  {
    name: "evaluate",
    files: /^evaluate\//,
    imports: ["nouns", ...contracts.filter((name) => name !== "store contract"), "play", "verify"],
    pure: true,
  },
  {
    name: "self-play",
    files: /^self-play\.ts$/,
    imports: ["nouns", ...contracts, "verify", "play", "learn", "explore", "guard", "evaluate"],
    pure: true,
  },
  { name: "dashboard", files: /^dashboard\//, imports: ["nouns", "store queries"] },
  { name: "testing", files: /^testing\//, imports: "all" },
  { name: "cli", files: /^cli\//, imports: "all" },
  { name: "index", files: /^index\.ts$/, imports: "all" },
];

/** Parts that nothing in src/ may import, also not those that may import all. */
const tops: ReadonlySet<string> = new Set(["cli", "index", "testing"]);

/**
 * One sentence for each import that the table does not allow, and for each file that belongs to no part.
 * @param sources text of each file, by its path below src/ with forward slashes
 */
export function architectureProblems(sources: ReadonlyMap<string, string>, table: readonly Part[] = parts): string[] {
  const partOf = (path: string): Part | undefined => table.find(({ files }) => files.test(path));
  const problems: string[] = [];
  for (const [path, source] of sources) {
    const part = partOf(path);
    if (part === undefined) {
      problems.push(`src/${path} belongs to no part. Add it to the table in scripts/architecture.ts.`);
      continue;
    }
    for (const target of filesNamedIn(path, source)) {
      const other = sources.has(target) ? partOf(target) : undefined;
      if (other === undefined || other === part || allows(part, other)) continue;
      const allowed = part.imports === "all" ? "anything but the command line" : part.imports.join(", ") || "nothing";
      problems.push(
        `src/${path} imports src/${target}, but "${part.name}" may import ${allowed}, and not "${other.name}". ` +
          "Move what both need further down, or hand it in from above.",
      );
    }
    if (part.pure) {
      for (const name of packagesImportedBy(source)) {
        problems.push(`src/${path} imports ${name}, but "${part.name}" is pure: hand in what it needs.`);
      }
    }
  }
  return problems;
}

function allows(part: Part, other: Part): boolean {
  return part.imports === "all" ? !tops.has(other.name) : part.imports.includes(other.name);
}

/**
 * Files that a source names by a relative path. Every quoted path counts, so that import, export, `import()`, type
 * imports and `new URL("./worker.ts", import.meta.url)` are all seen, however they are written.
 */
function filesNamedIn(path: string, source: string): Set<string> {
  const quoted = source.matchAll(/(["'`])(\.{1,2}\/[^"'`\s]+)\1/g);
  return new Set([...quoted].map(([, , target]) => posix.join(posix.dirname(path), target)));
}

/** Names of packages and Node modules in import and export statements and in `import()`. */
function packagesImportedBy(source: string): Set<string> {
  const statements = source.matchAll(/^\s*(?:import|export)\b(?:[^;"]*?\bfrom)?\s*"([^."][^"]*)";/gm);
  const calls = source.matchAll(/\bimport\(\s*["'`]([^."'`][^"'`]*)["'`]/g);
  return new Set([...statements, ...calls].map(([, name]) => name));
}

/** Text of every TypeScript file below a folder, by its path with forward slashes. */
export function readSources(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.sort().map((name) => [name.replaceAll("\\", "/"), readFileSync(join(folder, name), "utf8")]));
}

if (import.meta.main) {
  const problems = architectureProblems(readSources(join(dirname(fileURLToPath(import.meta.url)), "..", "src")));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
