// The engine of a model on a Tinker server: hosted Tinker, SkyRL, TuFT, open-rl, or `sqlm serve-tinker`. The server samples and
// trains; here are tokens, order, and patience.
import { randomBytes } from "node:crypto";
import { RunStoppedError, SqlmError, UnsupportedError, UsageError } from "../../../errors.ts";
import { type Companions, readCompanions } from "../../../model/companions.ts";
import { openTokenizer } from "../../../model/tokenizer.ts";
import type { LossFn, Tokenizer } from "../../../types.ts";
import type { Engine, EngineCapabilities, EngineProgress } from "../../engine.ts";
import { WireError } from "../wire/wire-error.ts";
import { addressOf } from "./address.ts";
import { noTinkerServer } from "./ask-once.ts";
import { baseNaming } from "./checkpoint.ts";
import { type Clock, monotonicClock } from "./clock.ts";
import { Connection, type ConnectionOptions, resumeHint, ServerError } from "./connection.ts";
import { wireData, wireLossConfig } from "./data.ts";
import { connectionLimits } from "./limits.ts";
import { type AdapterOptions, type Link, TinkerModel } from "./model.ts";
import { CallOrder, type Shared, throwInWords } from "./player.ts";
import { TinkerPolicy } from "./policy.ts";
import { Promises } from "./promises.ts";
import { beginSession, type Session } from "./session.ts";
import { WaitingBoard } from "./waiting.ts";

export interface TinkerEngineOptions {
  /** The name by which the server knows the base model. */
  readonly model: string;
  /** Folder with the model's tokenizer and config. */
  readonly tokenizer: string;
  /** Where the server is; the environment's `TINKER_BASE_URL`, or the hosted service, where left out. */
  readonly baseUrl?: string | undefined;
  /** Rank of the adapters; where left out that of the server, or 16 where it leaves the choice. */
  readonly rank?: number | undefined;
  /** Seed of new adapters. */
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: EngineProgress) => void) | undefined;
  /** Told, in sentences, what the user should know and nothing depends on. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Where the key and the address are read from. */
  readonly environment?: NodeJS.ProcessEnv;
  /** How long a request is tried again, in seconds, while the server does not answer or refuses for a while. */
  readonly patienceSeconds?: number;
  /** Seconds between two heartbeats. */
  readonly heartbeatSeconds?: number;
  /** Another one in tests. */
  readonly clock?: Clock;
  /** Largest answer that is read, in bytes. */
  readonly mostBytes?: number;
}

const defaultRank = 16;
/** What has waited for so long is told, again and again. */
const sayWaitingSeconds = 10;
const tickSeconds = 2;

/**
 * Finds the server, asks what it is and begins a session. Throws UsageError for a wrong address, key or model, UnsupportedError
 * where the server lacks what training needs.
 */
export async function openTinkerEngine(options: TinkerEngineOptions): Promise<Engine> {
  const { onProgress = () => undefined } = options;
  const companions = readCompanions(options.tokenizer);
  const tokenizer = openTokenizer(options.tokenizer, companions);
  const { clock = monotonicClock() } = options;
  const board = new WaitingBoard(clock.now);
  const teller = tellWaiting(board, onProgress);
  try {
    const connect = (greetingSeconds: number): Promise<Connected> =>
      connectTo(options, { board, clock, greetingSeconds });
    const connected = await connect(connectionLimits.greetingSeconds);
    return new TinkerEngine({ connected, connect, companions, tokenizer, teller, options });
  } catch (error) {
    teller[Symbol.dispose]();
    throw error;
  }
}

/** A session with a server, and what its server honours. */
interface Connected {
  readonly link: Link;
  readonly adapter: AdapterOptions;
  readonly lossFunctions: readonly LossFn[];
  /** A model that was made to try things on, for whoever opens a policy first. */
  readonly spare: TinkerModel | null;
}

