// A model that is a GGUF file goes all the way: asked, played, exported as a folder.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openModelFolder, readWeights } from "../../src/model/model-folder.ts";
import { ggufModel } from "../model/gguf-models.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

test("ask, run and export take FILE.gguf", async () => {
  const folder = temporaryFolder();
  const model = join(folder, "model.gguf");
  const { bytes, config } = ggufModel("llama");
  writeFileSync(model, bytes);
  const asked = await runCli([
    "ask",
    model,
    "1+2=",
    "--topic",
    "arithmetic",
    "--votes",
    "2",
    "--threads",
    "1",
    "--json",
  ]);
  expect(asked, asked.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(asked.stdout)).toMatchObject({ model, verdict: { groupSize: 2 } });

  const workspace = ["--workspace", join(folder, "work")];
  const small = [
    "--groups-per-batch",
    "2",
    "--group-size",
    "4",
    "--eval-every",
    "0",
    "--save-every",
    "1",
    "--threads",
    "1",
  ];
  const played = await runCli([
    "run",
    "arithmetic",
    "--model",
    model,
    "--steps",
    "2",
    ...small,
    ...workspace,
    "--json",
  ]);
  expect(played).toMatchObject({ code: 0 });
  const { run } = JSON.parse(played.stdout) as { run: string };
  const out = join(folder, "out");
  const exported = await runCli(["export", "model", run, "--to", out, ...workspace]);
  expect(exported).toMatchObject({ code: 0 });
  expect(existsSync(join(out, "tokenizer.json"))).toBe(true);
  expect(openModelFolder(out).config).toEqual(config);
  expect(readWeights(openModelFolder(out)).size).toBeGreaterThan(10);
});
