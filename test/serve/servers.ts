// Servers for tests: a player that can be held up, and what it was asked.
import OpenAI from "openai";
import { afterEach, vi } from "vitest";
import type { Ask, Player, SampleOptions } from "../../src/engine/engine.ts";
import { createScriptedPolicy, type ScriptedRequest } from "../../src/engine/scripted.ts";
import { Batcher } from "../../src/serve/batcher.ts";
import { type RunningServer, type ServeModelOptions, serveModel } from "../../src/serve/serve.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Disposes of it after the test. */
export function afterwards<One extends AsyncDisposable>(one: One): One {
  open.push(one);
  return one;
}

interface Call {
  readonly asks: readonly Ask[];
  readonly options: SampleOptions;
}

/** A player that tells what it was asked, and samples only once `release` has been called where it is held. */
export interface WatchedPlayer extends Player {
  readonly calls: Call[];
  hold(): void;
  release(): void;
}

export function watched(player: Player): WatchedPlayer {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  const calls: Call[] = [];
  return {
    calls,
    capabilities: player.capabilities,
    tokenizer: player.tokenizer,
    score: (sequences) => player.score(sequences),
    sample: async (asks, options, listener) => {
      calls.push({ asks, options });
      await gate.promise;
      return player.sample(asks, options, listener);
    },
    hold: () => {
      gate = Promise.withResolvers();
    },
    release: () => gate.resolve(),
    [Symbol.asyncDispose]: () => player[Symbol.asyncDispose](),
  };
}

export function scripted(reply: (request: ScriptedRequest) => string, maxSequenceTokens = 4096): WatchedPlayer {
  return watched(createScriptedPolicy({ reply, maxSequenceTokens }));
}

/** A player that draws one token of every completion at a time, as far as it has been let. */
export interface DrippingPlayer extends Player {
  /** Tokens drawn of each completion that has begun, in the order of the calls. */
  readonly drawn: number[][];
  /** Lets so many tokens of each be drawn in all calls together. */
  let(steps: number): void;
}

export function dripping(reply: (request: ScriptedRequest) => string): DrippingPlayer {
  const player = createScriptedPolicy({ reply });
  const drawn: number[][] = [];
  let allowed = 0;
  let wake = Promise.withResolvers<void>();
  const stepped = async (): Promise<void> => {
    while (allowed === 0) await wake.promise;
    allowed--;
    // What was said in answer to the last token has time to arrive.
    await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return {
    drawn,
    capabilities: player.capabilities,
    tokenizer: player.tokenizer,
    score: (sequences) => player.score(sequences),
    sample: async (asks, options, listener = () => true) => {
      const rows = await player.sample(asks, options);
      const all = rows.flatMap((row, ask) =>
        row.map((completion, sample) => ({ ask, sample, completion, enough: false })),
      );
      const counts = all.map(() => 0);
      drawn.push(counts);
      const open = (i: number): boolean => !all[i].enough && counts[i] < all[i].completion.tokens.length;
      while (all.some((_, i) => open(i))) {
        await stepped();
        for (const [i, one] of all.entries()) {
          if (!open(i)) continue;
          const at = counts[i]++;
          const { tokens, logprobs } = one.completion;
          const piece = { tokens: [tokens[at]], logprobs: [logprobs[at]] };
          one.enough = !listener({ ask: one.ask, sample: one.sample, ...piece });
        }
      }
      return rows.map((row, ask) =>
        row.map((completion, sample) => {
          const count = counts[all.findIndex((one) => one.ask === ask && one.sample === sample)];
          if (count === completion.tokens.length) return completion;
          const { tokens, logprobs } = completion;
          return { tokens: tokens.slice(0, count), logprobs: logprobs.slice(0, count), stopReason: "length" };
        }),
      );
    },
    let: (steps) => {
      allowed += steps;
      wake.resolve();
      wake = Promise.withResolvers();
    },
    [Symbol.asyncDispose]: () => player[Symbol.asyncDispose](),
  };
}

export interface Served extends RunningServer {
  readonly client: OpenAI;
  /** Requests that wait, of a server that has had one. */
  waiting(): number;
  readonly reported: unknown[];
}

export async function serve(player: Player, change: Partial<ServeModelOptions> = {}): Promise<Served> {
  const reported: unknown[] = [];
  const spy = vi.spyOn(Batcher.prototype, "sample");
  const server = await serveModel({
    player,
    model: "scripted",
    maxTokens: 32,
    host: "127.0.0.1",
    port: 0,
    key: null,
    report: (error) => reported.push(error),
    ...change,
  });
  afterwards(server);
  const client = new OpenAI({ baseURL: server.url, apiKey: change.key ?? "none", maxRetries: 0 });
  const waiting = (): number => (spy.mock.contexts.at(-1) as Batcher | undefined)?.waiting ?? 0;
  return { ...server, client, waiting, reported, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
