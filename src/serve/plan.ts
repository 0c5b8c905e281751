// From parameters to asks: prompts as tokens, seeds, how much there is room for. What the engine cannot take is refused here,
// before it waits: one request that fails must not take along those that are sampled with it.
import { randomInt } from "node:crypto";
import { checkSampling } from "../engine/checks.ts";
import type { Ask, Player, SampleOptions } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import { encodePrompt } from "../play/prompts.ts";
import { seedFrom } from "../random.ts";
import type { Prompt } from "../types.ts";
import type { ChatParameters, CompletionParameters } from "./parameters.ts";
import { badParameter } from "./problem.ts";

/** What is sampled for a request. */
export interface Plan {
  /** An ask for each prompt. */
  readonly asks: readonly Ask[];
  readonly options: SampleOptions;
}

export interface PlanLimits {
  /** Tokens of a reply where a request names no number. */
  readonly maxTokens: number;
  /** Completions of one request, over all of its prompts. */
  readonly mostSamples?: number;
}

/** Throws Problem for messages that the model's chat template does not take, or that leave no room for a reply. */
export function planChat(player: Player, read: ChatParameters, limits: PlanLimits): Plan {
  const asked =
    read.max_completion_tokens === undefined
      ? ({ name: "max_tokens", count: read.max_tokens } as const)
      : ({ name: "max_completion_tokens", count: read.max_completion_tokens } as const);
  return plan(player, { name: "messages", prompts: [read.messages] }, asked, read, limits);
}

/** Throws Problem for prompts without a token, or that leave no room for a completion. */
export function planCompletion(player: Player, read: CompletionParameters, limits: PlanLimits): Plan {
  const asked = { name: "max_tokens", count: read.max_tokens };
  return plan(player, { name: "prompt", prompts: read.prompt }, asked, read, limits);
}

function plan(
  player: Player,
  { name, prompts }: { readonly name: string; readonly prompts: readonly Prompt[] },
  asked: { readonly name: string; readonly count: number | undefined },
  read: Pick<ChatParameters, "n" | "seed" | "temperature" | "top_p">,
  { maxTokens: most, mostSamples = 256 }: PlanLimits,
): Plan {
  if (prompts.length * read.n > mostSamples) {
    throw badParameter(
      "n",
      `${prompts.length * read.n} completions are too many for one request: at most ${mostSamples}.`,
    );
  }
  const encoded = prompts.map((prompt) => encode(player, name, prompt));
  const limit = player.capabilities.maxSequenceTokens;
  const longest = Math.max(...encoded.map(({ length }) => length));
  const room = limit - longest;
  if (room < 1 || (asked.count ?? 0) > room) {
    const more =
      asked.count === undefined ? "leave no room for a reply" : `with the ${asked.count} of ${asked.name} are too many`;
    throw badParameter(
      room < 1 ? name : asked.name,
      `The model takes at most ${limit} tokens a sequence; the ${longest} of ${name} ${more}.`,
      "context_length_exceeded",
    );
  }
  const { capabilities, tokenizer } = player;
  if (read.top_p < 1 && !capabilities.topP) {
    throw badParameter("top_p", `The ${capabilities.name} engine cannot honour top_p.`, "unsupported_parameter");
  }
  const seed = read.seed ?? randomInt(2 ** 31);
  const asks = encoded.map((promptTokens, i) => {
    // Equal prompts of one request are to give different completions; the first gives what it gives alone.
    return { promptTokens, numSamples: read.n, seed: i === 0 ? seed : seedFrom(seed, i), first: 0 };
  });
  const options = {
    maxTokens: asked.count ?? Math.min(most, room),
    temperature: read.temperature,
    topP: read.top_p,
    stop: tokenizer.endTokens,
  };
  checkSampling(capabilities, asks, options);
  return { asks, options };
}

function encode(player: Player, name: string, prompt: Prompt): number[] {
  let tokens: number[];
  try {
    tokens = encodePrompt(player.tokenizer, prompt);
  } catch (error) {
    // No chat template, or one that does not take these messages: in its own words.
    if (error instanceof UnsupportedError)
      throw badParameter(name, `${error.message} ${error.hint}`, "unsupported_value");
    throw error;
  }
  if (tokens.length > 0) return tokens;
  throw badParameter(name, `${name} has no token: it is empty, or the model's tokenizer knows no character of it.`);
}
