// A full self-play run against a Tinker server of others, on this machine's processor: started here and ended again.
//
//   SQLM_PYTHON=VENV/bin/python node scripts/interop/tinker-servers.ts [--open-rl FOLDER]
//
// SkyRL 0.4.0 needs a Python with `skyrl`, `jax`, `flax` and `uv`, open-rl a checkout of its repository and a Python with what it
// imports (docs/tinker.md says how to install both); skips with a reason where they are not there. It plays the shipped
// arithmetic model for a few steps, ends, goes on from the checkpoint, and looks at the record: adapters downloaded where the server
// gives them out, sampled and trained log-probabilities equal, every step with its metrics. With SkyRL some minutes, most of
// them compiling. Nothing in the project needs this script.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectParts } from "../../src/cli/parts.ts";
import { playRun } from "../../src/cli/play-run.ts";
import { runConfigSchema } from "../../src/config/config.ts";
import type { RunEvent } from "../../src/events.ts";
import { findModel } from "../../src/model/find-model.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { needPython, python } from "./python.ts";

const port = 8791;
const url = `http://127.0.0.1:${port}`;
const rank = 8;

const { values } = parseArgs({ options: { "open-rl": { type: "string" } } });
const openRl = values["open-rl"];
if (openRl === undefined) needPython("skyrl", "jax", "flax", "uv");
else needPython("torch", "transformers", "peft", "fastapi", "uvicorn", "httpx", "redis", "opentelemetry");
const folder = mkdtempSync(join(tmpdir(), "sqlm-server-"));
// The server's name of the model is the path that it was started with, and the client's must be the same.
const shipped = findModel({ model: "arithmetic" });
symlinkSync(shipped, join(folder, "arithmetic"));
const model = openRl === undefined ? "arithmetic" : shipped;

/** Command, where it runs, and what it wants in its environment. */
function skyrl(): { readonly command: string[]; readonly cwd: string; readonly environment: NodeJS.ProcessEnv } {
  const venv = dirname(dirname(resolve(python)));
  const backend = JSON.stringify({ max_lora_adapters: 8, max_lora_rank: rank });
  const command = [
    ...[join(venv, "bin", "uv"), "run", "--no-project", "--active", "-m", "skyrl.tinker.api"],
    ...["--base-model", model, "--backend", "jax", "--backend-config", backend],
    ...["--database-url", `sqlite:///${folder}/tinker.db`, "--checkpoints-base", join(folder, "checkpoints")],
    ...["--host", "127.0.0.1", "--port", String(port)],
  ];
  const offline = { JAX_PLATFORMS: "cpu", HF_HUB_OFFLINE: "1", UV_OFFLINE: "1" };
  return {
    command,
    cwd: folder,
    environment: { ...offline, VIRTUAL_ENV: venv, PATH: `${venv}/bin:${process.env["PATH"]}` },
  };
}

function openRlIn(checkout: string): ReturnType<typeof skyrl> {
  const command = [python, "-m", "uvicorn", "gateway:app", "--host", "127.0.0.1", "--port", String(port)];
  const environment = { BASE_MODEL: model, SAMPLING_BACKEND: "torch", OPEN_RL_TMP_DIR: join(folder, "tmp") };
  return { command, cwd: join(checkout, "src", "server"), environment: { ...environment, HF_HUB_OFFLINE: "1" } };
}

function startServer(): { readonly end: () => void } {
  const { command, cwd, environment } = openRl === undefined ? skyrl() : openRlIn(openRl);
  const [program = "", ...args] = command;
  const env = { ...process.env, ...environment };
  // A group of its own: a server starts its engine as another process.
  const child = spawn(program, args, { cwd, stdio: "ignore", detached: true, env });
  return { end: () => child.pid !== undefined && process.kill(-child.pid) };
}

async function untilItAnswers(): Promise<void> {
  for (let attempt = 0; attempt < 120; attempt++) {
    const answer = await fetch(`${url}/api/v1/healthz`).catch(() => null);
    if (answer?.ok === true) return;
    await new Promise((go) => setTimeout(go, 1000));
  }
  throw new Error("The server did not answer within two minutes.");
}

const problems: string[] = [];
const check = (holds: boolean, what: string): void => {
  console.log(`${holds ? "ok " : "NOT"} ${what}`);
  if (!holds) problems.push(what);
};

const server = startServer();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    server.end();
    process.exit(1);
  });
}
try {
  await untilItAnswers();
  await using workspace = openWorkspace(join(folder, "workspace"));
  const config = runConfigSchema.parse({
    topic: "arithmetic",
    engine: "tinker",
    model,
    baseUrl: url,
    loraRank: rank,
    // SkyRL does not clip; nor does the other, so that both play the same.
    gradClipNorm: 0,
    steps: 2,
    groupsPerBatch: 6,
    groupSize: 8,
    evalQuestions: 1,
    learningRate: 1e-3,
    learningRateSchedule: "constant",
    warmupSteps: 0,
  });
  const events: RunEvent[] = [];
  const common = {
    parts: projectParts,
    workspace,
    signal: new AbortController().signal,
    onEvent: (event: RunEvent) => events.push(event),
  };
  const played = await playRun({ ...common, run: { config, name: "run" } });
  check(played.reason === "finished" && played.summary.steps === 2, "a run of two steps is played to its end");
  const resumed = await playRun({ ...common, run: { resume: "run", steps: 3 } });
  check(resumed.summary.steps === 3, "it goes on from the state that the server keeps");
  const steps = events.flatMap((event) => (event.type === "step-end" ? [event.record] : []));
  const gaps = steps.flatMap(({ metrics }) => metrics["meanLogprobGap"] ?? []);
  check(gaps.length > 0, `steps that taught something: ${gaps.length}`);
  check(
    gaps.every((gap) => gap < 1e-3),
    `sampled and trained log-probabilities agree: ${gaps.map((gap) => gap.toExponential(1)).join(", ")}`,
  );
  const saved = events.flatMap((event) => (event.type === "checkpoint-saved" ? [event.folder] : []));
  const hold = (name: string): boolean => saved.length > 0 && saved.every((at) => existsSync(join(at, name)));
  check(hold("tinker.json"), "checkpoints say where the state is");
  if (openRl === undefined) check(hold("adapter_model.safetensors"), "checkpoints hold the adapter");
} finally {
  server.end();
  rmSync(folder, { recursive: true, force: true });
}
if (problems.length > 0) process.exitCode = 1;
