// An engine without a model: replies come from a function. Tests of the loop use it to know every token beforehand.
// Log-probabilities are fixed numbers made from the tokens, the same when sampled, scored and trained; they do not change
// with training. What training did is only counted, and the count is handed to the script, which may "learn" from it.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError, notFiniteHint, RunStoppedError, SqlmError } from "../errors.ts";
import { type Random, randomStream, uniformAt } from "../random.ts";
import { type Completion, lossFunctions, type Tokenizer } from "../types.ts";
import { CallQueue } from "./call-queue.ts";
import { checkAdam, checkSampling, checkSequences, checkTraining } from "./checks.ts";
import type {
  Ask,
  Engine,
  EngineCapabilities,
  Piece,
  Player,
  Policy,
  SampleListener,
  SampleOptions,
} from "./engine.ts";
import { batchLoss } from "./losses.ts";

/** What a script knows when it is asked for one reply. */
export interface ScriptedRequest {
  readonly prompt: string;
  /** Which completion of this prompt, from 0; always 0 at temperature 0. */
  readonly sample: number;
  /** Optimizer updates so far. */
  readonly updates: number;
  readonly temperature: number;
  /** A stream for this one reply; at temperature 0 it does not depend on the seed. */
  readonly random: Random;
}

export interface ScriptedEngineOptions {
  /** The whole reply, without an end marker. Must depend on nothing but the request. */
  readonly reply: (request: ScriptedRequest) => string;
  /** Longest prompt and completion together, in tokens (code points). Default 4096. */
  readonly maxSequenceTokens?: number;
}

/** The id after the last code point. */
const endToken = 0x110000;

const stateFile = "scripted.json";
const stateSchema = z.strictObject({
  format: z.literal("sqlm-scripted-engine"),
  updates: z.number().int().min(0),
  optimizerSteps: z.number().int().min(0).optional(),
});

/** Tokens are code points; the end token is one more. Messages are rendered as `<role>content` lines. */
const codePointTokenizer: Tokenizer = {
  encode: (text) => Array.from(text, (character) => character.codePointAt(0) ?? 0),
  // One by one: spreading a long text into an argument list would overflow the stack.
  decode: (tokens) => tokens.map((token) => (token === endToken ? "" : String.fromCodePoint(token))).join(""),
  endTokens: [endToken],
  encodeChat: (messages) => {
    const text = messages.map(({ role, content }) => `<${role}>${content}`).join("\n");
    return codePointTokenizer.encode(messages.at(-1)?.role === "assistant" ? text : `${text}\n<assistant>`);
  },
  tokensWith: (text) => (Array.from(text).length === 1 ? codePointTokenizer.encode(text) : []),
};

/** Opens a scripted engine. */
export function createScriptedEngine(options: ScriptedEngineOptions): Engine {
  const shared = shareScript(options);
  return {
    capabilities: shared.capabilities,
    tokenizer: codePointTokenizer,
    openPolicy: async () => {
      if (shared.closed) throw new SqlmError("The scripted engine is closed.", "Open it again.");
      return new ScriptedPolicy(shared);
    },
    [Symbol.asyncDispose]: async () => {
      shared.closed = true;
    },
  };
}

/** The policy of a scripted engine of its own, for whoever needs no more. Its `save` writes one small JSON file. */
export function createScriptedPolicy(options: ScriptedEngineOptions): Policy {
  return new ScriptedPolicy(shareScript(options));
}

/** What the players of one engine have in common. */
interface SharedScript {
  readonly reply: ScriptedEngineOptions["reply"];
  readonly capabilities: EngineCapabilities;
  readonly queue: CallQueue;
  /** The engine is disposed of. */
  closed: boolean;
}

function shareScript({ reply, maxSequenceTokens = 4096 }: ScriptedEngineOptions): SharedScript {
  const capabilities: EngineCapabilities = {
    name: "scripted",
    lossFunctions: [...lossFunctions],
    maxSequenceTokens,
    topP: false,
    topK: false,
    klPenalty: true,
    correctsForSampler: true,
    tellsTokens: true,
  };
  return { reply, capabilities, queue: new CallQueue(), closed: false };
}

class ScriptedPlayer implements Player {
  readonly tokenizer = codePointTokenizer;
  readonly capabilities: EngineCapabilities;
  protected readonly shared: SharedScript;
  protected updates: number;
  #closed = false;

  constructor(shared: SharedScript, updates = 0) {
    this.shared = shared;
    this.capabilities = shared.capabilities;
    this.updates = updates;
  }

  sample: Player["sample"] = async (asks, options, listener) => {
    checkSampling(this.capabilities, asks, options);
    return this.inTurn(async () => asks.map((ask, index) => this.#complete(ask, options, index, listener)));
  };

  score: Player["score"] = async (sequences) => {
    checkSequences(this.capabilities, sequences);
    return this.inTurn(async () => sequences.map(scoreTokens));
  };

  [Symbol.asyncDispose] = async (): Promise<void> => {
    this.#closed = true;
  };

  protected async inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#closed || this.shared.closed) {
      throw new SqlmError("This player of the scripted engine is closed.", "Open or freeze another one.");
    }
    return this.shared.queue.run(call);
  }

