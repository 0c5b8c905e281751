// Samples and scores of fixed weights: those of a sampling session. A whole call is under way at once, as far as the server's
// limits let it.
import { seedFrom } from "../../../random.ts";
import type { Completion } from "../../../types.ts";
import type { Ask, Piece, SampleOptions } from "../../engine.ts";
import { endpoints } from "../wire/messages.ts";
import { modelInputOf } from "../wire/model-input.ts";
import { decodeSampleResult, type SampleResult } from "../wire/sampling.ts";
import { WireError } from "../wire/wire-error.ts";
import { BatchPoller } from "./batch-poller.ts";
import { ServerError } from "./connection.ts";
import { Budget, inParallel } from "./limits.ts";
import { type Link, postPromise } from "./model.ts";

/** Completions that are asked for in one request. */
const mostSamples = 64;
/** A prompt's bytes on the wire, a token. */
const bytesPerToken = 10;

/** One request: completions `first` to `first + count` of an ask. */
interface Unit {
  readonly ask: number;
  readonly promptTokens: readonly number[];
  readonly seed: number;
  readonly first: number;
  readonly count: number;
}

/** Told of whole completions that have arrived. */
export type OnSampled = (completions: readonly Piece[]) => void;

export class Sampler {
  readonly #link: Link;
  readonly #session: string;
  readonly #poller: BatchPoller | null;
  readonly #dispatch: Budget;
  #sequence = 0;

  constructor(link: Link, session: string) {
    this.#link = link;
    this.#session = session;
    const { sample_use_retrieve_futures: batches, sample_dispatch_bytes_semaphore_size: bytes } = link.session.config;
    this.#poller = batches ? new BatchPoller(link.connection, session, link.session.profile.seeds === "own") : null;
    this.#dispatch = new Budget(bytes);
  }

  /** A session for weights that the server keeps under a path, or for the base model where there is none. */
  static async open(link: Link, modelPath: string | null): Promise<Sampler> {
    const { path } = endpoints.createSamplingSession;
    const body = {
      session_id: link.session.id,
      sampling_session_seq_id: link.session.next("sampler"),
      ...(modelPath === null ? { base_model: link.baseModel } : { model_path: modelPath }),
      type: "create_sampling_session",
    };
    const what = "opening a sampler";
    const answer = await link.connection.call(endpoints.createSamplingSession, body, { repeat: "harmless", what });
    if (answer.sampling_session_id === "") throw new WireError(path, "the session has no name");
    return new Sampler(link, answer.sampling_session_id);
  }

  /** Completions as [ask][sample], in the contract's sense: sample i of an ask depends on its seed and i alone. */
  async sample(asks: readonly Ask[], options: SampleOptions, onSampled: OnSampled): Promise<Completion[][]> {
    const units = asks.flatMap((ask, index) => splitAsk(ask, index, this.#link.session.profile.seeds));
    const most = this.#link.session.config.sample_max_concurrent_requests;
    const rows: Completion[][] = asks.map(() => []);
    await inParallel(units, most, async (unit) => {
      const result = await this.#request(
        unit.promptTokens,
        samplingRequest(unit, options, this.#link.session.profile.seeds),
      );
      const completions = completionsOf(result, unit.count, options);
      const before = unit.first - asks[unit.ask].first;
      onSampled(
        completions.map(({ tokens, logprobs }, i) => ({ ask: unit.ask, sample: before + i, tokens, logprobs })),
      );
      for (const [i, completion] of completions.entries()) rows[unit.ask][before + i] = completion;
    });
    return rows;
  }

  /** Log-probability of every token given those before it; entry 0 of each row is 0. */
  async score(sequences: readonly (readonly number[])[], onScored: (tokens: number) => void): Promise<number[][]> {
    const most = this.#link.session.config.sample_max_concurrent_requests;
    return inParallel(sequences, most, async (tokens) => {
      if (tokens.length === 1) return [0];
      const params = { max_tokens: 1, temperature: 1, top_k: -1, top_p: 1 };
      const result = await this.#request(tokens, { num_samples: 1, sampling_params: params, prompt_logprobs: true });
      onScored(tokens.length);
      return promptLogprobsOf(result, tokens.length);
    });
  }

  /** One request, from its place in the queue to its result. Made twice it gives the same: nothing on the server changes. */
  async #request(prompt: readonly number[], fields: Readonly<Record<string, unknown>>): Promise<SampleResult> {
    const { promises } = this.#link;
    const what = "sampling";
    const seqId = this.#sequence++;
    const message = {
      ...fields,
      prompt: modelInputOf(prompt),
      sampling_session_id: this.#session,
      seq_id: seqId,
      topk_prompt_logprobs: 0,
      type: "sample",
    };
    const post = async (): Promise<string> =>
      (
        await postPromise(this.#link, {
          path: endpoints.sample.path,
          body: new TextEncoder().encode(JSON.stringify(message)),
          headers: { "x-tinker-sampling-backpressure": "1" },
          repeat: "harmless",
          what,
        })
      ).request_id;
    const requestId = await this.#dispatch.run(prompt.length * bytesPerToken, post);
    const along = await this.#poller?.finished(requestId);
    if (along != null) {
      this.#poller?.retrieved(requestId);
      return decodeSampleResult(along, "protobuf");
    }
    const { bytes, format } = await promises.result({ requestId, type: "Sample", what, resubmit: post });
    this.#poller?.retrieved(requestId);
    return decodeSampleResult(bytes, format);
  }
}

