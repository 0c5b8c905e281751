// The weights of a GGUF file under their Hugging Face names and in Hugging Face's order of rows.
import type { GgufFile, GgufTensor } from "./gguf.ts";
import { blockTypes } from "./gguf-blocks.ts";
import { elementCount, rowLength, type WeightSource } from "./weight-source.ts";

const layerNames: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};
const topNames: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};

/** Name in a GGUF file of a weight by its Hugging Face name; null for one that has none. */
export function ggufName(name: string): string | null {
  if (Object.hasOwn(topNames, name)) return topNames[name];
  const layer = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (layer === null || !Object.hasOwn(layerNames, layer[2])) return null;
  return `blk.${layer[1]}.${layerNames[layer[2]]}.${layer[3]}`;
}

interface GgufWeightOptions {
  /** Heads of queries and of keys where the rows of a head stand in rotary pairs, as in the architecture llama; null elsewhere. */
  readonly pairedHeads: { readonly queries: number; readonly keys: number } | null;
  /** The one matrix of embedding and head is stored twice; the finer of the two serves as both. */
  readonly tied: boolean;
}

/** Owns the file. */
export class GgufWeights implements WeightSource {
  readonly #file: GgufFile;
  readonly #options: GgufWeightOptions;

  constructor(file: GgufFile, options: GgufWeightOptions) {
    this.#file = file;
    this.#options = options;
  }

  get path(): string {
    return this.#file.path;
  }

  shapeOf(name: string): readonly number[] | null {
    return this.#find(name)?.shape ?? null;
  }

  readTensor(name: string, into?: Float32Array): Float32Array {
    const shape = this.shapeOf(name);
    if (shape === null) throw this.#file.damaged(`holds no ${name}`);
    const target = into ?? new Float32Array(elementCount(shape));
    this.readRows(name, 0, target);
    return target;
  }

  readRows(name: string, firstRow: number, into: Float32Array): void {
    const tensor = this.#find(name);
    if (tensor === undefined) throw this.#file.damaged(`holds no ${name}`);
    const heads = this.#headsOf(name);
    if (heads === null) {
      this.#file.readRows(tensor, firstRow, into);
      return;
    }
    // Pairs side by side become halves one after the other: row i of a head's first half is the first of pair i.
    const width = rowLength(tensor.shape);
    const size = tensor.shape[0] / heads;
    for (let row = 0; row < into.length / width; row++) {
      const within = (firstRow + row) % size;
      const pair = within % (size / 2);
      const stored = firstRow + row - within + 2 * pair + (within < size / 2 ? 0 : 1);
      this.#file.readRows(tensor, stored, into.subarray(row * width, (row + 1) * width));
    }
  }

  #headsOf(name: string): number | null {
    const { pairedHeads } = this.#options;
    if (pairedHeads === null) return null;
    if (name.includes("self_attn.q_proj.")) return pairedHeads.queries;
    return name.includes("self_attn.k_proj.") ? pairedHeads.keys : null;
  }

  #find(name: string): GgufTensor | undefined {
    const own = ggufName(name);
    if (own === null) return undefined;
    if (own === "token_embd.weight" && this.#options.tied) return finerEmbedding(this.#file);
    return this.#file.tensors.get(own);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

const bitsOf = ({ typeId }: GgufTensor): number => {
  const { bytes, length } = blockTypes.get(typeId)!;
  return (8 * bytes) / length;
};

function finerEmbedding(file: GgufFile): GgufTensor | undefined {
  const embedding = file.tensors.get("token_embd.weight");
  const head = file.tensors.get("output.weight");
  if (embedding === undefined || head === undefined) return embedding;
  return bitsOf(head) > bitsOf(embedding) ? head : embedding;
}

/**
 * Relative difference that rounding to a type explains: a few times 2^-bits for blocks, half a unit in the last place for floating point.
 * Two matrices that have nothing to do with each other differ by more than 1.
 */
function roundingOf(tensor: GgufTensor): number {
  const { name } = blockTypes.get(tensor.typeId)!;
  const precision: Readonly<Record<string, number>> = { F32: 0, F16: 2 ** -10, BF16: 2 ** -8 };
  return precision[name] ?? 4 * 2 ** -bitsOf(tensor);
}

/** Rows that are compared where rounding is allowed for, spread over the vocabulary. */
const sampledRows = 256;

/**
 * Whether the output head is the embedding: not stored, or stored too, rounded otherwise (llama.cpp keeps the head of a
 * tied model finer). Where both are stored in one type they must be equal; a head of its own is kept as one.
 */
export function hasTiedHead(file: GgufFile): boolean {
  const embedding = file.tensors.get("token_embd.weight");
  const head = file.tensors.get("output.weight");
  if (head === undefined || embedding === undefined) return true;
  if (head.shape.join() !== embedding.shape.join()) return false;
  const [rows, width] = head.shape;
  const alike = head.typeId === embedding.typeId;
  const step = alike ? 1 : Math.max(1, Math.floor(rows / sampledRows));
  const allowed = alike ? 0 : Math.max(roundingOf(head), roundingOf(embedding));
  const [a, b] = [new Float32Array(width), new Float32Array(width)];
  let [difference, norm] = [0, 0];
  for (let row = 0; row < rows; row += step) {
    file.readRows(head, row, a);
    file.readRows(embedding, row, b);
    for (let i = 0; i < width; i++) {
      difference += (a[i] - b[i]) ** 2;
      norm += a[i] ** 2;
    }
    if (alike && difference > 0) return false;
  }
  return Math.sqrt(difference) <= Math.sqrt(norm) * allowed;
}
