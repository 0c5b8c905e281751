// Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685): which matrices of a model get one and what shapes its parts have.
// W·x becomes W·x + (alpha / rank) · B·A·x, and only A and B train. Files of adapters are adapter.ts's.
import { didYouMean, UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { isLarge, type ModelConfig, type ParameterSpec, parameterSpecs } from "./model-config.ts";
import type { NamedTensor } from "./safetensors.ts";

/** The linear layers of a transformer layer, under their Hugging Face names. */
export const projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type Projection = (typeof projections)[number];

export interface Lora {
  readonly rank: number;
  /** The adapter's part is scaled by alpha / rank. */
  readonly alpha: number;
  readonly targets: readonly Projection[];
}

/** Rank of a large model's adapter where none is asked for. */
const defaultRank = 16;

/** The rank that is asked for; −1 chooses by the model's size, and 0 trains all weights. */
export function rankOf(config: ModelConfig, asked: number): number {
  return asked >= 0 ? asked : isLarge(config) ? defaultRank : 0;
}

/** Reads `all-linear`, or names of projections separated by commas. Throws UsageError for an unknown name. */
export function readTargets(text: string): readonly Projection[] {
  if (text.trim() === "all-linear") return projections;
  const named = text.split(",").map((name) => {
    const found = projections.find((projection) => projection === name.trim());
    if (found !== undefined) return found;
    throw new UsageError(
      `There is no linear layer "${name.trim()}".${didYouMean(name.trim(), projections)}`,
      `Give all-linear, or some of ${projections.join(", ")}, separated by commas.`,
    );
  });
  return projections.filter((projection) => named.includes(projection));
}

/** Name of a module's adapter matrix, that of PEFT without its prefix. */
export const adapterNames = (module: string): { readonly a: string; readonly b: string } => ({
  a: `${module}.lora_A.weight`,
  b: `${module}.lora_B.weight`,
});

/** The modules that an adapter changes, with the shape [out, in] of their matrices, in the model's order. */
export function adaptedModules(
  config: ModelConfig,
  { targets }: Pick<Lora, "targets">,
): readonly { readonly module: string; readonly shape: readonly [number, number] }[] {
  return parameterSpecs(config).flatMap(({ name, shape }) => {
    const match = /^(model\.layers\.\d+\.\w+\.(\w+_proj))\.weight$/.exec(name);
    if (match === null || !targets.some((target) => target === match[2])) return [];
    return [{ module: match[1], shape: [shape[0], shape[1]] as const }];
  });
}

/** A [rank, in] and B [out, rank] of every adapted module. */
export function adapterSpecs(config: ModelConfig, lora: Lora): ParameterSpec[] {
  return adaptedModules(config, lora).flatMap(({ module, shape: [outputs, inputs] }) => [
    { name: adapterNames(module).a, shape: [lora.rank, inputs] },
    { name: adapterNames(module).b, shape: [outputs, lora.rank] },
  ]);
}

/** A new adapter, as PEFT makes one: A uniform in ±1/√in (kaiming_uniform with a = √5), B zero, so that it changes nothing yet. */
export function freshAdapter(config: ModelConfig, lora: Lora, seed: number): Map<string, NamedTensor> {
  return new Map(
    adapterSpecs(config, lora).map(({ name, shape }) => {
      const data = new Float32Array(shape[0] * shape[1]);
      if (name.endsWith("lora_A.weight")) {
        const random = randomStream(seed, "adapter", name);
        const bound = 1 / Math.sqrt(shape[1]);
        for (let i = 0; i < data.length; i++) data[i] = (2 * random.next() - 1) * bound;
      }
      return [name, { shape, data }];
    }),
  );
}
