// Models that come as GGUF files: shape, weights, tokenizer and what the engine computes are those of the same model as a Hugging Face folder.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { findModel } from "../../src/model/find-model.ts";
import { openModelFolder, openWeights, readWeights, writeModelFolder } from "../../src/model/model-folder.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { byteTokens, type Family, families, ggufModel, tokens } from "./gguf-models.ts";
import { floatBytes, type WrittenTensor } from "./gguf-writer.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-gguf-"));
afterAll(() => rmSync(root, { recursive: true }));
const path = join(root, "model.gguf");

function writeModel(...model: Parameters<typeof ggufModel>) {
  const made = ggufModel(...model);
  writeFileSync(path, made.bytes);
  return made;
}

describe("a model", () => {
  test.each(Object.keys(families) as Family[])(
    "%s: shape, weights, and what the engine computes are those of the folder",
    async (family) => {
      const { content, config, weights } = writeModel(family);
      const model = openModelFolder(path);
      expect(model.config).toEqual(config);
      expect(readWeights(model)).toEqual(weights);

      const folder = mkdtempSync(join(root, "folder-"));
      const companions = new Map(model.companions).set("config.json", Buffer.from(JSON.stringify(content)));
      writeModelFolder(folder, companions, weights);
      await using fromFile = await openOnnxEngine({ model: findModel({ model: path }), threads: 1 });
      await using fromFolder = await openOnnxEngine({ model: folder, threads: 1 });
      const sequences = [fromFile.tokenizer.encode("ab 12, and 3")];
      await using filePolicy = await fromFile.openPolicy();
      await using folderPolicy = await fromFolder.openPolicy();
      expect(await filePolicy.score(sequences)).toEqual(await folderPolicy.score(sequences));

      // What is saved is a folder that opens as the same model.
      const saved = mkdtempSync(join(root, "saved-"));
      await filePolicy.save(saved, { optimizer: false });
      expect(openModelFolder(saved).config).toEqual(config);
      expect(openTokenizer(saved).encode("ab 12")).toEqual(openTokenizer(path).encode("ab 12"));
    },
  );

  test("a row of a permuted matrix is that row", () => {
    const { config, weights } = writeModel("llama");
    using source = openWeights({ folder: path, config });
    const row = new Float32Array(config.hiddenSize);
    for (const at of [0, 3, 4, 9, 31]) {
      source.readRows("model.layers.1.self_attn.q_proj.weight", at, row);
      const whole = weights.get("model.layers.1.self_attn.q_proj.weight")!.data;
      expect(row).toEqual(whole.subarray(at * row.length, (at + 1) * row.length));
    }
  });

  test("Llama 3.1's scaled frequencies are known by their divisors; others are refused", () => {
    const divisors = [0, 1, 2, 3].map((i) => {
      const wavelength = 2 * Math.PI * 50_000 ** (i / 4);
      const smooth = Math.min(1, Math.max(0, (8192 / wavelength - 1) / 3));
      return 1 / ((1 - smooth) / 32 + smooth);
    });
    const withFactors = (values: readonly number[]) => (all: WrittenTensor[]) => [
      ...all,
      { name: "rope_freqs.weight", shape: [4], type: 0, data: floatBytes(Float32Array.from(values)) },
    ];
    writeModel("llama", {}, withFactors(divisors));
    const { ropeScaling } = openModelFolder(path).config;
    expect(ropeScaling).toMatchObject({ type: "llama3", originalMaxPositions: 8192 });
    writeModel("llama", {}, withFactors([1, 2, 3, 4]));
    expect(() => openModelFolder(path)).toThrow("other than Llama 3.1's");
  });
});

describe("a head stored beside the embedding", () => {
  const matrix = (type: "Q8_0" | "Q4_0" | "F32", name: string, values: Float32Array): WrittenTensor => {
    const shape = [tokens.length, 32];
    if (type === "F32") return { name, shape, type: 0, data: floatBytes(values) };
    const largest = Math.max(...values.map(Math.abs));
    const levels = type === "Q8_0" ? 127 : 7;
    const exponent = Math.ceil(Math.log2(largest / levels));
    const scale = 2 ** exponent;
    const half = Buffer.alloc(2);
    half.writeUInt16LE((exponent + 15) << 10);
    const blocks: Buffer[] = [];
    for (let at = 0; at < values.length; at += 32) {
      const quants = Array.from(values.subarray(at, at + 32), (value) => Math.round(value / scale));
      const bytes =
        type === "Q8_0"
          ? quants.map((q) => q & 255)
          : Array.from({ length: 16 }, (_, i) => (quants[i] + 8) | ((quants[i + 16] + 8) << 4));
      blocks.push(half, Buffer.from(bytes));
    }
    return { name, shape, type: type === "Q8_0" ? 8 : 2, data: Buffer.concat(blocks) };
  };
  const values = Float32Array.from({ length: tokens.length * 32 }, (_, i) => Math.sin(i * 1.7) * 0.9);
  const others = values.map((value, i) => value + 0.4 * Math.cos(i));
  const names = ["token_embd.weight", "output.weight"];
  const stored = (embedding: WrittenTensor, head: WrittenTensor) =>
    writeModel("qwen2", {}, (all) => [...all.filter(({ name }) => !names.includes(name)), embedding, head]);
  const embeddingOf = () => {
    const model = openModelFolder(path);
    return { tied: model.config.tiedEmbeddings, embedding: readWeights(model).get("model.embed_tokens.weight")!.data };
  };

  test("as a finer rounding of it: the finer one is both", () => {
    stored(matrix("Q4_0", names[0], values), matrix("Q8_0", names[1], values));
    const { tied, embedding } = embeddingOf();
    expect(tied).toBe(true);
    expect(Math.max(...embedding.map((value, i) => Math.abs(value - values[i])))).toBeLessThan(0.01);
  });

  test("as another matrix: it is kept", () => {
    stored(matrix("Q8_0", names[0], values), matrix("Q8_0", names[1], others));
    expect(embeddingOf().tied).toBe(false);
    stored(matrix("Q4_0", names[0], values), matrix("Q8_0", names[1], others));
    expect(embeddingOf().tied).toBe(false);
    const nearly = values.slice();
    nearly[nearly.length - 1] += 1e-3;
    stored(matrix("F32", names[0], values), matrix("F32", names[1], nearly));
    expect(embeddingOf().tied).toBe(false);
  });

  test("not at all, or as a copy: they are one", () => {
    stored(matrix("F32", names[0], values), matrix("F32", names[1], values));
    expect(embeddingOf().tied).toBe(true);
    writeModel("qwen2", {}, (all) => all.filter(({ name }) => name !== names[1]));
    expect(embeddingOf().tied).toBe(true);
  });
});

