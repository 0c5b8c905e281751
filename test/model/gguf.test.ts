// GGUF files: every number format against a decoder written apart, and what is refused.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { SqlmError } from "../../src/errors.ts";
import { GgufFile } from "../../src/model/gguf.ts";
import { parameterCount } from "../../src/model/model-config.ts";
import { openModelFolder, openWeights, readWeights } from "../../src/model/model-folder.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { blockFormats } from "./gguf-dequantise.ts";
import { ggufModel, tokens } from "./gguf-models.ts";
import { floatBytes, ggufBytes, type Typed } from "./gguf-writer.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-gguf-"));
afterAll(() => rmSync(root, { recursive: true }));
const path = join(root, "model.gguf");

function writeModel(...model: Parameters<typeof ggufModel>) {
  const made = ggufModel(...model);
  writeFileSync(path, made.bytes);
  return made;
}

describe("number formats", () => {
  // Any bytes are a block, as long as its scales are numbers.
  const finite = (bytes: Uint8Array, block: number, halves: readonly number[]): Uint8Array => {
    const whole = bytes.slice();
    for (let at = 0; at < whole.length; at += block) {
      for (const half of halves) if ((whole[at + half + 1] & 0x7c) === 0x7c) whole[at + half + 1] &= 0x3f;
    }
    return whole;
  };

  test.each(Object.entries(blockFormats))("%s, bit for bit", (name, { type, length, bytes, halves, dequantise }) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.nat(), (rows, blocks, seed) => {
        let state = seed;
        const random = () => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          return state >>> 24;
        };
        const raw = Uint8Array.from({ length: rows * blocks * bytes }, random);
        const data =
          name === "F32"
            ? floatBytes(Float32Array.from({ length: rows * blocks }, (_, i) => raw[i] / 7 - 9))
            : finite(raw, bytes, halves);
        const tensor = { name: "t", shape: [rows, blocks * length], type, data };
        writeFileSync(
          path,
          ggufBytes({}, [{ ...tensor, name: "before", shape: [length], data: data.subarray(0, bytes) }, tensor]),
        );
        const expected: number[] = [];
        for (let at = 0; at < data.length; at += bytes) {
          const values: number[] = [];
          dequantise(data.subarray(at, at + bytes), values);
          expected.push(...values);
        }
        using file = new GgufFile(path);
        const read = new Float32Array(expected.length);
        file.readRows(file.tensors.get("t")!, 0, read);
        expect(read).toEqual(Float32Array.from(expected));
        const last = read.slice(-blocks * length);
        const row = new Float32Array(last.length);
        file.readRows(file.tensors.get("t")!, rows - 1, row);
        expect(row).toEqual(last);
      }),
      { numRuns: 40 },
    );
  });
});

describe("refuses in one sentence", () => {
  function refusal(): SqlmError {
    try {
      const model = openModelFolder(path);
      openTokenizer(path, model.companions);
      openWeights(model)[Symbol.dispose]();
    } catch (error) {
      expect(error).toBeInstanceOf(SqlmError);
      expect((error as SqlmError).message).toContain(path);
      expect((error as SqlmError).message).not.toContain("\n");
      expect((error as SqlmError).hint).not.toBe("");
      return error as SqlmError;
    }
    throw new Error("The file was read.");
  }

  test.each<[string, Readonly<Record<string, Typed>>, string]>([
    [
      "another architecture",
      { "general.architecture": ["string", "qwen"] },
      'unknown architecture qwen. Did you mean "qwen2"?',
    ],
    ["another kind of tokenizer", { "tokenizer.ggml.model": ["string", "bert"] }, 'tokenizer of the kind "bert"'],
    ["another pre-tokenizer", { "tokenizer.ggml.pre": ["string", "tekken"] }, 'pre-tokenizer "tekken"'],
    ["yarn", { "llama.rope.scaling.type": ["string", "yarn"] }, "rope scaling of type yarn"],
    ["experts", { "llama.expert_count": ["uint32", 8] }, "mixture of experts"],
    ["a window", { "llama.attention.sliding_window": ["uint32", 8] }, "sliding-window"],
    ["a part of each head", { "llama.rope.dimension_count": ["uint32", 4] }, "part of each head"],
    ["one part of several", { "split.count": ["uint32", 3] }, "one of 3 parts"],
    ["no shape", { "llama.embedding_length": ["string", "wide"] }, "has no llama.embedding_length"],
    ["no vocabulary", { "tokenizer.ggml.tokens": ["ints", [1]] }, "has no vocabulary"],
    [
      "a vocabulary that does not fit",
      { "tokenizer.ggml.tokens": ["strings", [...tokens, "more"]] },
      "does not fit the model",
    ],
  ])("%s", (_, change, part) => {
    writeModel("llama", change);
    expect(refusal().message).toContain(part);
  });

  test("a quantisation that is not decoded, by its name", () => {
    writeModel("llama", {}, (all) => all.map((tensor, i) => (i === 3 ? { ...tensor, type: 23 } : tensor)));
    expect(refusal().message).toContain("IQ4_XS");
    expect(refusal().hint).toContain("Q4_K_M");
    writeModel("llama", {}, (all) => all.map((tensor, i) => (i === 3 ? { ...tensor, type: 77 } : tensor)));
    expect(refusal().message).toContain("type 77");
  });

  test("a missing weight, one of another shape, one named twice", () => {
    writeModel("llama", {}, (all) => all.filter(({ name }) => name !== "blk.1.ffn_up.weight"));
    expect(refusal().message).toContain("has no weight model.layers.1.mlp.up_proj.weight");
    writeModel("llama", {}, (all) =>
      all.map((tensor) => (tensor.name === "output_norm.weight" ? { ...tensor, shape: [16] } : tensor)),
    );
    expect(refusal().message).toContain("has shape [16]");
    writeModel("llama", {}, (all) => [...all, all[0]]);
    expect(refusal().message).toContain("twice");
  });

  test("other versions and byte orders", () => {
    writeModel("llama", {}, undefined, 1);
    expect(refusal().message).toContain("version 1");
    writeModel("llama", {}, undefined, 3 * 2 ** 24);
    expect(refusal().message).toContain("big-endian");
  });

  test("a file cut off anywhere, or of another kind", () => {
    const { bytes } = ggufModel("qwen3");
    for (let length = 0; length < bytes.length; length += Math.max(1, Math.floor(length / 37))) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(refusal().message).toMatch(/truncated|not a GGUF/);
    }
    writeFileSync(path, "PK\u0003\u0004 and so on, a file of quite another kind");
    expect(refusal().message).toContain("not a GGUF file");
  });

  test("any damage to its header: an error of ours or a model, never anything else", () => {
    const { bytes: whole, config } = ggufModel("llama");
    const header = whole.length - 4 * parameterCount(config);
    const damage = fc.array(fc.tuple(fc.nat({ max: header }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(path, bytes);
        try {
          const model = openModelFolder(path);
          openTokenizer(path, model.companions).encode("ab 12");
          readWeights(model);
        } catch (error) {
          expect(error).toBeInstanceOf(SqlmError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
