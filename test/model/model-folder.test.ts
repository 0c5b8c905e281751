// A model folder is refused in one typed sentence, before any work, whatever is wrong with it.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { FileFormatError, SqlmError, UnsupportedError, UsageError } from "../../src/errors.ts";
import { createModel } from "../../src/model/create-model.ts";
import { parseModelConfig } from "../../src/model/model-config.ts";
import { openModelFolder, readWeights } from "../../src/model/model-folder.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-folder-"));
afterAll(() => rmSync(root, { recursive: true }));
const [good, folder] = [join(root, "good"), join(root, "model")];
createModel(good, {
  architecture: "Qwen3ForCausalLM",
  characters: "0123456789",
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 1,
  heads: 2,
  keyValueHeads: 1,
  maxPositions: 16,
  tiedEmbeddings: true,
  seed: 1,
});
const weightsPath = join(folder, "model.safetensors");
const configPath = join(folder, "config.json");
const config = JSON.parse(readFileSync(join(good, "config.json"), "utf8"));

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  cpSync(good, folder, { recursive: true });
});

const read = () => readWeights(openModelFolder(folder));
const changeConfig = (change: object) => writeFileSync(configPath, JSON.stringify({ ...config, ...change }));
function changeWeights(change: (tensors: Map<string, NamedTensor>) => void): void {
  const tensors = new Map(readSafetensors(weightsPath).tensors);
  change(tensors);
  writeSafetensors(weightsPath, tensors, {});
}

function expectRefusal(work: () => unknown, kind: new (...args: never[]) => SqlmError, ...parts: string[]): void {
  let caught: unknown = null;
  try {
    work();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(kind);
  const { message, hint } = caught as SqlmError;
  for (const part of parts) expect(message).toContain(part);
  expect(message).not.toContain("\n");
  expect(hint).not.toBe("");
}

describe("weights", () => {
  test("are read from one file or from shards, the same", () => {
    const whole = read();
    const names = [...whole.keys()];
    const shards = [names.slice(0, 3), names.slice(3)];
    const map: Record<string, string> = {};
    for (const [i, part] of shards.entries()) {
      const file = `model-0000${i + 1}-of-00002.safetensors`;
      writeSafetensors(join(folder, file), new Map(part.map((name) => [name, whole.get(name)!])), {});
      for (const name of part) map[name] = file;
    }
    rmSync(weightsPath);
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    expect(read()).toEqual(whole);
    rmSync(join(folder, "model-00002-of-00002.safetensors"));
    expectRefusal(read, FileFormatError, "names model-00002-of-00002.safetensors, which is not there");
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: 3 }));
    expectRefusal(read, FileFormatError, "not a safetensors index");
  });

  test("that are missing or of another shape are named", () => {
    const name = "model.layers.0.self_attn.q_norm.weight";
    changeWeights((tensors) => tensors.delete(name));
    expectRefusal(read, FileFormatError, name);
    changeWeights((tensors) => tensors.set(name, { shape: [4], data: new Float32Array(4) }));
    expectRefusal(read, FileFormatError, name, "[4]", "[8]");
    rmSync(weightsPath);
    expectRefusal(read, FileFormatError, "has no model.safetensors");
  });
});

describe("the index of shards", () => {
  const second = "model-00002-of-00002.safetensors";
  /** Writes the weights in two files; the second where it is told, and named so in the index. */
  function shard(write: string, named = write): void {
    const weights = [...readSafetensors(weightsPath).tensors];
    const parts = new Map([
      ["model-00001-of-00002.safetensors", weights.slice(1)],
      [write, weights.slice(0, 1)],
    ]);
    for (const [file, part] of parts) writeSafetensors(resolve(folder, file), new Map(part), {});
    rmSync(weightsPath);
    const map = [...parts].flatMap(([file, part]) => part.map(([name]) => [name, file === write ? named : file]));
    writeFileSync(
      join(folder, "model.safetensors.index.json"),
      JSON.stringify({ weight_map: Object.fromEntries(map) }),
    );
  }

  test("may not lead out of the folder: up, by an absolute path, by a link", () => {
    shard("../second.safetensors");
    expectRefusal(read, FileFormatError, "../second.safetensors, which lies outside");
    for (const path of [join(root, "second.safetensors"), "C:\\second.safetensors"]) {
      changeConfig({});
      cpSync(good, folder, { recursive: true });
      shard(join(root, "second.safetensors"), path);
      expectRefusal(read, FileFormatError, path, "which lies outside");
    }
    cpSync(good, folder, { recursive: true });
    shard(join(root, "second.safetensors"), second);
    symlinkSync(join(root, "second.safetensors"), join(folder, second));
    expectRefusal(read, FileFormatError, second, "which lies outside");
    // A folder that is a link leads out too.
    rmSync(join(folder, second));
    symlinkSync(root, join(folder, "parts"));
    cpSync(good, folder, { recursive: true });
    shard(join(root, "second.safetensors"), "parts/second.safetensors");
    expectRefusal(read, FileFormatError, "parts/second.safetensors", "which lies outside");
  });

  test("may name files below the folder, and links within it", () => {
    mkdirSync(join(folder, "parts"));
    shard(join(folder, "parts/second.safetensors"), second);
    symlinkSync("parts/second.safetensors", join(folder, second));
    expect(read().size).toBeGreaterThan(3);
  });

  test("may be a snapshot in a Hugging Face cache, whose files are links", () => {
    const cache = join(root, "models--some--model");
    mkdirSync(join(cache, "snapshots"), { recursive: true });
    mkdirSync(join(cache, "blobs"));
    shard(join(cache, "blobs/abc"), second);
    symlinkSync("../../blobs/abc", join(folder, second));
    cpSync(folder, join(cache, "snapshots/main"), { recursive: true, verbatimSymlinks: true });
    expect(readWeights(openModelFolder(join(cache, "snapshots/main"))).size).toBeGreaterThan(3);
    rmSync(cache, { recursive: true });
  });

  test("that names a weight which its file lacks is refused", () => {
    shard(second);
    writeSafetensors(join(folder, second), new Map([["other", { shape: [1], data: new Float32Array(1) }]]), {});
    expectRefusal(read, FileFormatError, "says that", second, "which it does not");
  });
});

