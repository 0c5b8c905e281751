// Which server it is and what it honours. Servers of the protocol differ in silence; what one cannot honour is refused before
// a run begins. The table is what was read and seen of each (docs/tinker.md); a server that is not in it is tried.
import { type LossFn, lossFunctions } from "../../../types.ts";
import { checkMessage, readJson, type WireFormat } from "../wire/body.ts";
import { endpoints } from "../wire/messages.ts";

export interface ServerProfile {
  /** What it is called to people. */
  readonly name: string;
  readonly lossFunctions: readonly LossFn[];
  readonly gradientClip: boolean;
  readonly topP: boolean;
  readonly topK: boolean;
  /** Passes without a gradient, which give log-probabilities. */
  readonly forward: boolean;
  /** Log-probabilities of a prompt, by sampling. */
  readonly promptLogprobs: boolean;
  /** Samples of the base model, without an adapter. */
  readonly baseSampling: boolean;
  /**
   * From what a sample of a request with several is drawn: `own`: as this package does; `sum`: seed + number, as vLLM does;
   * `alone`: not known, so that each sample gets a request and a seed of its own.
   */
  readonly seeds: "own" | "sum" | "alone";
  /** A training request that arrives twice is one. */
  readonly sequenced: boolean;
  /**
   * Which models are given back when they are done with: all, none, or those that have saved nothing, where what a model has saved
   * is deleted with it.
   */
  readonly unload: "all" | "unsaved" | "none";
  /** An empty list of stop tokens stops nowhere. */
  readonly emptyStop: boolean;
  /** The one rank of its adapters; null where a client chooses. */
  readonly rank: number | null;
  /** It samples with coarser weights than it trains with. */
  readonly coarseSampling: boolean;
  /** What it does with the scale of adapters, in words. */
  readonly alpha: string;
  /** In which form it takes training requests; of one that has to be tried, in which it is asked first. */
  readonly format: WireFormat;
  /** Its losses are not known and have to be tried. */
  readonly tryLosses: boolean;
}

const full: ServerProfile = {
  name: "Tinker",
  lossFunctions,
  gradientClip: true,
  topP: true,
  topK: true,
  forward: true,
  promptLogprobs: true,
  baseSampling: true,
  seeds: "alone",
  sequenced: true,
  unload: "none",
  emptyStop: false,
  rank: null,
  coarseSampling: false,
  alpha: "alpha as the server sets it",
  format: "protobuf",
  tryLosses: false,
};

const known = {
  hosted: full,
  // Gradients are not clipped, whatever is asked for; adapters have alpha 32.
  skyrl: {
    ...full,
    name: "SkyRL",
    gradientClip: false,
    seeds: "sum",
    unload: "all",
    emptyStop: true,
    alpha: "alpha 32",
  },
  // A training request that arrives twice fails instead of giving its result; giving up a model deletes what it has saved.
  tuft: { ...full, name: "TuFT", seeds: "sum", sequenced: false, unload: "unsaved", alpha: "alpha 2 × rank" },
  openRl: {
    ...full,
    name: "open-rl",
    lossFunctions: ["cross_entropy", "importance_sampling", "ppo"],
    forward: false,
    promptLogprobs: false,
    baseSampling: false,
    sequenced: false,
    // What is no JSON it answers with 500.
    format: "json",
  },
  other: { ...full, name: "a Tinker server", sequenced: false, tryLosses: true },
} as const satisfies Record<string, ServerProfile>;

/** What a server says of itself when it is asked. */
export interface Introduction {
  readonly host: string;
  /** The answer to `get_server_capabilities`. */
  readonly capabilities: Uint8Array;
  /** Title of its API description, or the name at its root; null where it tells none. */
  readonly title: string | null;
}

/** Throws WireError where the capabilities are none. */
export function profileOf({ host, capabilities, title }: Introduction): ServerProfile {
  const value = readJson("ServerCapabilities", capabilities);
  const { sqlm } = checkMessage("ServerCapabilities", endpoints.capabilities.response, value);
  if (sqlm != null) {
    const { loss_functions: losses, top_p: topP, top_k: topK, lora_alpha: alpha, lora_rank: rank } = sqlm;
    return {
      ...full,
      name: "sqlm",
      lossFunctions: lossFunctions.filter((name) => losses.includes(name)),
      topP,
      topK,
      seeds: "own",
      unload: "all",
      emptyStop: true,
      rank: rank ?? null,
      coarseSampling: sqlm.coarse_sampling ?? false,
      alpha: alpha == null ? full.alpha : `alpha ${alpha}`,
    };
  }
  if (/(^|\.)thinkingmachines\.(dev|ai)$/.test(host)) return known.hosted;
  if (title === "TuFT") return known.tuft;
  // SkyRL's server calls itself so.
  if (title === "Tinker API Mock") return known.skyrl;
  if (typeof value === "object" && value !== null && "single_process" in value) return known.openRl;
  return known.other;
}
