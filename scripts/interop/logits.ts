// Cases for logits.py: what this engine computes of a model, beside the model.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askEach } from "../../src/engine/asks.ts";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { wholeLogits } from "./whole-logits.ts";

/** Tokens of a greedy text. */
const count = 64;

export interface LogitsCase {
  readonly model: string;
  readonly sequences: readonly (readonly number[])[];
  /** What greedy text follows. */
  readonly prompts: readonly (readonly number[])[];
  readonly threads: number;
  /** Logits by int8 weights too. */
  readonly int8?: boolean;
}

/** Writes logits of the sequences and the greedy continuations of the prompts into `folder`. */
export async function writeLogitsCase(
  folder: string,
  { model, sequences, prompts, threads, int8 = false }: LogitsCase,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const forms = int8 ? (["f32", "int8"] as const) : (["f32"] as const);
  for (const form of forms) {
    const logits = await wholeLogits(model, sequences, form, threads);
    writeFileSync(join(folder, `${form}.logits`), Buffer.concat(logits.map(bytesOf)));
  }
  await using engine = await openOnnxEngine({ model, threads, loraRank: -1, weights: "f32" });
  await using policy = await engine.openPolicy();
  const stop = engine.tokenizer.endTokens;
  const samples = await policy.sample(askEach(prompts, { seed: 1 }), { maxTokens: count, temperature: 0, stop });
  const greedy = prompts.map((prompt, i) => ({ prompt, tokens: samples[i][0].tokens }));
  const coarse = int8 ? { int8: "int8.logits" } : {};
  const expected = { model, sequences, logits: "f32.logits", ...coarse, greedy, stop, count };
  writeFileSync(join(folder, "expected.json"), JSON.stringify(expected));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
