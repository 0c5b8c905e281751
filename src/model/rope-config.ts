// Reads what a config.json says about rotary positions: the base, its scaling, and which part of each head is rotated.
// It follows transformers (modeling_rope_utils.py, convert_rope_params_to_dict) in which of two values counts.
import { z } from "zod";

/** Llama 3.1's frequency-dependent scaling, or division of all positions by a factor. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

const parameters = z.record(z.string(), z.unknown()).nullish();
const share = z.number().nullish();

/** Fields of a config.json that this file reads. null says the same as absent. */
export const ropeFields = {
  rope_theta: z.number().positive().nullish(),
  rope_scaling: parameters,
  rope_parameters: parameters,
  // The names that model families have given to the rotated part of each head.
  partial_rotary_factor: share,
  rotary_pct: share,
  rope_pct: share,
  rotary_emb_fraction: share,
  rotary_dim: share,
  // A second base, for layers with a window.
  rope_local_base_freq: share,
  local_rope_theta: share,
};

type RopeFields = { readonly [Name in keyof typeof ropeFields]?: z.output<(typeof ropeFields)[Name]> };

interface RopeConfig {
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
}

const defaultTheta = 10_000;
const wholeHead = ["partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_emb_fraction"] as const;

/**
 * Base and scaling. `refuse` throws what says that something is not supported: rotation of a part of each head, a second
 * base, and scalings other than linear and llama3 would silently be another model.
 */
export function parseRope(
  config: RopeFields,
  headSize: number,
  maxPositions: number,
  refuse: (what: string) => never,
): RopeConfig {
  // Older configs keep the parameters in rope_scaling, newer ones in rope_parameters; an empty object says nothing.
  const given = isEmpty(config.rope_scaling) ? config.rope_parameters : config.rope_scaling;
  const rope = ofAllLayers(given ?? {}, refuse);
  for (const name of wholeHead) {
    const factor = rope[name] ?? config[name] ?? 1;
    if (factor !== 1) refuse(`rotation of a part of each head (${name} ${String(factor)})`);
  }
  const rotated = rope["rotary_dim"] ?? config.rotary_dim ?? headSize;
  if (rotated !== headSize) refuse(`rotation of a part of each head (rotary_dim ${String(rotated)} of ${headSize})`);
  for (const name of ["rope_local_base_freq", "local_rope_theta"] as const) {
    if (config[name] != null) refuse(`a second rotary base (${name})`);
  }
  const theta = rope["rope_theta"] ?? config.rope_parameters?.["rope_theta"] ?? config.rope_theta ?? defaultTheta;
  return {
    ropeTheta: positiveNumber(theta) ?? refuse(`a rotary base of ${JSON.stringify(theta)}`),
    ropeScaling: parseScaling(rope, maxPositions, refuse),
  };
}

/** Parameters for all layers alike; configs may list them by kind of layer. */
function ofAllLayers(
  rope: Readonly<Record<string, unknown>>,
  refuse: (what: string) => never,
): Readonly<Record<string, unknown>> {
  const byLayer = Object.entries(rope).filter(([name]) => name.endsWith("_attention"));
  if (byLayer.length === 0) return rope;
  const used = byLayer.filter(([, value]) => value !== null);
  if (used.length > 1) refuse(`rotary parameters by kind of layer (${used.map(([name]) => name).join(", ")})`);
  const parsed = z.record(z.string(), z.unknown()).safeParse(rope["full_attention"]);
  return parsed.success ? parsed.data : refuse("rotary parameters without those of full_attention");
}

function parseScaling(
  rope: Readonly<Record<string, unknown>>,
  maxPositions: number,
  refuse: (what: string) => never,
): RopeScaling | null {
  const type = rope["rope_type"] ?? rope["type"] ?? "default";
  if (type === "default") return null;
  const field = (name: string): number => positiveNumber(rope[name]) ?? refuse(`rope scaling without ${name}`);
  if (type === "linear") return { type, factor: field("factor") };
  if (type === "llama3") {
    return {
      type,
      factor: field("factor"),
      lowFrequencyFactor: field("low_freq_factor"),
      highFrequencyFactor: field("high_freq_factor"),
      originalMaxPositions: positiveNumber(rope["original_max_position_embeddings"] ?? maxPositions) ?? maxPositions,
    };
  }
  return refuse(`rope scaling of type ${String(type)}`);
}

const isEmpty = (value: Readonly<Record<string, unknown>> | null | undefined): boolean =>
  value == null || Object.keys(value).length === 0;

function positiveNumber(value: unknown): number | null {
  return typeof value === "number" && value > 0 ? value : null;
}
