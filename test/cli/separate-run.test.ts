// A run whose proposer has weights of its own, from the command line: played, gone on with, asked, exported, named as a model.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findModel } from "../../src/model/find-model.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

const small = [
  ..."--groups-per-batch 4 --group-size 4 --eval-every 0 --eval-questions 2 --save-every 1 --threads 1".split(" "),
  ..."--min-agreement 0 --no-consistent-vote --proposer-reward variance --proposer-every 1".split(" "),
];

async function json<Result>(args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli([...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Result;
}

test("the proposer is kept beside the solver and can be asked and taken out", async () => {
  const folder = temporaryFolder();
  const workspace = ["--workspace", join(folder, "work")];
  const start = ["run", "arithmetic", ...small, ...workspace];
  const { run, checkpoint } = await json<{ run: string; checkpoint: string }>([
    ...start,
    ...["--steps", "2", "--proposer-weights", "separate"],
  ]);
  const weightsOf = (at: string): Buffer => readFileSync(join(at, "model.safetensors"));
  const proposer = join(checkpoint, "proposer");
  const model = findModel({ model: "seed", topic: "arithmetic" });
  expect(weightsOf(proposer).equals(weightsOf(model))).toBe(false);
  expect(weightsOf(proposer).equals(weightsOf(checkpoint))).toBe(false);
  expect(existsSync(join(proposer, "optimizer.safetensors"))).toBe(true);

  const resumed = await json<{ steps: number; checkpoint: string }>(["resume", run, "--steps", "3", ...workspace]);
  expect(resumed.steps).toBe(3);

  const taken = { model: join(folder, "solver-model"), proposer: join(folder, "proposer-model") };
  await json(["export", "model", run, "--to", taken.model, ...workspace]);
  await json(["export", "model", `${run}/proposer`, "--to", taken.proposer, ...workspace]);
  for (const to of Object.values(taken)) expect(readdirSync(to).sort()).toEqual(readdirSync(model).sort());
  expect(weightsOf(taken.proposer).equals(weightsOf(join(resumed.checkpoint, "proposer")))).toBe(true);

  // By its name, by its step, as the latest, and taken out: one proposer. Its topic is known but where it was taken out.
  const asking = ["1+2=", "--votes", "6", "--threads", "1", "--seed", "4", ...workspace];
  const named = [`${run}/proposer`, `${run}@3/proposer`, "latest/proposer"];
  const asked = [];
  for (const name of named) asked.push((await json<{ forms: unknown }>(["ask", name, ...asking])).forms);
  const out = ["ask", taken.proposer, "--topic", "arithmetic", ...asking];
  asked.push((await json<{ forms: unknown }>(out)).forms);
  for (const forms of asked.slice(1)) expect(forms).toEqual(asked[0]);

  const { run: shared } = await json<{ run: string }>([...start, "--steps", "1"]);
  for (const args of [
    ["export", "model", `${shared}/proposer`, "--to", join(folder, "none")],
    ["ask", `${shared}/proposer`, "1+2="],
  ]) {
    const { code, stderr } = await runCli([...args, ...workspace]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("keeps no proposer of its own");
  }
  const idle = await runCli([...start, "--proposer-weights", "separate", "--proposer-loss-weight", "0.5"]);
  expect(idle.stderr).toContain("it counts only with proposerWeights shared");
}, 600_000);