describe("under tied embeddings", () => {
  const head = "lm_head.weight";
  const embedding = "model.embed_tokens.weight";

  test("a head of its own is kept, and checkpoints say so", async () => {
    changeWeights((tensors) => {
      const data = tensors.get(embedding)!.data.slice();
      data[data.length - 1] += 1;
      tensors.set(head, { shape: tensors.get(embedding)!.shape, data });
    });
    const model = openModelFolder(folder);
    expect(model.config.tiedEmbeddings).toBe(false);
    const stored = readSafetensors(weightsPath).tensors.get(head)!.data;
    expect(readWeights(model).get(head)!.data).toEqual(stored);
    const saved = join(root, "saved");
    mkdirSync(saved);
    await using engine = await openOnnxEngine({ model: folder, threads: 1 });
    await using policy = await engine.openPolicy();
    await policy.save(saved, { optimizer: false });
    expect(openModelFolder(saved).config.tiedEmbeddings).toBe(false);
    expect(readWeights(openModelFolder(saved)).get(head)!.data).toEqual(stored);
  });

  test("a copy of the embedding is no other head", () => {
    changeWeights((tensors) => tensors.set(head, tensors.get(embedding)!));
    expect(openModelFolder(folder).config.tiedEmbeddings).toBe(true);
    expect(read().has(head)).toBe(false);
  });

  test("a head of another shape is refused", () => {
    changeWeights((tensors) => tensors.set(head, { shape: [2, 16], data: new Float32Array(32) }));
    expectRefusal(read, FileFormatError, head, "[2,16]");
  });
});

describe("config.json", () => {
  test("of an unknown architecture: the nearest is named", () => {
    changeConfig({ architectures: ["Qwen3MoeForCausalLM"] });
    expectRefusal(read, UnsupportedError, "Qwen3MoeForCausalLM", 'Did you mean "Qwen3ForCausalLM"?');
    changeConfig({ architectures: ["toString"] });
    expectRefusal(read, UnsupportedError, "unknown architecture toString");
  });

  test.each([
    [{ rope_scaling: { rope_type: "yarn", factor: 4 } }, "yarn"],
    [{ rope_scaling: { rope_type: "linear" } }, "factor"],
    [{ use_sliding_window: true }, "sliding-window"],
    [{ hidden_act: "gelu" }, "gelu"],
    [{ num_key_value_heads: 3 }, "3 key-value heads"],
    [{ head_dim: 7 }, "head size of 7"],
  ])("%j is refused", (change, part) => {
    changeConfig(change);
    expectRefusal(read, UnsupportedError, part);
  });

  test.each([
    [{ hidden_size: "16" }, "hidden_size"],
    [{ num_hidden_layers: 0 }, "num_hidden_layers"],
    [{ num_hidden_layers: 1e12 }, "num_hidden_layers"],
    [{ architectures: [], model_type: null }, "architectures"],
  ])("%j is not a config", (change, part) => {
    changeConfig(change);
    expectRefusal(read, FileFormatError, part);
  });

  test("that is missing or not JSON", () => {
    writeFileSync(configPath, '{"architectures"');
    expectRefusal(read, FileFormatError, "not JSON");
    rmSync(configPath);
    expectRefusal(read, UsageError, "no config.json");
  });

  test("with any value anywhere gives a shape or an error of ours", () => {
    const keys = Object.keys({ ...config, rope_scaling: 0, rope_parameters: 0, use_sliding_window: 0 });
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue(), { minKeys: 1, maxKeys: 4 }), (change) => {
        try {
          parseModelConfig({ ...config, ...change }, "config.json");
        } catch (error) {
          expect(error).toBeInstanceOf(SqlmError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("a model larger than the machine's memory is refused before its weights are read", async () => {
  changeConfig({
    num_hidden_layers: 10_000,
    hidden_size: 2 ** 16,
    intermediate_size: 2 ** 18,
    head_dim: 128,
    tie_word_embeddings: false,
  });
  const error = await openOnnxEngine({ model: folder, threads: 1 }).catch((reason: unknown) => reason);
  expectRefusal(
    () => {
      throw error;
    },
    UnsupportedError,
    "of memory",
  );
});

test("the engine refuses such folders when it is opened, with the same errors", async () => {
  changeConfig({ architectures: ["GPT2LMHeadModel"] });
  await expect(openOnnxEngine({ model: folder, threads: 1 })).rejects.toBeInstanceOf(UnsupportedError);
  changeConfig({});
  writeFileSync(weightsPath, readFileSync(weightsPath).subarray(0, 900));
  await expect(openOnnxEngine({ model: folder, threads: 1 })).rejects.toMatchObject({
    name: "FileFormatError",
    path: weightsPath,
    hint: expect.stringMatching(/./),
  });
  rmSync(join(folder, "tokenizer.json"));
  await expect(openOnnxEngine({ model: folder, threads: 1 })).rejects.toBeInstanceOf(FileFormatError);
  await expect(openOnnxEngine({ model: join(root, "nowhere"), threads: 1 })).rejects.toBeInstanceOf(UsageError);
});