  #complete(
    { promptTokens, numSamples, seed, first }: Ask,
    options: SampleOptions,
    ask: number,
    listener: SampleListener | undefined,
  ): Completion[] {
    const { temperature } = options;
    const greedy = temperature === 0;
    const prompt = codePointTokenizer.decode(promptTokens);
    return Array.from({ length: numSamples }, (_, i) => {
      const sample = first + i;
      const stream = greedy ? ["greedy", prompt] : ["sampled", seed, prompt, sample];
      const random = randomStream("scripted", ...stream);
      const request = { prompt, sample: greedy ? 0 : sample, updates: this.updates, temperature, random };
      const completion = complete(promptTokens, this.shared.reply(request), options);
      if (listener === undefined) return completion;
      return told(completion, (piece) => listener({ ask, sample: i, ...piece }));
    });
  }
}

class ScriptedPolicy extends ScriptedPlayer implements Policy {
  #optimizerSteps = 0;
  /** The "parameters" are the log-probabilities of the trained tokens themselves, each token a parameter of its own. */
  #squaredGradient = 0;

  forwardBackward: Policy["forwardBackward"] = async (data, loss, lossConfig) => {
    checkTraining(this.capabilities, data, loss, lossConfig);
    return this.inTurn(async () => {
      const logprobs = data.map(({ tokens }) => scoreTokens(tokens));
      const { gradients, ...metrics } = batchLoss(data, logprobs, loss, lossConfig);
      for (const derivative of gradients.flat()) this.#squaredGradient += derivative ** 2;
      return { logprobs, metrics: { ...metrics } };
    });
  };

  optimStep: Policy["optimStep"] = async (adam) => {
    checkAdam(this.capabilities, adam);
    return this.inTurn(async () => {
      const gradNorm = Math.sqrt(this.#squaredGradient);
      this.#squaredGradient = 0;
      if (!Number.isFinite(gradNorm)) {
        throw new RunStoppedError("The gradient is not a finite number.", notFiniteHint);
      }
      this.updates += 1;
      this.#optimizerSteps += 1;
      return { metrics: { gradNorm, step: this.#optimizerSteps } };
    });
  };

  save: Policy["save"] = (folder, { optimizer }) =>
    this.inTurn(async () => {
      const steps = optimizer ? { optimizerSteps: this.#optimizerSteps } : {};
      const state = { format: "sqlm-scripted-engine", updates: this.updates, ...steps };
      await writeFile(join(folder, stateFile), `${JSON.stringify(state)}\n`, { flag: "wx" });
    });

  load: Policy["load"] = (folder, { optimizer }) =>
    this.inTurn(async () => {
      const path = join(folder, stateFile);
      const { updates, optimizerSteps } = await readState(path);
      if (optimizer && optimizerSteps === undefined) {
        throw new FileFormatError(path, "has no optimizer state", "Load it without the optimizer.");
      }
      this.updates = updates;
      this.#optimizerSteps = optimizer ? (optimizerSteps ?? 0) : 0;
      this.#squaredGradient = 0;
    });

  freeze: Policy["freeze"] = () => this.inTurn(async () => new ScriptedPlayer(this.shared, this.updates));
}

/** Cuts a reply at its stop token or at `maxTokens`. A reply whose end does not stop it starts over, as a model would go on. */
function complete(promptTokens: readonly number[], reply: string, options: SampleOptions): Completion {
  const period = [...codePointTokenizer.encode(reply), endToken];
  const tokens: number[] = [];
  let stopped = false;
  while (!stopped && tokens.length < options.maxTokens) {
    const token = period[tokens.length % period.length];
    tokens.push(token);
    stopped = options.stop.includes(token);
  }
  const logprobs = scoreTokens([...promptTokens, ...tokens]).slice(promptTokens.length);
  return { tokens, logprobs, stopReason: stopped ? "stop" : "length" };
}

/** Tells a completion token by token, up to where it need not go on. */
function told(completion: Completion, goesOn: (piece: Pick<Piece, "tokens" | "logprobs">) => boolean): Completion {
  const { tokens, logprobs } = completion;
  for (const [i, token] of tokens.entries()) {
    if (goesOn({ tokens: [token], logprobs: [logprobs[i]] }) || i + 1 === tokens.length) continue;
    return { tokens: tokens.slice(0, i + 1), logprobs: logprobs.slice(0, i + 1), stopReason: "length" };
  }
  return completion;
}

/** Fixed, plausible log-probabilities from −0.05 to −2.05, each decided by a token, the one before and the position. */
function scoreTokens(tokens: readonly number[]): number[] {
  return tokens.map((token, i) => (i === 0 ? 0 : -0.05 - 2 * uniformAt(tokens[i - 1], token, i)));
}

async function readState(path: string): Promise<z.output<typeof stateSchema>> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new FileFormatError(path, "is not a state of the scripted engine", "Give a folder that it saved.", { cause });
  }
}
