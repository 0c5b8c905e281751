// Adapters on disk: what is written is read, what belongs to something else is refused, and a base is known by its weights.
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { SqlmError } from "../../src/errors.ts";
import { readAdapter, readAdapterConfig, writeAdapter } from "../../src/model/adapter.ts";
import { checkBase, identifyBase, writeBase } from "../../src/model/base-identity.ts";
import { adapterSpecs, freshAdapter, type Lora, projections, readTargets } from "../../src/model/lora.ts";
import { modelVariants } from "../engine/onnx/random-model.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-adapter-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(root, "a-"));
const config = modelVariants["qwen2: biases, grouped heads, tied"];
const lora: Lora = { rank: 4, alpha: 6, targets: ["q_proj", "v_proj", "down_proj"] };

function written(changes: object = {}): string {
  const folder = newFolder();
  writeAdapter(folder, { lora, base: "some/model" }, freshAdapter(config, lora, 1));
  const path = join(folder, "adapter_config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
  return folder;
}

describe("adapters in PEFT's form", () => {
  test("what is written is read", () => {
    const folder = written();
    expect(readAdapterConfig(folder)).toEqual(lora);
    expect(readAdapter(folder, config, lora)).toEqual(freshAdapter(config, lora, 1));
  });

  test("a new one has a uniform A of PEFT's width, drawn from the seed, and a B of zeros", () => {
    const one = freshAdapter(config, lora, 1);
    expect([...one.keys()]).toEqual(adapterSpecs(config, lora).map(({ name }) => name));
    expect(freshAdapter(config, lora, 1)).toEqual(one);
    expect(freshAdapter(config, lora, 2)).not.toEqual(one);
    for (const [name, { shape, data }] of one) {
      if (name.includes("lora_B")) expect(data.every((value) => value === 0)).toBe(true);
      else {
        const bound = 1 / Math.sqrt(shape[1]);
        expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(bound);
        expect(Math.max(...data.map(Math.abs))).toBeGreaterThan(0.8 * bound);
      }
    }
  });

  test("rank-stabilised scaling is alpha over the root of the rank", () => {
    expect(readAdapterConfig(written({ use_rslora: true }))).toMatchObject({ rank: 4, alpha: 12 });
  });

  test.each([
    [{ peft_type: "IA3" }, "IA3"],
    [{ use_dora: true }, "use_dora"],
    [{ bias: "all" }, "bias"],
    [{ rank_pattern: { q_proj: 2 } }, "rank_pattern"],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save"],
    [{ r: "4" }, "r"],
    [{ target_modules: ["q_proj", "v_proj", "down_proj", "o_proj"] }, "o_proj"],
  ])("%o is refused, which is named", (changes, named) => {
    const read = () => readAdapterConfig(written(changes));
    expect(read).toThrow(SqlmError);
    expect(read).toThrow(named);
  });

  test("one of another rank, model or length is refused", () => {
    expect(() => readAdapter(written(), config, { ...lora, rank: 2 })).toThrow("[2,");
    expect(() => readAdapter(written(), { ...config, hiddenSize: 24 }, lora)).toThrow("[4,16]");
    expect(() => readAdapter(written(), { ...config, layers: 1 }, lora)).toThrow("does not have");
    expect(() => readAdapter(written(), { ...config, layers: 3 }, lora)).toThrow("layers.2");
    const cut = written();
    truncateSync(join(cut, "adapter_model.safetensors"), 400);
    expect(() => readAdapterConfig(cut)).toThrow(SqlmError);
  });

  test("targets are read by name", () => {
    expect(readTargets("all-linear")).toEqual(projections);
    expect(readTargets("down_proj, q_proj")).toEqual(["q_proj", "down_proj"]);
    for (const text of ["", "q_proj,,", "qproj", "embed_tokens"]) expect(() => readTargets(text)).toThrow(SqlmError);
  });
});

describe("the base of an adapter", () => {
  /** Weights of a size; large ones are sparse, so that they cost no disk. */
  function base(bytes: number): string {
    const folder = newFolder();
    const file = openSync(join(folder, "model.safetensors"), "w");
    writeSync(file, Buffer.from("x"), 0, 1, bytes - 1);
    closeSync(file);
    return folder;
  }
  const poke = (folder: string, at: number): void => {
    const file = openSync(join(folder, "model.safetensors"), "r+");
    writeSync(file, Buffer.from("y"), 0, 1, at);
    closeSync(file);
  };

  test.each([1, 1000, 2 ** 22, 2 ** 22 + 7])("of %i bytes: any changed byte makes it another", (bytes) => {
    const folder = base(bytes);
    const adapter = newFolder();
    writeBase(adapter, identifyBase(folder));
    expect(identifyBase(folder)).toMatchObject({ digestOf: "all", bytes });
    checkBase(adapter, folder);
    poke(folder, Math.floor(bytes / 2));
    expect(() => checkBase(adapter, folder)).toThrow("other weights");
  });

  test("above 256 MB parts are read: size, ends and header tell models apart, and it says so", () => {
    const bytes = 2 ** 28 + 2 ** 20;
    const folder = base(bytes);
    const identity = identifyBase(folder);
    expect(identity.digestOf).toBe("parts");
    expect(identifyBase(base(bytes + 1)).sha256).not.toBe(identity.sha256);
    for (const at of [0, bytes - 1]) {
      const other = base(bytes);
      poke(other, at);
      expect(identifyBase(other).sha256).not.toBe(identity.sha256);
    }
  });

  test("moved elsewhere it is the same", () => {
    const folder = base(500);
    const other = newFolder();
    copyFileSync(join(folder, "model.safetensors"), join(other, "model.safetensors"));
    expect(identifyBase(other).sha256).toBe(identifyBase(folder).sha256);
  });
});
