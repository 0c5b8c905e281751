// A request for samples as an ask of the engine, and completions as the protocol tells them: cut at stop texts, which the
// engine does not know. Pure functions.
import { randomInt } from "node:crypto";
import type { z } from "zod";
import type { Completion, Tokenizer } from "../../../types.ts";
import type { Ask, Player, SampleOptions } from "../../engine.ts";
import { tokensOf } from "../wire/model-input.ts";
import type { SampleResult, sampleRequestSchema } from "../wire/sampling.ts";
import { ServerProblem } from "./problem.ts";
import type { Sampled } from "./work-queue.ts";

type SampleRequest = z.output<typeof sampleRequestSchema>;

export interface SamplePlan {
  readonly ask: Ask;
  readonly options: SampleOptions;
  readonly stopTexts: readonly string[];
  /** Log-probabilities of the prompt's last so many tokens; 0 where none are wanted. */
  readonly promptLogprobs: number;
}

/** Each has a name in the answer, before anything is known of it. */
const mostSamples = 10_000;

/** What of the protocol this engine cannot tell: options that are refused where they ask for anything. */
const notTold = {
  topk_prompt_logprobs: "the likeliest tokens of a prompt's positions",
  topk_sample_logprobs: "the likeliest tokens beside those that were drawn",
  prompt_alt_tokens_k: "log-probabilities of other tokens in a prompt's places",
} as const;

/** Throws ServerProblem or WireError for what is not honoured. What depends on the model the engine refuses itself. */
export function planSample(
  request: SampleRequest,
  { tokenizer, capabilities }: Pick<Player, "tokenizer" | "capabilities">,
): SamplePlan {
  for (const [name, what] of Object.entries(notTold)) {
    if ((request[name as keyof typeof notTold] ?? 0) === 0) continue;
    throw new ServerProblem(400, `This server does not tell ${what}: leave ${name} at 0.`);
  }
  if (request.target_prompt_logprobs != null) {
    throw new ServerProblem(400, "This server does not tell target_prompt_logprobs: leave it out.");
  }
  const { sampling_params: params, num_samples: numSamples } = request;
  if (numSamples > mostSamples) {
    throw new ServerProblem(400, `A request may ask for ${mostSamples} samples, not ${numSamples}: split it.`);
  }
  const promptTokens = tokensOf(request.prompt, "SampleRequest");
  const { stop, stopTexts } = readStop(params.stop, tokenizer);
  const room = capabilities.maxSequenceTokens - promptTokens.length;
  const wanted = request.prompt_logprobs === true ? promptTokens.length : 0;
  return {
    ask: {
      promptTokens,
      numSamples,
      seed: params.seed ?? randomInt(2 ** 31),
      first: request.first_sample ?? 0,
    },
    options: {
      // Where no length is given, as many as fit; the engine says what is wrong with a prompt that leaves no room.
      maxTokens: params.max_tokens ?? Math.max(1, room),
      temperature: params.temperature,
      topP: params.top_p,
      topK: params.top_k < 0 ? 0 : params.top_k,
      stop,
    },
    stopTexts,
    promptLogprobs: Math.min(wanted, request.prompt_logprobs_last_n ?? wanted),
  };
}

/**
 * Token ids stop as they are given, and an empty list stops nowhere; beside texts the model's end tokens stop too, which no
 * text can name. A text that is one token stops there at once.
 */
function readStop(
  stop: SampleRequest["sampling_params"]["stop"],
  tokenizer: Tokenizer,
): { readonly stop: readonly number[]; readonly stopTexts: readonly string[] } {
  if (stop == null) return { stop: tokenizer.endTokens, stopTexts: [] };
  const list = typeof stop === "string" ? [stop] : stop;
  const texts = list.filter((one): one is string => typeof one === "string");
  if (texts.length === 0) return { stop: list.filter((one): one is number => typeof one === "number"), stopTexts: [] };
  if (texts.includes(""))
    throw new ServerProblem(400, "An empty stop text stops before anything is said: leave it out.");
  const single = texts.map((text) => tokenizer.encode(text)).filter(({ length }) => length === 1);
  return { stop: [...new Set([...tokenizer.endTokens, ...single.flat()])], stopTexts: texts };
}

/** The answer to a request. */
export function sampleResult(
  { stopTexts, promptLogprobs: wanted }: SamplePlan,
  { completions, promptLogprobs }: Sampled,
  tokenizer: Pick<Tokenizer, "decode">,
): SampleResult {
  return {
    sequences: completions.map((completion) => cutAtText(completion, stopTexts, tokenizer)),
    ...(wanted === 0 || promptLogprobs === null
      ? {}
      : // Nothing precedes the first token.
        { promptLogprobs: [null, ...promptLogprobs.slice(1)].slice(-wanted) }),
  };
}

/** Ends a completion with the token that completes the first stop text. */
function cutAtText(
  completion: Completion,
  stopTexts: readonly string[],
  tokenizer: Pick<Tokenizer, "decode">,
): Completion {
  const { tokens, logprobs } = completion;
  const stops = (length: number): boolean => {
    const text = tokenizer.decode(tokens.slice(0, length));
    return stopTexts.some((stop) => text.includes(stop));
  };
  if (stopTexts.length === 0 || !stops(tokens.length)) return completion;
  // The fewest tokens whose text holds one: what holds one goes on holding it.
  let [without, length] = [0, tokens.length];
  while (length - without > 1) {
    const middle = Math.floor((without + length) / 2);
    if (stops(middle)) length = middle;
    else without = middle;
  }
  return { tokens: tokens.slice(0, length), logprobs: logprobs.slice(0, length), stopReason: "stop" };
}