describe("its tokenizer", () => {
  test("encodes, decodes and renders as the metadata say", () => {
    writeModel("qwen2");
    const tokenizer = openTokenizer(path);
    const [start, end, tool] = ["<|im_start|>", "<|im_end|>", "<tool>"].map((token) => tokens.indexOf(token));
    const ids = (text: string) => [...Buffer.from(text)].map((byte) => tokens.indexOf(byteTokens[byte]));
    expect(tokenizer.encode("ab<|im_end|>é<tool>")).toEqual([tokens.indexOf("ab"), end, ...ids("é"), tool]);
    // Each digit stands alone before merges are looked at.
    expect(tokenizer.encode("12")).toEqual(ids("12"));
    expect(tokenizer.encode("e\u0301")).toEqual(ids("é"));
    expect(tokenizer.endTokens).toEqual([end]);
    expect(tokenizer.decode(tokenizer.encode("ab 12 é一<tool><|im_end|>"))).toBe("ab 12 é一<tool>");
    const rendered = [start, ...ids("user\nhi"), end, ...ids("\n"), start, ...ids("assistant\n")];
    expect(tokenizer.encodeChat([{ role: "user", content: "hi" }])).toEqual(rendered);
  });

  test.each([
    ["gpt-2", "12", ["12"]],
    ["smollm", "12", ["1", "2"]],
    ["llama-bpe", "12", ["12"]],
    ["default", "12", ["12"]],
    ["qwen2", "12", ["1", "2"]],
  ])("pre-tokenizer %s", (pre, text, pieces) => {
    writeModel("llama", { "tokenizer.ggml.pre": ["string", pre] });
    expect(openTokenizer(path).encode(text)).toEqual(pieces.map((piece) => tokens.indexOf(piece)));
  });

  test("SentencePiece: the neighbours with the best score are merged first, unknown characters are bytes", () => {
    const pieces = [
      "<unk>",
      "<s>",
      "</s>",
      ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
      "▁",
      "a",
      "b",
      "c",
      "ab",
      "bc",
      "▁a",
      "abc",
    ];
    const scores = pieces.map((piece) => ({ bc: -1, ab: -2, "▁a": -3, abc: -4 })[piece] ?? -10);
    const types = pieces.map((piece) =>
      piece === "<unk>" ? 2 : piece === "<s>" || piece === "</s>" ? 3 : piece.startsWith("<0x") ? 6 : 1,
    );
    writeModel(
      "llama",
      {
        "tokenizer.ggml.model": ["string", "llama"],
        "tokenizer.ggml.tokens": [
          "strings",
          [...pieces, ...Array.from({ length: tokens.length - pieces.length }, (_, i) => `[PAD${i}]`)].slice(
            0,
            Math.max(pieces.length, tokens.length),
          ),
        ],
        "tokenizer.ggml.token_type": [
          "ints",
          [...types, ...new Array<number>(Math.max(0, tokens.length - pieces.length)).fill(5)],
        ],
        "tokenizer.ggml.scores": ["floats", scores],
        "tokenizer.ggml.eos_token_id": ["uint32", 2],
      },
      (all) =>
        all.map((tensor) =>
          tensor.shape[0] === tokens.length
            ? {
                ...tensor,
                shape: [Math.max(tokens.length, pieces.length), 32],
                data: new Uint8Array(Math.max(tokens.length, pieces.length) * 128),
              }
            : tensor,
        ),
    );
    const tokenizer = openTokenizer(path);
    const words = (text: string) => tokenizer.encode(text).map((id) => pieces[id]);
    expect(words("abc")).toEqual(["▁a", "bc"]);
    expect(words("c abab")).toEqual(["▁", "c", "▁", "ab", "ab"]);
    expect(words("é")).toEqual(["▁", "<0xC3>", "<0xA9>"]);
    expect(tokenizer.decode(tokenizer.encode("abc é ab"))).toBe("abc é ab");
    expect(tokenizer.endTokens).toEqual([2]);
  });
});
