// The official Python SDK of Tinker against `sqlm serve-tinker`: supervised and policy-gradient loops, agreement of sampled, scored
// and trained log-probabilities, saving and going on, downloads, and what is refused.
//
//   SQLM_PYTHON=VENV/bin/python node scripts/interop/tinker-sdk.ts [MODEL] [--saves FOLDER]
//
// Needs a Python with the package `tinker` (0.25 and 0.38 were run; `torch` adds the custom loss) and skips with a reason where there
// is none. MODEL is a folder or a GGUF file; the shipped arithmetic model where left out. Nothing in the project needs this script.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { serveTinker } from "../../src/engine/tinker/server/serve.ts";
import { findModel } from "../../src/model/find-model.ts";
import { needPython, python } from "./python.ts";

const rank = 8;

function runScript(url: string, settings: object): Promise<number> {
  const script = join(import.meta.dirname, "tinker-sdk.py");
  const environment = { ...process.env, TINKER_BASE_URL: url, TINKER_API_KEY: "tml-local", TINKER_TELEMETRY: "0" };
  const child = spawn(python, [script, JSON.stringify(settings)], { env: environment, stdio: "inherit" });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

needPython("tinker");
const { positionals } = parseArgs({ allowPositionals: true });
const model = findModel({ model: positionals[0] ?? "arithmetic" });
const folder = mkdtempSync(join(tmpdir(), "sqlm-interop-"));
try {
  await using engine = await openOnnxEngine({ model, threads: 2, loraRank: rank, loraAlpha: 32 });
  await using server = await serveTinker({
    engine,
    model: { names: ["interop"], tokenizer: null, architecture: null },
    folder,
    host: "127.0.0.1",
    port: 0,
    key: null,
    report: (error) => {
      console.error("The server failed:", error);
      process.exitCode = 1;
    },
  });
  const { tokenizer } = engine;
  const other = positionals.length > 0;
  const texts = other ? ["One two three", "The answer is"] : ["S321+654=", "S11+22=", "S9+9="];
  const settings = {
    model: "interop",
    rank,
    prompts: texts.map((text) => tokenizer.encode(text)),
    // Where the model says now this, now that: the shipped one writes questions.
    open_prompts: (other ? texts : ["P", "P"]).map((text) => tokenizer.encode(text)),
    // What the policy-gradient loops reward: the share of these tokens.
    liked: (other ? [",", ".", " the", " and"] : ["7"]).flatMap((text) => tokenizer.encode(text)),
    // Many times what rounding in float32 makes (docs/cross-checks.md), and far below what a shift by one does.
    tolerance: 1e-4,
    rate: other ? 5e-4 : 2e-2,
    // What the supervised loop learns to say, whatever it is asked.
    answer: tokenizer.encode(other ? " nothing at all" : "777"),
    stop_text: other ? "e" : "7",
    end_tokens: tokenizer.endTokens,
  };
  const code = await runScript(server.url, settings);
  if (code !== 0) process.exitCode = code;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