async function connectTo(
  options: TinkerEngineOptions,
  own: Pick<ConnectionOptions, "board" | "clock" | "greetingSeconds">,
): Promise<Connected> {
  const { model, environment = process.env } = options;
  const connection = new Connection({
    ...connectionLimits,
    ...given(options),
    ...own,
    address: addressOf(options.baseUrl, environment),
  });
  try {
    const session = await beginSession(connection, model);
    const { profile, config } = session;
    const adapter = { rank: options.rank ?? profile.rank ?? defaultRank, seed: options.seed ?? 0 };
    const promises = new Promises(connection, config.inflight_response_bytes_semaphore_size);
    const dialect = { format: profile.format, certain: false };
    const link = { connection, promises, session, baseModel: model, dialect };
    const spare = profile.tryLosses ? await TinkerModel.create(link, adapter) : null;
    const lossFunctions = spare === null ? profile.lossFunctions : await tryLosses(spare, profile.lossFunctions);
    return { link, adapter, lossFunctions, spare };
  } catch (error) {
    await connection.close();
    throw error instanceof WireError ? noTinkerServer(connection, error) : error;
  }
}

const given = ({ patienceSeconds, heartbeatSeconds, mostBytes }: TinkerEngineOptions) => ({
  ...(patienceSeconds === undefined ? {} : { patienceSeconds }),
  ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  ...(mostBytes === undefined ? {} : { mostBytes }),
});

interface Parts {
  readonly connected: Connected;
  /** Begins another session; `greetingSeconds`: how long while nobody answers. */
  readonly connect: (greetingSeconds: number) => Promise<Connected>;
  readonly companions: Companions;
  readonly tokenizer: Tokenizer;
  readonly teller: Disposable;
  readonly options: TinkerEngineOptions;
}

class TinkerEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  readonly tokenizer: Tokenizer;
  readonly #parts: Parts;
  #shared: Shared;
  #spare: TinkerModel | null;
  #closed = false;

  constructor(parts: Parts) {
    const { connected, companions, tokenizer, options } = parts;
    const { link, adapter, lossFunctions, spare } = connected;
    this.#parts = parts;
    this.tokenizer = tokenizer;
    const most = maxTokensOf(link.session, companions, options);
    this.capabilities = capabilitiesOf(link.session, lossFunctions, adapter, most);
    const { onProgress = () => undefined, onNote = () => undefined, model } = options;
    const unique = randomBytes(4).toString("hex");
    let saved = 0;
    const newName = (): string => `sqlm-${unique}-${++saved}`;
    const nameBase = baseNaming(model, options.tokenizer);
    this.#shared = {
      link,
      capabilities: this.capabilities,
      tokenizer,
      adapter,
      files: { companions, newName, nameBase, onNote: once(onNote) },
      order: new CallOrder(),
      onProgress,
    };
    this.#spare = spare;
  }

  openPolicy: Engine["openPolicy"] = async ({ seed } = {}) => {
    if (this.#closed) throw closed();
    const { link, adapter } = this.#shared;
    if (seed !== undefined && seed !== adapter.seed) {
      const shared = { ...this.#shared, adapter: { ...adapter, seed } };
      return new TinkerPolicy(shared, await TinkerModel.create(link, shared.adapter).catch(throwInWords));
    }
    const spare = this.#spare;
    this.#spare = null;
    return new TinkerPolicy(this.#shared, spare ?? (await TinkerModel.create(link, adapter).catch(throwInWords)));
  };

  renew = async (): Promise<void> => {
    if (this.#closed) throw closed();
    await this.#part(new SqlmError("The session of this player is over.", "Open another one: the engine was renewed."));
    const { patienceSeconds = connectionLimits.patienceSeconds } = this.#parts.options;
    let connected: Connected;
    try {
      connected = await this.#parts.connect(patienceSeconds);
    } catch (error) {
      if (!(error instanceof SqlmError)) throw error;
      throw new RunStoppedError(error.message, `${error.hint} ${resumeHint}`, { cause: error });
    }
    const { link, lossFunctions, spare } = connected;
    this.#shared = { ...this.#shared, link, order: new CallOrder() };
    this.#spare = spare;
    const { name } = link.session.profile;
    const lacking = this.capabilities.lossFunctions.find((loss) => !lossFunctions.includes(loss));
    if (lacking === undefined) return;
    throw new RunStoppedError(`The server is ${name} now, and does not take the loss ${lacking}.`, resumeHint);
  };

  [Symbol.asyncDispose] = async (): Promise<void> => {
    if (this.#closed) return;
    this.#closed = true;
    await this.#part(closed());
    this.#parts.teller[Symbol.dispose]();
  };

  async #part(why: Error): Promise<void> {
    const { connection, session } = this.#shared.link;
    connection.end(why);
    await session.end();
    await connection.close();
  }
}

const closed = (): SqlmError => new SqlmError("The tinker engine is closed.", "Open it again.");

function capabilitiesOf(
  { profile, id: _ }: Session,
  lossFunctions: readonly LossFn[],
  { rank }: AdapterOptions,
  maxSequenceTokens: number,
): EngineCapabilities {
  if (lossFunctions.length === 0) {
    throw new UnsupportedError(`${profile.name} takes none of the losses that this engine has.`, "Use another server.");
  }
  return {
    name: "tinker",
    lossFunctions,
    maxSequenceTokens,
    topP: profile.topP,
    topK: profile.topK,
    klPenalty: profile.forward && profile.promptLogprobs && lossFunctions.includes("cross_entropy"),
    gradientClip: profile.gradientClip,
    ...(profile.coarseSampling ? { coarseSampling: true } : {}),
    scores: profile.forward || profile.promptLogprobs,
    weights: `an adapter of rank ${rank} trains on ${profile.name} (${profile.alpha})`,
  };
}

/** Of the server, of the model's config, or the smaller of both. Throws UsageError where neither says. */
function maxTokensOf(
  { maxSequenceTokens }: Session,
  companions: Companions,
  { tokenizer }: TinkerEngineOptions,
): number {
  const config = companions.get("config.json");
  const own = config === undefined ? null : positionsIn(config);
  const known = [maxSequenceTokens, own].filter((value) => value !== null);
  if (known.length > 0) return Math.min(...known);
  throw new UsageError(
    `Neither the server nor ${tokenizer} says how long a sequence of the model may be.`,
    "Put the model's config.json beside its tokenizer.",
  );
}

function positionsIn(config: Buffer): number | null {
  try {
    const { max_position_embeddings: positions, text_config: text } = JSON.parse(config.toString("utf8"));
    const value = Number(positions ?? text?.max_position_embeddings);
    return Number.isInteger(value) && value > 0 ? value : null;
  } catch {
    return null;
  }
}

/** The losses that the server takes, tried on two tokens whose gradient is zero. */
async function tryLosses(model: TinkerModel, losses: readonly LossFn[]): Promise<LossFn[]> {
  const nothing = [0, 0];
  const datum = { tokens: [1, 1], weights: nothing, logprobs: nothing, advantages: nothing };
  const taken: LossFn[] = [];
  for (const loss of losses) {
    try {
      await model.pass({
        data: wireData([datum], loss),
        lossFn: loss,
        lossConfig: wireLossConfig(loss, {}),
        forwardOnly: false,
      });
      taken.push(loss);
    } catch (error) {
      if (!(error instanceof ServerError) || error.status === null) throw error;
    }
  }
  return taken;
}

/** Tells now and then what is waited for. */
function tellWaiting(board: WaitingBoard, onProgress: (progress: EngineProgress) => void): Disposable {
  const timer = setInterval(() => {
    const waiting = board.describe(sayWaitingSeconds);
    if (waiting !== null) onProgress({ stage: "waiting", done: 0, total: 0, tokens: 0, waiting });
  }, tickSeconds * 1000).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The same, but each note is told once. */
function once(onNote: (note: string) => void): (note: string) => void {
  const told = new Set<string>();
  return (note) => {
    if (told.has(note)) return;
    told.add(note);
    onNote(note);
  };
}
