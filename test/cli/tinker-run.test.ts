// A run on a Tinker server, and every command that opens a checkpoint: with shared weights and separate ones, where the base is on
// this machine, where it has to be named, and where there is no copy of the adapter.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { serveTinker } from "../../src/engine/tinker/server/serve.ts";
import { findModel } from "../../src/model/find-model.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

const small = [
  ..."--groups-per-batch 4 --group-size 4 --eval-every 0 --eval-questions 1 --save-every 1 --threads 1 --guard off".split(
    " ",
  ),
  ..."--min-agreement 0 --no-consistent-vote --proposer-reward variance --proposer-every 1".split(" "),
  ..."--learning-rate 1e-2 --warmup-steps 0 --steps 1".split(" "),
];

async function json<Result>(args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli([...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Result;
}

describe.each(["shared", "separate"])("a checkpoint of a run on a server, weights %s", (weights) => {
  const arithmetic = findModel({ model: "arithmetic" });
  let checkpoint = "";
  const names = weights === "shared" ? ["own"] : ["own", "own/proposer"];

  test("is opened by all of them", async () => {
    const folder = temporaryFolder();
    const work = ["--workspace", join(folder, "work")];
    await using engine = await openOnnxEngine({ model: arithmetic, threads: 1, loraRank: 4, loraAlpha: 32 });
    await using server = await serveTinker({
      engine,
      model: { names: ["arithmetic"], tokenizer: null, architecture: null },
      folder: join(folder, "saves"),
      host: "127.0.0.1",
      port: 0,
      key: null,
      report: (error) => expect.fail(String(error)),
    });
    const at = ["--engine", "tinker", "--base-url", server.url, "--model", "arithmetic"];
    const start = ["run", "arithmetic", ...small];
    ({ checkpoint } = await json<{ checkpoint: string }>([
      ...start,
      ...at,
      ...work,
      ...["--proposer-weights", weights, "--name", "own"],
    ]));
    for (const name of names) await openEverywhere(name, folder, work);
    if (weights === "shared") return;
    await goElsewhere(names.at(-1)!, { folder, work, checkpoint });
    // A run of this machine that begins with it.
    const next = await json<{ steps: number }>([
      ...["run", "arithmetic", "--model", names.at(-1)!, ...small, ...work, "--group-size", "2"],
    ]);
    expect(next.steps).toBe(1);
  }, 600_000);

  async function openEverywhere(name: string, into: string, work: readonly string[]): Promise<void> {
    const place = join(into, name.replace("/", "-"));
    const at = name === "own" ? checkpoint : join(checkpoint, "proposer");
    await json(["export", "model", name, "--to", `${place}-model`, ...work]);
    await json(["export", "adapter", name, "--to", `${place}-adapter`, ...work]);
    const adapter = "adapter_model.safetensors";
    expect(readFileSync(join(`${place}-adapter`, adapter)).equals(readFileSync(join(at, adapter)))).toBe(true);
    const merged = readFileSync(join(`${place}-model`, "model.safetensors"));
    expect(merged.equals(readFileSync(join(arithmetic, "model.safetensors")))).toBe(false);
    const question = ["12+34=", "--votes", "4", "--threads", "1", "--seed", "3", ...work];
    const topic = ["--topic", "arithmetic"];
    type Asked = { readonly forms: readonly unknown[] };
    const asked: (readonly unknown[])[] = [];
    for (const args of [
      ["ask", name, ...question],
      ["ask", name.replace("own", "own@1"), ...question],
      ["ask", `${place}-model`, ...question, ...topic],
      ["ask", "models/arithmetic", "--adapter", `${place}-adapter`, ...question],
    ]) {
      asked.push((await json<Asked>(args)).forms);
    }
    for (const forms of asked.slice(1)) expect(forms).toEqual(asked[0]);
    if (name !== names.at(-1)) return;
    const compared = await json<{ compare: { levels: readonly unknown[] } }>([
      ...["evaluate", name, "--questions", "1", "--threads", "1", "--compare", "start", ...work],
    ]);
    expect(compared.compare.levels.length).toBeGreaterThan(0);
  }
});

interface Elsewhere {
  readonly folder: string;
  readonly work: readonly string[];
  readonly checkpoint: string;
}

/** The same checkpoint on a machine that does not have the base under its name, and without its copy of the adapter. */
async function goElsewhere(name: string, { folder, work, checkpoint }: Elsewhere): Promise<void> {
  const at = name === "own" ? checkpoint : join(checkpoint, "proposer");
  const question = ["12+34=", "--votes", "4", "--threads", "1", "--seed", "3", ...work];
  type Asked = { readonly forms: readonly unknown[] };
  const before = await json<Asked>(["ask", name, ...question]);
  const saved = readFileSync(join(at, "base.json"));
  const { sha256, ...digest } = JSON.parse(saved.toString("utf8")) as { readonly sha256: string };

  writeFileSync(join(at, "base.json"), JSON.stringify({ ...digest, sha256, model: "Elsewhere/Large-8B" }));
  for (const args of [
    ["ask", name, ...question],
    ["evaluate", name, "--questions", "1", ...work],
    ["serve", name, "--port", "0", ...work],
    ["serve-tinker", name, "--port", "0", ...work],
    ["export", "model", name, "--to", join(folder, "none"), ...work],
    ["run", "arithmetic", "--model", name, ...small, ...work],
  ]) {
    const { code, stderr } = await runCli(args);
    expect(code, args.join(" ")).toBe(2);
    expect(stderr).toContain("its base Elsewhere/Large-8B is not on this machine");
    expect(stderr).toContain("--base MODEL");
  }
  const base = ["--base", "models/arithmetic"];
  expect((await json<Asked>(["ask", name, ...base, ...question])).forms).toEqual(before.forms);
  await json(["evaluate", name, ...base, "--questions", "1", "--threads", "1", "--compare", "start", ...work]);
  await json(["export", "model", name, ...base, "--to", join(folder, "with-base"), ...work]);
  expect(existsSync(join(folder, "with-base", "model.safetensors"))).toBe(true);
  const other = await runCli(["ask", name, "--base", "models/multiplication", ...question]);
  expect(other.stderr).toMatch(/belongs to other weights than those of .*multiplication/);
  const idle = await runCli(["ask", "models/arithmetic", ...base, ...question]);
  expect(idle.stderr).toContain("holds no adapter, so --base changes nothing");

  // A server that gives no digest: the name alone.
  writeFileSync(join(at, "base.json"), JSON.stringify({ model: "models/arithmetic", sha256: null }));
  expect((await json<Asked>(["ask", name, ...question])).forms).toEqual(before.forms);

  // No copy of the adapter: it is brought from the server.
  const aside = join(folder, "aside");
  cpSync(at, aside, { recursive: true });
  for (const file of ["adapter_config.json", "adapter_model.safetensors"]) rmSync(join(at, file));
  for (const args of [
    ["ask", name, ...question],
    ["export", "model", name, "--to", join(folder, "none"), ...work],
  ]) {
    const { code, stderr } = await runCli(args);
    expect(code).toBe(2);
    expect(stderr).toContain("sqlm export adapter RUN --to FOLDER");
  }
  const to = join(folder, "fetched");
  await json(["export", "adapter", name, "--to", to, ...work]);
  const adapter = "adapter_model.safetensors";
  expect(readFileSync(join(to, adapter)).equals(readFileSync(join(aside, adapter)))).toBe(true);
  for (const file of ["adapter_config.json", adapter]) cpSync(join(aside, file), join(at, file));
  writeFileSync(join(at, "base.json"), saved);
}
