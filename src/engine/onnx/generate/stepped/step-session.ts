// Runs steps: packs what a step needs into tensors, and reads what it gives.

import { type ModelConfig, rotaryTables } from "../../../../model/model-config.ts";
import type { SampleOptions } from "../../../engine.ts";
import {
  boolTensor,
  createSession,
  float32Data,
  float32Tensor,
  int64Tensor,
  type Session,
  type Tensor,
  type Tensors,
} from "../../runtime/runtime.ts";
import { buildTruncatedChoiceGraph } from "./step-choice.ts";
import { buildStepGraph } from "./step-graph.ts";
import { type StepShape, stepIndices } from "./step-indices.ts";
import type { StepLinearOptions } from "./step-linear.ts";

/** New positions of some rows. */
export interface StepTokens extends StepShape {
  /** Of each new position its token, … */
  readonly tokens: readonly number[];
  /** … and where it stands in its sequence. */
  readonly positions: readonly number[];
  /** For each next token that is wanted the new position behind which it comes; they are draws of rows that have one position each, … */
  readonly draws: readonly number[];
  /** … and a number in [0, 1). */
  readonly uniforms: readonly number[];
}

export interface StepResult {
  /** [2 · layers, tokens, keyValueHeads · headSize]. */
  readonly states: Float32Array;
  /** For each uniform number. */
  readonly next: readonly number[];
  readonly logprobs: Float32Array;
}

/** Owns its sessions. Runs may not overlap. */
export class StepSession {
  readonly #config: ModelConfig;
  readonly #session: Session;
  readonly #threads: number;
  #truncated: Session | null = null;
  #rotary: Tensors = {};
  #positions = 0;

  private constructor(config: ModelConfig, session: Session, threads: number) {
    this.#config = config;
    this.#session = session;
    this.#threads = threads;
  }

  static async open(options: StepLinearOptions): Promise<StepSession> {
    const { threads } = options;
    const session = await createSession(buildStepGraph(options), { threads });
    return new StepSession(options.layout.config, session, threads);
  }

  /** `weights`: those that are no constants of the graph, adapters, and the blocks. */
  async run(weights: Tensors, step: StepTokens, settings: SampleOptions): Promise<StepResult> {
    const { tokens, positions, draws, uniforms } = step;
    // A product of a single row has a kernel of its own, whose sums differ in the last digits from those of several.
    if (tokens.length === 1) return this.run(weights, twice(step), settings);
    const wanted = draws.length > 0 ? { draws, uniforms } : { draws: [0, 0], uniforms: [0, 0] };
    const last = draws.length > 0 ? tokens.map((_, i) => i) : [0, 0];
    const truncated = uniforms.length > 0 && isTruncated(this.#config, settings);
    const output = await this.#session.run(
      {
        ...weights,
        ...this.#rotaryFeeds(Math.max(...positions) + 1),
        ...stepIndices(this.#config, step),
        tokens: int64Tensor([tokens.length], tokens),
        positions: int64Tensor([tokens.length], positions),
        last: int64Tensor([last.length], last),
        draws: int64Tensor([wanted.draws.length], wanted.draws),
        ...choiceFeeds(settings, wanted.uniforms),
      },
      truncated ? ["states", "logits"] : ["states", "next", "shares"],
    );
    const chosen = truncated ? await this.#chooseTruncated(output["logits"], wanted, settings) : output;
    const logprobs = truncated ? float32Data(chosen["logprobs"]) : float32Data(output["shares"]).map(Math.log);
    return {
      states: float32Data(output["states"]),
      next: uniforms.length > 0 ? Array.from(chosen["next"].data as BigInt64Array, Number) : [],
      logprobs,
    };
  }

  async #chooseTruncated(
    logits: Tensor,
    { draws, uniforms }: Pick<StepTokens, "draws" | "uniforms">,
    settings: SampleOptions,
  ): Promise<Tensors> {
    const { vocabSize } = this.#config;
    const { temperature, topK = 0, topP = 1 } = settings;
    this.#truncated ??= await createSession(buildTruncatedChoiceGraph(vocabSize), { threads: this.#threads });
    return this.#truncated.run({
      logits,
      draws: int64Tensor([draws.length], draws),
      places: int64Tensor(
        [draws.length],
        draws.map((_, i) => i),
      ),
      uniforms: float32Tensor([uniforms.length], Float32Array.from(uniforms)),
      temperature: float32Tensor([], Float32Array.of(temperature)),
      top_p: float32Tensor([], Float32Array.of(topP)),
      top_k: int64Tensor([1], [topK === 0 ? vocabSize : Math.min(topK, vocabSize)]),
    });
  }

  /** Tables for at least a number of positions. */
  #rotaryFeeds(positions: number): Tensors {
    if (positions > this.#positions) {
      this.#positions = Math.min(this.#config.maxPositions, 2 ** Math.ceil(Math.log2(Math.max(16, positions))));
      const { cosines, sines } = rotaryTables(this.#config, this.#positions);
      const shape = [this.#positions, this.#config.headSize / 2];
      this.#rotary = { cosines: float32Tensor(shape, cosines), sines: float32Tensor(shape, sines) };
    }
    return this.#rotary;
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
    await this.#truncated?.dispose();
  }
}

function isTruncated({ vocabSize }: ModelConfig, { temperature, topK = 0, topP = 1 }: SampleOptions): boolean {
  return temperature > 0 && (topP < 1 || (topK > 0 && topK < vocabSize));
}

function choiceFeeds({ temperature }: SampleOptions, uniforms: readonly number[]): Tensors {
  const greedy = temperature === 0;
  return {
    greedy: boolTensor([], [greedy]),
    tempered: boolTensor([], [temperature !== 1]),
    inverse_temperature: float32Tensor([], Float32Array.of(greedy ? 1 : 1 / temperature)),
    uniforms: float32Tensor([uniforms.length], Float32Array.from(uniforms)),
  };
}

/** The one new position of a step, and again as a row of its own. */
function twice({ rows, tokens, positions, ...rest }: StepTokens): StepTokens {
  const doubled = <T>(list: readonly T[]): T[] => [...list, ...list];
  const again = rows.map(({ keys, ...row }) => ({ ...row, keys: keys.map((key) => key + 1) }));
  return { ...rest, rows: [...rows, ...again], tokens: doubled(tokens), positions: doubled(positions) };
}
