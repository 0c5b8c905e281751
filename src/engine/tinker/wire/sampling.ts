// Samples: the request, which is JSON, and the answer, which is protobuf or JSON.
import { create, toBinary } from "@bufbuild/protobuf";
import { z } from "zod";
import { checkMessage, readJson, readProtobuf, type WireFormat } from "./body.ts";
import { modelInputSchema, tokenIds } from "./model-input.ts";
import { pack, unpack } from "./packed.ts";
import { SampledSequenceSchema, SampleResponseSchema, TopkLogprobsSchema } from "./tinker_pb.ts";
import { WireError } from "./wire-error.ts";

export const sampleRequestSchema = z.object({
  num_samples: z.number().int().min(1).default(1),
  prompt: modelInputSchema,
  sampling_params: z.object({
    max_tokens: z.number().int().min(1).nullish(),
    seed: z.number().int().nullish(),
    /** Absent: the model's own end tokens; empty (since SDK 0.28): none at all. */
    stop: z.union([z.string(), tokenIds, z.array(z.string())]).nullish(),
    temperature: z.number().default(1),
    /** −1: all. */
    top_k: z.number().int().default(-1),
    top_p: z.number().default(1),
  }),
  sampling_session_id: z.string().nullish(),
  /** Counts within the session, from 0. */
  seq_id: z.number().int().min(0).nullish(),
  base_model: z.string().nullish(),
  model_path: z.string().nullish(),
  prompt_logprobs: z.boolean().nullish(),
  topk_prompt_logprobs: z.number().int().min(0).nullish(),
  /** Since SDK 0.29 to 0.33. */
  topk_sample_logprobs: z.number().int().min(0).nullish(),
  prompt_alt_tokens_k: z.number().int().min(0).nullish(),
  prompt_logprobs_last_n: z.number().int().min(0).nullish(),
  target_prompt_logprobs: z.unknown().optional(),
  /** Of this package alone, where the server's capabilities say so: samples of this seed count from here on. */
  first_sample: z.number().int().min(0).nullish(),
});

interface SampledSequence {
  readonly tokens: readonly number[];
  /** An entry a token; absent where the server gives none. */
  readonly logprobs?: readonly number[] | undefined;
  readonly stopReason: "stop" | "length";
}

export interface SampleResult {
  readonly sequences: readonly SampledSequence[];
  /** Log-probabilities of the prompt's tokens as the server sends them: some leave out the first, some give null. */
  readonly promptLogprobs?: readonly (number | null)[] | undefined;
  /** For each position of the prompt the likeliest tokens. */
  readonly topkPromptLogprobs?: readonly (readonly (readonly [token: number, logprob: number])[])[] | undefined;
}

const expected = "SampleResponse";
const stopReasons = ["stop", "length"] as const;

const logprobsSchema = z.array(z.number().nullable());
const responseSchema = z.object({
  sequences: z.array(
    z.object({ stop_reason: z.enum(stopReasons), tokens: tokenIds, logprobs: z.array(z.number()).nullish() }),
  ),
  prompt_logprobs: logprobsSchema.nullish(),
  topk_prompt_logprobs: z.array(z.array(z.tuple([z.number(), z.number()])).nullable()).nullish(),
});

export function encodeSampleResult(result: SampleResult, format: WireFormat): Uint8Array {
  const { sequences, promptLogprobs, topkPromptLogprobs } = result;
  if (format === "json") {
    const message = {
      type: "sample",
      sequences: sequences.map(({ tokens, logprobs, stopReason }) => ({ stop_reason: stopReason, tokens, logprobs })),
      prompt_logprobs: promptLogprobs,
      topk_prompt_logprobs: topkPromptLogprobs,
    };
    return new TextEncoder().encode(JSON.stringify(message));
  }
  const message = create(SampleResponseSchema, {
    sequences: sequences.map(({ tokens, logprobs, stopReason }) =>
      create(SampledSequenceSchema, {
        stopReason: stopReasons.indexOf(stopReason),
        tokens: pack("int32", tokens),
        ...(logprobs === undefined ? {} : { logprobs: pack("float32", logprobs) }),
      }),
    ),
    ...(promptLogprobs === undefined
      ? {}
      : {
          promptLogprobs: pack(
            "float32",
            promptLogprobs.map((value) => value ?? Number.NaN),
          ),
        }),
    ...(topkPromptLogprobs === undefined ? {} : { topkPromptLogprobs: packTopk(topkPromptLogprobs) }),
  });
  return toBinary(SampleResponseSchema, message);
}

