// The rule that holds the architecture: which part of src/ may import which. `npm run check` runs it, and a test.
//
// The table below is the rule. Imports point one way: a test proves that it has no circle. Type imports count
// too: what a file may not know, it may not know as a type either. What a program computes (`import(name)`) is not seen.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

import { fileURLToPath } from "node:url";

export interface Part {
  readonly name: string;
  /** How high it stands in the house: a part imports from lower floors, or from its own floor without a circle. */
  readonly floor: number;
  /** Paths below src/ that belong to it. A file belongs to the first part that matches. */
  readonly files: RegExp;
  /** Names of the parts that it may import, beside itself; "all" only where everything is put together. */
  readonly imports: readonly string[] | "all";
  /** True where neither packages nor Node's own modules may be imported: the part is a function of its inputs. */
  readonly pure?: true;
}

const stage = ["nouns", "events", "config", "engine contract"];

export const parts: readonly Part[] = [
  // 1: what everything speaks of.
  {
    name: "nouns",
    floor: 1,
    files: /^(types|errors|random|plurality|reading|kinds|topic-names|binomial)\.ts$/,
    imports: [],
    pure: true,
  },

  // 2: what stands on the nouns alone.
  { name: "events", floor: 2, files: /^events\.ts$/, imports: ["nouns"], pure: true },
  { name: "config", floor: 2, files: /^config\//, imports: ["nouns"] },
  { name: "model", floor: 2, files: /^model\//, imports: ["nouns"] },
  { name: "answer", floor: 2, files: /^answer\//, imports: ["nouns"] },
  // What every server of this package needs: where it listens, and who may ask.
  { name: "http", floor: 2, files: /^http\//, imports: ["nouns"] },
  // The plain values that pass the sandbox's wall are part of what it promises.
  { name: "sandbox contract", floor: 2, files: /^sandbox\/(sandbox|plain-values)\.ts$/, imports: ["nouns"] },
  { name: "sandboxes", floor: 2, files: /^sandbox\//, imports: ["nouns", "sandbox contract"] },

  // 3: contracts and what implements them; each implementation knows its own contract and no other implementation.
  { name: "engine contract", floor: 3, files: /^engine\/engine\.ts$/, imports: ["nouns"], pure: true },
  {
    name: "engine definition",
    floor: 3,
    files: /^engine\/(asks|call-queue|checks|losses|work)\.ts$/,
    imports: ["nouns", "engine contract"],
    pure: true,
  },
  {
    name: "scripted engine",
    floor: 3,
    files: /^engine\/scripted\.ts$/,
    imports: ["nouns", "engine contract", "engine definition"],
  },
  {
    name: "onnx engine",
    floor: 3,
    files: /^engine\/onnx\//,
    imports: ["nouns", "model", "engine contract", "engine definition"],
  },
  // Messages of the Tinker protocol, for both of its sides.
  { name: "tinker wire", floor: 3, files: /^engine\/tinker\/wire\//, imports: ["nouns"] },
  // Serves any engine by that protocol. It is handed one and knows the contract alone.
  {
    name: "tinker server",
    floor: 3,
    files: /^engine\/tinker\/server\//,
    imports: ["nouns", "http", "engine contract", "tinker wire"],
  },
  {
    name: "tinker client",
    floor: 3,
    files: /^engine\/tinker\/client\//,
    imports: ["nouns", "model", "engine contract", "engine definition", "tinker wire"],
  },
  {
    name: "engine opener",
    floor: 3,
    files: /^engine\/open-engine\.ts$/,
    imports: [
      "nouns",
      "config",
      "model",
      "engine contract",
      "engine definition",
      "scripted engine",
      "onnx engine",
      "tinker client",
    ],
  },
  { name: "store contract", floor: 3, files: /^store\/store\.ts$/, imports: ["nouns", "events", "config"], pure: true },
  {
    name: "store queries",
    floor: 3,
    files: /^store\/(queries|diff-runs|export|follow|read-at-once|refused|summarize-run|tensorboard|view-[a-z]+)\.ts$/,
    imports: ["nouns", "events", "config", "store contract", "store"],
  },
  { name: "store", floor: 3, files: /^store\//, imports: ["nouns", "events", "config", "model", "store contract"] },
  // What training sees of a topic. It may ask for settings.
  { name: "topic contract", floor: 3, files: /^topics\/topic\.ts$/, imports: ["nouns", "config"], pure: true },
  // Adds what knows the truth; its check may run programs, so it names the sandbox that it is handed.
  {
    name: "topic definition",
    floor: 3,
    files: /^topics\/(define-topic|checked-topic)\.ts$/,
    imports: ["nouns", "config", "sandbox contract", "topic contract"],
    pure: true,
  },
  {
    name: "topics",
    floor: 3,
    files: /^topics\//,
    imports: ["nouns", "config", "answer", "sandbox contract", "topic contract", "topic definition"],
  },
  { name: "guard", floor: 3, files: /^guard\//, imports: ["nouns", "events", "config"], pure: true },
  { name: "explore", floor: 3, files: /^explore\//, imports: ["nouns", "events", "config"], pure: true },

  // 4 and 5: the stages of a step. None can reach a topic's truth, an evaluation, or an implementation of a contract.
  { name: "cast", floor: 4, files: /^cast\.ts$/, imports: stage, pure: true },
  { name: "play", floor: 4, files: /^play\//, imports: [...stage, "topic contract"], pure: true },
  { name: "verify", floor: 4, files: /^verify\//, imports: ["nouns", "config", "sandbox contract", "topic contract"] },
  { name: "learn", floor: 5, files: /^learn\//, imports: [...stage, "cast", "play"], pure: true },
  // The one stage that sees the truth, after learning.
  {
    name: "evaluate",
    floor: 5,
    files: /^evaluate\//,
    imports: [...stage, "sandbox contract", "topic contract", "topic definition", "guard", "play", "verify"],
    pure: true,
  },

  // Questions of others, as exams. Tests of theirs run in the sandbox that it is handed.
  {
    name: "benchmark",
    floor: 5,
    files: /^benchmark\//,
    imports: ["nouns", "answer", "sandbox contract", "play", "evaluate"],
    pure: true,
  },

  // 6 and 7: the loop. It is handed a DefinedTopic and every implementation, and imports none.
  {
    name: "run options",
    floor: 6,
    files: /^run-options\.ts$/,
    imports: [
      ...stage,
      "engine definition",
      "sandbox contract",
      "store contract",
      "topic contract",
      "topic definition",
      "cast",
      "play",
      "evaluate",
    ],
    pure: true,
  },
  // Asks the guard's questions and puts what it decides in force. It is handed a Topic, which has no truth.
  {
    name: "guarding",
    floor: 6,
    files: /^(guarding|teacher)\.ts$/,
    imports: [...stage, "sandbox contract", "topic contract", "guard", "cast", "play", "verify"],
    pure: true,
  },
  // The same of what explores.
  {
    name: "exploring",
    floor: 6,
    files: /^exploring\.ts$/,
    imports: [...stage, "topic contract", "guard", "explore", "play", "verify"],
    pure: true,
  },
  // What a run does when its engine has lost what it had, and how often.
  { name: "renewal", floor: 6, files: /^renewal\.ts$/, imports: stage, pure: true },
  // What a step would take, before anything is opened: beside the run options, for whoever plans a run.
  {
    name: "step work",
    floor: 6,
    files: /^step-work\.ts$/,
    imports: [...stage, "engine definition", "topic contract", "cast", "play"],
    pure: true,
  },
  // What a run remembers beside the weights, and how it comes back to it.
  {
    name: "progress",
    floor: 7,
    files: /^progress\.ts$/,
    imports: [...stage, "store contract", "run options", "guard", "cast", "guarding", "exploring"],
    pure: true,
  },
  {
    name: "self-play",
    floor: 7,
    files: /^self-play\.ts$/,
    imports: [
      ...stage,
      "sandbox contract",
      "store contract",
      "topic contract",
      "topic definition",
      "guard",
      "explore",
      "cast",
      "play",
      "verify",
      "learn",
      "evaluate",
      "progress",
      "run options",
      "guarding",
      "exploring",
      "renewal",
    ],
    pure: true,
  },

  // Beside the loop: what shows a record, and what tests stand on.
  // The page runs in a browser: of the server it sees types, and the pure functions that both draw with.
  {
    name: "dashboard page",
    floor: 4,
    files: /^dashboard\/page\//,
    imports: ["nouns", "dashboard"],
  },
  {
    name: "dashboard",
    floor: 4,
    files: /^dashboard\//,
    imports: ["nouns", "events", "http", "store queries", "guard"],
  },
  // A model for other programs. It is handed a player.
  {
    name: "serve",
    floor: 5,
    files: /^serve\//,
    imports: ["nouns", "http", "engine contract", "engine definition", "play"],
  },
  { name: "testing", floor: 8, files: /^testing\//, imports: "all" },

  // 8: where everything is put together.
  { name: "cli", floor: 8, files: /^cli\//, imports: "all" },
  { name: "index", floor: 8, files: /^index\.ts$/, imports: "all" },
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
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  return new Map(names.sort().map((name) => [name.replaceAll("\\", "/"), readFileSync(join(folder, name), "utf8")]));
}

if (import.meta.main) {
  const problems = architectureProblems(readSources(join(dirname(fileURLToPath(import.meta.url)), "..", "src")));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