/** The requests of an ask. Where seeds of samples beside one another are not known, each gets a request of its own. */
function splitAsk(
  { promptTokens, numSamples, seed, first }: Ask,
  ask: number,
  seeds: Link["session"]["profile"]["seeds"],
): Unit[] {
  const size = seeds === "alone" ? 1 : mostSamples;
  return Array.from({ length: Math.ceil(numSamples / size) }, (_, i) => ({
    ask,
    promptTokens,
    seed,
    first: first + i * size,
    count: Math.min(size, numSamples - i * size),
  }));
}

/** Seeds stay far enough below 2³¹ that adding a number does not reach it. */
const summedSeeds = 2 ** 30;

function samplingRequest(
  { seed, first, count }: Unit,
  { maxTokens, temperature, topP = 1, topK = 0, stop }: SampleOptions,
  seeds: Link["session"]["profile"]["seeds"],
): Record<string, unknown> {
  const sent =
    seeds === "own"
      ? seed
      : seeds === "sum"
        ? (((seed % summedSeeds) + summedSeeds) % summedSeeds) + first
        : seedFrom(seed, first);
  return {
    num_samples: count,
    sampling_params: {
      max_tokens: maxTokens,
      seed: sent,
      stop,
      temperature,
      top_k: topK === 0 ? -1 : topK,
      top_p: topP,
    },
    prompt_logprobs: false,
    ...(seeds === "own" && first > 0 ? { first_sample: first } : {}),
  };
}

/** Throws ServerError for what cannot be learned from, WireError for what does not fit the request. */
function completionsOf({ sequences }: SampleResult, count: number, { maxTokens, stop }: SampleOptions): Completion[] {
  if (sequences.length !== count)
    throw new WireError("SampleResponse", `${sequences.length} samples instead of ${count}`);
  return sequences.map(({ tokens, logprobs }) => {
    if (logprobs === undefined) {
      throw new ServerError(
        "The server gives no log-probabilities of its samples.",
        200,
        "Use another server: training needs them.",
      );
    }
    if (tokens.length > maxTokens)
      throw new WireError("SampleResponse", `${tokens.length} tokens instead of at most ${maxTokens}`);
    // What servers call the reason differs; the tokens do not.
    const last = tokens.at(-1);
    const stopped = last !== undefined && stop.includes(last);
    if (!stopped && tokens.length < maxTokens) {
      throw new ServerError(
        "The server ended a sample without its end token, which training needs.",
        200,
        "Use another server, or a newer version of it.",
      );
    }
    return { tokens, logprobs, stopReason: stopped ? "stop" : "length" };
  });
}

/** Some servers leave the first token out, which nothing precedes; some give null for it. */
function promptLogprobsOf({ promptLogprobs: row }: SampleResult, length: number): number[] {
  if (row === undefined) {
    throw new ServerError(
      "The server gives no log-probabilities of prompts.",
      200,
      "Leave --kl-penalty-coef at 0, or use another server.",
    );
  }
  if (row.length !== length && row.length !== length - 1) {
    throw new WireError("SampleResponse", `${row.length} prompt log-probabilities for ${length} tokens`);
  }
  const rest = row.slice(row.length - length + 1);
  return [
    0,
    ...rest.map((value) => {
      if (value === null) throw new WireError("SampleResponse", "a prompt log-probability is missing");
      return value;
    }),
  ];
}
