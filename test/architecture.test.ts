// The architecture holds: no file of src/ imports what the table in scripts/architecture.ts does not allow, and the rule
// bites when one does.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { architectureProblems, parts, readSources } from "../scripts/architecture.ts";

const root = resolve(import.meta.dirname, "..");
const sources = readSources(join(root, "src"));

/** What the rule says when one file of the project gets one more line. */
function problemsWith(path: string, line: string): string[] {
  return architectureProblems(new Map([...sources, [path, `${sources.get(path) ?? ""}\n${line}\n`]]));
}

describe("imports", () => {
  it("are all allowed by the table", () => {
    expect(sources.size).toBeGreaterThan(50);
    expect(architectureProblems(sources)).toEqual([]);
  });

  it.each([
    ["learn/rewards.ts", 'import { truth } from "../topics/arithmetic-truth.ts";', "topics"],
    ["learn/rewards.ts", 'import type { HiddenTruth } from "../topics/define-topic.ts";', "topic definition"],
    ["play/solve.ts", 'import type { HiddenTruth } from "../topics/define-topic.ts";', "topic definition"],
    ["verify/vote.ts", 'export type { DefinedTopic } from "../topics/define-topic.ts";', "topic definition"],
    ["guard/health.ts", 'import type { Topic } from "../topics/topic.ts";', "topic contract"],
    ["model/tokenizer.ts", 'import type { Engine } from "../engine/engine.ts";', "engine contract"],
    ["config/config.ts", 'import { evaluate } from "../evaluate/evaluate.ts";', "evaluate"],
    ["play/solve.ts", 'import { evaluate } from "../evaluate/evaluate.ts";', "evaluate"],
    ["verify/vote.ts", 'import { sumKey } from "../topics/arithmetic-notation.ts";', "topics"],
    ["play/solve.ts", 'export { openOnnxEngine } from "../engine/onnx/onnx-engine.ts";', "onnx engine"],
    ["self-play.ts", 'const { openWorkspace } = await import("./store/workspace.ts");', "store"],
    ["self-play.ts", "import {\n  arithmetic,\n} from './topics/arithmetic.ts';", "topics"],
    ["types.ts", 'export type Loss = import("./engine/engine.ts").LossFn;', "engine contract"],
    ["store/database.ts", 'import "../cli/main.ts";', "cli"],
    ["engine/onnx/train/trainer.ts", 'new Worker(new URL("../../scripted.ts", import.meta.url));', "scripted engine"],
    ["dashboard/server.ts", 'import { openWorkspace } from "../store/workspace.ts";', "store"],
    ["index.ts", 'export * from "./cli/program.ts";', "cli"],
  ])("%s may not say %s", (path, line, part) => {
    const problems = problemsWith(path, line);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`src/${path} imports src/`);
    expect(problems[0]).toContain(`and not "${part}"`);
  });

  it.each([
    ["learn/rewards.ts", 'import { readFileSync } from "node:fs";', "node:fs"],
    ["play/solve.ts", 'import "onnxruntime-node";', "onnxruntime-node"],
    ["self-play.ts", 'const { DatabaseSync } = await import("node:sqlite");', "node:sqlite"],
  ])("%s is pure: it may not say %s", (path, line, name) => {
    expect(problemsWith(path, line)).toEqual([expect.stringContaining(`src/${path} imports ${name}, but`)]);
  });

  it("of a file that has no place in the table are refused", () => {
    expect(problemsWith("helpers/misc.ts", "")).toEqual([expect.stringContaining("belongs to no part")]);
  });
});

describe("the table", () => {
  it("names only parts that exist, each once", () => {
    const names = parts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { imports } of parts) if (imports !== "all") expect(names).toEqual(expect.arrayContaining([...imports]));
  });

  it("imports no higher floor", () => {
    const floors = new Map(parts.map(({ name, floor }) => [name, floor]));
    for (const { name, floor, imports } of parts) {
      if (imports === "all") continue;
      for (const other of imports) expect(floors.get(other), `${name} imports ${other}`).toBeLessThanOrEqual(floor);
    }
  });

  it("points one way: it has no circle", () => {
    let left = parts.filter(({ imports }) => imports !== "all");
    while (left.length > 0) {
      const names = new Set(left.map(({ name }) => name));
      const stuck = left.filter(({ imports }) => imports !== "all" && imports.some((name) => names.has(name)));
      expect(stuck.length, `in a circle: ${stuck.map(({ name }) => name).join(", ")}`).toBeLessThan(left.length);
      left = stuck;
    }
  });
});

describe("the linter", () => {
  // The simple cases are rules of biome.jsonc as well, so that an editor shows them while somebody types.
  it("refuses a truth in a stage and an engine in the loop, and lets contracts through", () => {
    const wrong: Record<string, string> = {
      "src/learn/wrong.ts": "../topics/arithmetic-truth.ts",
      "src/verify/wrong.ts": "../topics/arithmetic-notation.ts",
      "src/play/wrong.ts": "../topics/define-topic.ts",
      "src/self-play.ts": "./engine/onnx/onnx-engine.ts",
      "src/evaluate/wrong.ts": "../cli/format.ts",
    };
    const right: Record<string, string> = {
      "src/learn/right.ts": "../engine/engine.ts",
      "src/play/right.ts": "../topics/topic.ts",
      "src/cli/right.ts": "../engine/onnx/onnx-engine.ts",
    };
    const folder = mkdtempSync(join(tmpdir(), "sqlm-lint-"));
    try {
      copyFileSync(join(root, "biome.jsonc"), join(folder, "biome.jsonc"));
      for (const [path, target] of Object.entries({ ...wrong, ...right })) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), `import { part } from "${target}";\n\nexport const parts = [part];\n`);
      }
      const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
      const options = ["lint", "--vcs-enabled=false", "--reporter=github", "."];
      const { stdout, status } = spawnSync(process.execPath, [biome, ...options], { cwd: folder, encoding: "utf8" });
      const refused = [...stdout.matchAll(/lint\/style\/noRestrictedImports,file=([^,]+)/g)].map(([, path]) => path);
      const named = refused.map((path) => path.replaceAll("\\", "/").replace(/^.*\/src\//, "src/"));
      expect(named.sort()).toEqual(Object.keys(wrong).sort());
      expect(status).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
