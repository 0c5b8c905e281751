import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { expect, test } from "vitest";
import { exportJsonl, exportParquet, exportTables, tableRows } from "../../src/store/export.ts";
import { openReader } from "../../src/store/queries.ts";
import { crc32c, exportTensorboard, maskedCrc32c, tensorboardFile } from "../../src/store/tensorboard.ts";
import { packLogprobs, unpackLogprobs } from "../../src/store/token-blob.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";
import { appendSteps, errorOf, exampleConfig, inFolder, stateAt, writeWeights } from "./helpers.ts";

/** Two runs with something in every table; returns their names. */
async function makeRuns(folder: string): Promise<readonly string[]> {
  await using workspace = openWorkspace(folder);
  const names: string[] = [];
  for (const seed of [1, 2]) {
    await using run = workspace.createRun(exampleConfig({ seed }));
    names.push(run.run);
    appendSteps(run, 1, 6, 99);
    run.rewindTo(0);
    appendSteps(run, 1, 5, seed);
    run.append({ type: "step-end", record: exampleStep(6, { seed, notANumber: true }) });
    run.append({ type: "evaluation-end", step: 6, evaluation: exampleEvaluation(6) });
    run.append({ type: "guard", step: 6, detector: "collapse", action: "paused", message: "Ünïcode ✓" });
    run.append({ type: "anomaly", step: 6, kind: "slow", message: 'A "quoted"\nline' });
    await run.saveCheckpoint(stateAt(6), writeWeights(6));
    run.append({ type: "run-end", step: 6, reason: "finished" });
  }
  return names;
}

const decode = (tokens: readonly number[]): string => `<${tokens.join(" ")}>`;

test("every table leaves as JSON Lines and as Parquet with the same rows", async () => {
  await inFolder(async (folder) => {
    await makeRuns(folder);
    using reader = openReader(folder);
    for (const table of exportTables) {
      const rows = [...tableRows(reader, table, { decode })];
      expect(rows.length, table).toBeGreaterThan(0);
      const jsonl = join(folder, `${table}.jsonl`);
      expect(exportJsonl(reader, table, jsonl, { decode })).toBe(rows.length);
      const lines = readFileSync(jsonl, "utf8").trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual(rows);
      const parquet = join(folder, `${table}.parquet`);
      expect(exportParquet(reader, table, parquet, { decode })).toBe(rows.length);
      const back = await parquetReadObjects({ file: await asyncBufferFromFile(parquet) });
      expect(back, table).toEqual(rows);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith(".writing"))).toEqual([]);
  });
});

test("answers say whose they are, in the order in which they were given", async () => {
  await inFolder(async (folder) => {
    const [, second] = await makeRuns(folder);
    using reader = openReader(folder);
    const rows = [...tableRows(reader, "answers", { run: second, decode })];
    const expected = [1, 2, 3, 4, 5, 6].flatMap((step) =>
      exampleStep(step, { seed: 2 }).groups.flatMap((group, questionPosition) =>
        group.answers.map((answer, position) => ({
          run: second,
          step,
          questionPosition,
          position,
          form: answer.form,
          question: group.question.text,
          value: answer.value,
          tokens: answer.tokens,
          text: decode(answer.tokens),
          reward: answer.reward,
          logprobs: unpackLogprobs(packLogprobs(answer.logprobs)),
        })),
      ),
    );
    expect(rows.length).toBe(expected.length);
    expect(rows).toMatchObject(expected);
    const taught = [...tableRows(reader, "questions", { run: second })].map((row) => Number(row["taught"]));
    expect(Math.max(...taught)).toBeGreaterThan(0);
    expect(await errorOf(() => [...tableRows(reader, "answers", { run: "nobody" })])).toHaveProperty("hint");
  });
});

test("a Parquet file of many rows has row groups, and an empty table is a valid file", async () => {
  await inFolder(async (folder) => {
    {
      await using workspace = openWorkspace(folder);
      await using run = workspace.createRun(exampleConfig());
      for (let step = 1; step <= 9; step++) {
        run.append({ type: "step-end", record: exampleStep(step, { questions: 160, groupSize: 16 }) });
      }
    }
    using reader = openReader(folder);
    const path = join(folder, "answers.parquet");
    expect(exportParquet(reader, "answers", path)).toBe(9 * 160 * 16);
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(metadata.row_groups.map((group) => Number(group.num_rows))).toEqual([20_000, 3040]);
    const empty = join(folder, "anomalies.parquet");
    expect(exportParquet(reader, "anomalies", empty)).toBe(0);
    expect(await parquetReadObjects({ file: await asyncBufferFromFile(empty) })).toEqual([]);
  });
});

test("an export that cannot be written leaves nothing behind", async () => {
  await inFolder(async (folder) => {
    await makeRuns(folder);
    using reader = openReader(folder);
    for (const write of [exportJsonl, exportParquet]) {
      const path = join(folder, "nowhere", "file");
      expect(await errorOf(() => write(reader, "answers", path))).toMatchObject({ code: "ENOENT" });
      expect(existsSync(path)).toBe(false);
    }
  });
});

interface Scalar {
  readonly tag: string;
  readonly step: number;
  readonly value: number;
}

/** Reads an event file as TensorBoard does, checking every frame's checksums. */
function readEventFile(bytes: Buffer): { readonly version: string; readonly scalars: Scalar[] } {
  const scalars: Scalar[] = [];
  let version = "";
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    at += 16 + length;
    let step = 0;
    const message = new BinaryReader(data);
    while (message.pos < message.len) {
      const [field, wire] = message.tag();
      if (field === 2) step = Number(message.int64());
      else if (field === 3) version = message.string();
      else if (field === 5) {
        const summary = new BinaryReader(message.bytes());
        summary.tag();
        const value = new BinaryReader(summary.bytes());
        value.tag();
        const tag = value.string();
        value.tag();
        scalars.push({ tag, step, value: value.float() });
      } else message.skip(wire);
    }
  }
  return { version, scalars };
}

test("CRC-32C gives the published values", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  // RFC 3720, B.4
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("a TensorBoard file holds all metrics and evaluations, numbers out of range too", async () => {
  await inFolder(async (folder) => {
    const [run] = await makeRuns(folder);
    using reader = openReader(folder);
    const path = exportTensorboard(reader, run, folder);
    expect(path).toContain("events.out.tfevents.");
    const { version, scalars } = readEventFile(readFileSync(path));
    expect(version).toBe("brain.Event:2");
    const series = (tag: string): Scalar[] => scalars.filter((scalar) => scalar.tag === tag);
    expect(series("gradNorm")).toEqual(
      [1, 2, 3, 4, 5, 6].map((step) => ({
        tag: "gradNorm",
        step,
        value: Math.fround(exampleStep(step, { seed: 1 }).metrics["gradNorm"]),
      })),
    );
    expect(series("loss").at(-1)?.value).toBeNaN();
    expect(series("evaluation/majAt16/difficulty 4")).toMatchObject([{ step: 6, value: 0.5 }]);
  });
  const extremes = [1e300, -1e300, Number.POSITIVE_INFINITY, 1e-300, 3.4e38];
  const events = extremes.map((value, step) => ({ tag: "x", step, value, wallTime: 1 }));
  const { scalars } = readEventFile(Buffer.from(tensorboardFile(events, 1)));
  expect(scalars.map((scalar) => scalar.value)).toEqual(extremes.map(Math.fround));
});
