// A folder with tokenizer and config of a model whose weights are elsewhere.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createModel } from "../../../src/model/create-model.ts";

/** Its tokens are fewer than those of the recorded model, which matters to nobody: tokens go to the server as they are. */
export function tinyTokenizer(): { readonly folder: string; readonly dispose: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-tokenizer-"));
  createModel(folder, {
    characters: "0123456789+-*=?ab",
    hiddenSize: 8,
    intermediateSize: 8,
    layers: 1,
    heads: 1,
    maxPositions: 512,
    seed: 1,
    architecture: "LlamaForCausalLM",
  });
  rmSync(join(folder, "model.safetensors"));
  return { folder, dispose: () => rmSync(folder, { recursive: true }) };
}
