// A full self-play run against a Tinker server of others: SkyRL on this machine's processor, started here and ended again.
//
//   SQLM_PYTHON=VENV/bin/python node scripts/interop/tinker-servers.ts
//
// Needs a Python with `skyrl` 0.4.0, `jax`, `flax` and `uv` (docs/tinker.md says how to install them) and skips with a reason where
// there is none. It plays the shipped arithmetic model for a few steps, ends, goes on from the checkpoint, and looks at the
// record: adapters downloaded, sampled and trained log-probabilities equal, every step with its metrics. Some minutes, most
// of them compiling. Nothing in the project needs this script.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
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

needPython("skyrl", "jax", "flax", "uv");
const folder = mkdtempSync(join(tmpdir(), "sqlm-skyrl-"));
// The server's name of the model is the path that it was started with, and the client's must be the same.
symlinkSync(findModel({ model: "arithmetic" }), join(folder, "arithmetic"));

function startServer(): { readonly end: () => void } {
  const venv = dirname(dirname(resolve(python)));
  const backend = JSON.stringify({ max_lora_adapters: 8, max_lora_rank: rank });
  const args = ["run", "--no-project", "--active", "-m", "skyrl.tinker.api", "--base-model", "arithmetic"];
  const more = ["--backend", "jax", "--backend-config", backend, "--database-url", `sqlite:///${folder}/tinker.db`];
  const child = spawn(
    join(venv, "bin", "uv"),
    [
      ...args,
      ...more,
      "--checkpoints-base",
      join(folder, "checkpoints"),
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
    ],
    {
      cwd: folder,
      stdio: "ignore",
      // A group of its own: uv starts the server, which starts its engine.
      detached: true,
      env: {
        ...process.env,
        JAX_PLATFORMS: "cpu",
        HF_HUB_OFFLINE: "1",
        UV_OFFLINE: "1",
        VIRTUAL_ENV: venv,
        PATH: `${venv}/bin:${process.env["PATH"]}`,
      },
    },
  );
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
    model: "arithmetic",
    baseUrl: url,
    loraRank: rank,
    // SkyRL does not clip.
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
  const played = await playRun({ ...common, run: { config, name: "skyrl" } });
  check(played.reason === "finished" && played.summary.steps === 2, "a run of two steps is played to its end");
  const resumed = await playRun({ ...common, run: { resume: "skyrl", steps: 3 } });
  check(resumed.summary.steps === 3, "it goes on from the state that the server keeps");
  const steps = events.flatMap((event) => (event.type === "step-end" ? [event.record] : []));
  const gaps = steps.flatMap(({ metrics }) => metrics["meanLogprobGap"] ?? []);
  check(gaps.length > 0, `steps that taught something: ${gaps.length}`);
  check(
    gaps.every((gap) => gap < 1e-3),
    `sampled and trained log-probabilities agree: ${gaps.map((gap) => gap.toExponential(1)).join(", ")}`,
  );
  const saved = events.flatMap((event) => (event.type === "checkpoint-saved" ? [event.folder] : []));
  check(
    saved.length > 0 &&
      saved.every((at) => existsSync(join(at, "adapter_model.safetensors")) && existsSync(join(at, "tinker.json"))),
    "checkpoints hold the adapter and where the state is",
  );
} finally {
  server.end();
  rmSync(folder, { recursive: true, force: true });
}
if (problems.length > 0) process.exitCode = 1;
