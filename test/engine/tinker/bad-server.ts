// What tests of bad servers share: a client of one, and how a refusal has to look.

import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect } from "vitest";
import type { Engine, EngineProgress, Policy } from "../../../src/engine/engine.ts";
import { createScriptedEngine } from "../../../src/engine/scripted.ts";
import type { Clock } from "../../../src/engine/tinker/client/clock.ts";
import { openTinkerEngine, type TinkerEngineOptions } from "../../../src/engine/tinker/client/tinker-engine.ts";
import { SqlmError } from "../../../src/errors.ts";
import { packageRoot } from "../../../src/model/find-model.ts";
import type { Datum } from "../../../src/types.ts";
import { openTestServer, type TestServer, type TestServerOptions } from "./test-server.ts";

const tokenizer = join(packageRoot, "models", "arithmetic");
export const key = "tml-Secret-4711";
export const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 0 };
export const datum: Datum = { tokens: [3, 4, 5], weights: [0, 1, 1], logprobs: [0, -1, -1], advantages: [0, 1, 1] };

export interface Opened extends AsyncDisposable {
  readonly engine: Engine;
  readonly server: TestServer;
  readonly waits: string[];
  readonly notes: string[];
}

/** A clock that nothing moves but waits, which pass at once: hours of patience take no time, and a busy machine none of them. */
function skippingClock(): Clock {
  let time = 0;
  return {
    now: () => time,
    wait: async (seconds) => {
      const until = time + 1000 * seconds;
      await setImmediate();
      time = Math.max(time, until);
    },
  };
}

/** A client of a test server over the scripted engine. */
export async function open(
  server: Omit<Partial<TestServerOptions>, "engine"> = {},
  client: Partial<TinkerEngineOptions> = {},
): Promise<Opened> {
  const inner = createScriptedEngine({ reply: ({ random }) => `${random.integer(0, 9)}\u0001`, maxSequenceTokens: 64 });
  const opened = await openTestServer({ engine: inner, model: "tiny", holdMilliseconds: 50, ...server });
  const waits: string[] = [];
  const notes: string[] = [];
  try {
    const engine = await connect(opened.url, {
      onProgress: ({ waiting }: EngineProgress) => waiting !== undefined && waits.push(waiting),
      onNote: (note) => notes.push(note),
      ...client,
    });
    return {
      engine,
      server: opened,
      waits,
      notes,
      [Symbol.asyncDispose]: async () => {
        await engine[Symbol.asyncDispose]();
        await opened[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

export const connect = (baseUrl: string | undefined, options: Partial<TinkerEngineOptions> = {}): Promise<Engine> =>
  openTinkerEngine({
    model: "tiny",
    tokenizer,
    baseUrl,
    environment: { TINKER_API_KEY: key },
    clock: skippingClock(),
    ...options,
  });

/** One sentence, a hint, and no key in either. */
export async function refusal(work: () => Promise<unknown>): Promise<SqlmError> {
  const error = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SqlmError);
  const { message, hint, stack } = error as SqlmError;
  expect(message).not.toContain("\n");
  expect(hint).not.toBe("");
  expect(`${message} ${hint} ${stack}`).not.toContain("Secret");
  return error as SqlmError;
}

export const reply = (status: number, value: unknown) => ({ status, body: JSON.stringify(value) });
export const sampleOf = (policy: Policy) =>
  policy.sample([{ promptTokens: [3], numSamples: 1, seed: 1, first: 0 }], { maxTokens: 4, temperature: 1, stop: [1] });