/** Rows that are shorter than the longest are filled up with token 0 at −∞. */
function packTopk(rows: NonNullable<SampleResult["topkPromptLogprobs"]>) {
  const k = Math.max(0, ...rows.map(({ length }) => length));
  const cells = rows.flatMap((row) =>
    Array.from({ length: k }, (_, i) => row[i] ?? ([0, Number.NEGATIVE_INFINITY] as const)),
  );
  return create(TopkLogprobsSchema, {
    tokenIds: pack(
      "int32",
      cells.map(([token]) => token),
    ),
    logprobs: pack(
      "float32",
      cells.map(([, logprob]) => logprob),
    ),
    k,
    promptLength: rows.length,
  });
}

/** Throws WireError for what is no such answer: bytes that do not fit together, numbers of tokens and logprobs that differ. */
export function decodeSampleResult(bytes: Uint8Array, format: WireFormat): SampleResult {
  const result = format === "json" ? fromJson(bytes) : fromProtobuf(bytes);
  for (const { tokens, logprobs } of result.sequences) {
    if (logprobs !== undefined && logprobs.length !== tokens.length) {
      throw new WireError(expected, `a sample has ${tokens.length} tokens but ${logprobs.length} log-probabilities`);
    }
    if (tokens.some((token) => token < 0)) throw new WireError(expected, "a token is below 0");
  }
  return result;
}

function fromJson(bytes: Uint8Array): SampleResult {
  const message = checkMessage(expected, responseSchema, readJson(expected, bytes));
  return {
    sequences: message.sequences.map(({ stop_reason, tokens, logprobs }) => ({
      tokens,
      logprobs: logprobs ?? undefined,
      stopReason: stop_reason,
    })),
    promptLogprobs: message.prompt_logprobs ?? undefined,
    topkPromptLogprobs: message.topk_prompt_logprobs?.map((row) => row ?? []),
  };
}

function fromProtobuf(bytes: Uint8Array): SampleResult {
  const message = readProtobuf(SampleResponseSchema, bytes);
  const { promptLogprobs, topkPromptLogprobs: topk } = message;
  return {
    sequences: message.sequences.map(({ tokens, logprobs, stopReason }) => {
      const reason = stopReasons[stopReason];
      if (reason === undefined) throw new WireError(expected, `the stop reason ${stopReason} is unknown`);
      return {
        tokens: unpack("int32", tokens, expected),
        // Empty bytes for a sample with tokens are what some servers send for none.
        logprobs:
          logprobs === undefined || (logprobs.length === 0 && tokens.length > 0)
            ? undefined
            : unpack("float32", logprobs, expected),
        stopReason: reason,
      };
    }),
    promptLogprobs:
      promptLogprobs === undefined
        ? undefined
        : unpack("float32", promptLogprobs, expected).map((value) => (Number.isNaN(value) ? null : value)),
    topkPromptLogprobs: topk === undefined ? undefined : unpackTopk(topk),
  };
}

function unpackTopk(topk: { tokenIds: Uint8Array; logprobs: Uint8Array; k: number; promptLength: number }) {
  const [tokens, logprobs] = [unpack("int32", topk.tokenIds, expected), unpack("float32", topk.logprobs, expected)];
  const { k, promptLength } = topk;
  if (tokens.length !== k * promptLength || logprobs.length !== tokens.length) {
    throw new WireError(expected, `${tokens.length} likeliest tokens for ${promptLength} positions of ${k}`);
  }
  if (k === 0) return [];
  return Array.from({ length: promptLength }, (_, row) =>
    Array.from({ length: k }, (_, i) => [tokens[row * k + i], logprobs[row * k + i]] as const),
  );
}
