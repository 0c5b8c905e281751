// One model of a session, that is, an adapter with its optimizer: requests are numbered and sent one after another in the
// order in which they are to be carried out, and their results are awaited apart.
import { CallQueue } from "../../call-queue.ts";
import type { AdamParams } from "../../engine.ts";
import { checkMessage, mediaTypes, readJson, type WireFormat } from "../wire/body.ts";
import { endpoints, results } from "../wire/messages.ts";
import { encodeTrainingRequest, type TrainingRequest } from "../wire/training.ts";
import { decodeTrainingResult, type TrainingResult } from "../wire/training-result.ts";
import { type Connection, type Sending, ServerError } from "./connection.ts";
import { splitData } from "./data.ts";
import type { Promises, RequestType } from "./promises.ts";
import type { Session } from "./session.ts";

/** What is common to everything of one server. */
export interface Link {
  readonly connection: Connection;
  readonly promises: Promises;
  readonly session: Session;
  /** The name that the server gives the model. */
  readonly baseModel: string;
  /** In which form training requests go out: changes once, where the server turns out to know no protobuf. */
  readonly dialect: { format: WireFormat; certain: boolean };
}

export interface AdapterOptions {
  readonly rank: number;
  readonly seed: number;
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export class TinkerModel {
  readonly id: string;
  readonly #link: Link;
  readonly #submissions = new CallQueue();
  #sequence = 0;
  /** Something was to be saved under a name. */
  #hasSaved = false;

  constructor(link: Link, id: string) {
    this.#link = link;
    this.id = id;
  }

  /** A new adapter beside the base. */
  static async create(link: Link, { rank, seed }: AdapterOptions): Promise<TinkerModel> {
    const { session, promises, baseModel } = link;
    const body = {
      session_id: session.id,
      model_seq_id: session.next("model"),
      base_model: baseModel,
      // Without the output layer, so that the adapter is one that this package reads too.
      lora_config: { rank, seed, train_unembed: false, train_mlp: true, train_attn: true },
      type: "create_model",
    };
    const what = "making a model";
    const path = endpoints.createModel.path;
    // One that is made twice is one too many, and no harm.
    const post = () => postPromise(link, { path, body: json(body), repeat: "harmless", what });
    let promise = await post();
    const resubmit = async (): Promise<string> => {
      promise = await post();
      return promise.request_id;
    };
    const { bytes } = await promises.result({ requestId: promise.request_id, type: "CreateModel", what, resubmit });
    const made = checkMessage(path, results.createModel, readJson(path, bytes));
    const id = made.model_id ?? promise.model_id;
    if (id == null)
      throw new ServerError(
        "The server made a model and did not say its name.",
        200,
        "Report it to the server's makers.",
      );
    return new TinkerModel(link, id);
  }

  /** A pass over data, in as many requests as the server wants. Results come in the order of the requests. */
  pass(request: Pick<TrainingRequest, "data" | "lossFn" | "lossConfig" | "forwardOnly">): Promise<TrainingResult[]> {
    const { fwdbwd_max_chunk_len: data, fwdbwd_max_chunk_bytes_count: bytes } = this.#link.session.config;
    const chunks = splitData(request.data, { data, bytes });
    return Promise.all(chunks.map((chunk) => this.#passChunk({ ...request, data: chunk })));
  }

  async #passChunk(request: Omit<TrainingRequest, "modelId" | "seqId">): Promise<TrainingResult> {
    const what = request.forwardOnly ? "scoring" : "training";
    const type = request.forwardOnly ? "Forward" : "ForwardBackward";
    const { bytes, format } = await this.#call(type, what, (seqId) =>
      this.#sendPass({ ...request, modelId: this.id, seqId }, what),
    );
    return decodeTrainingResult(bytes, format);
  }

  /** Sends as protobuf, and as JSON to a server that turns out not to know it: it has refused the first request then. */
  async #sendPass(request: TrainingRequest, what: string): Promise<string> {
    const { dialect } = this.#link;
    const send = async (format: WireFormat): Promise<string> => {
      const ownPath = format === "json" && request.forwardOnly;
      const path = (ownPath ? endpoints.forward : endpoints.forwardBackward).path;
      const body = encodeTrainingRequest(request, format);
      return (await postPromise(this.#link, { path, body, format, repeat: this.#repeat(), what })).request_id;
    };
    try {
      const requestId = await send(dialect.format);
      dialect.certain = true;
      return requestId;
    } catch (error) {
      // One that is not known may fail where it should refuse; nothing but a zero gradient is sent to it before this is clear.
      const unreadable = this.#link.session.profile.tryLosses ? [415, 422, 400, 500] : [415, 422];
      const unread = error instanceof ServerError && unreadable.includes(error.status ?? 0);
      if (!unread || dialect.certain || dialect.format === "json") throw error;
      const requestId = await send("json");
      dialect.format = "json";
      dialect.certain = true;
      return requestId;
    }
  }

  /** One update; what the server reports of it. */
  async update(adam: AdamParams): Promise<Readonly<Record<string, number | null>>> {
    const { learningRate, beta1, beta2, eps, weightDecay, gradClipNorm } = adam;
    const params = {
      learning_rate: learningRate,
      beta1,
      beta2,
      eps,
      weight_decay: weightDecay,
      grad_clip_norm: gradClipNorm,
    };
    const { path } = endpoints.optimStep;
    const what = "updating the weights";
    const { bytes } = await this.#call("OptimStep", what, async (seqId) => {
      const body = json({ model_id: this.id, seq_id: seqId, adam_params: params, type: "optim_step" });
      return (await postPromise(this.#link, { path, body, repeat: this.#repeat(), what })).request_id;
    });
    return checkMessage(path, results.optimStep, readJson(path, bytes)).metrics ?? {};
  }

  /** Keeps weights and optimizer on the server; returns the path by which it knows them. `name` must be new. */
  async saveState(name: string): Promise<string> {
    this.#hasSaved = true;
    const { path } = endpoints.saveWeights;
    const what = "saving the weights on the server";
    const { bytes } = await this.#call("SaveWeights", what, (seqId) =>
      this.#sendNamed(path, what, (variant) => ({
        model_id: this.id,
        path: variant === 0 ? name : `${name}-${variant}`,
        seq_id: seqId,
        overwrite: false,
        type: "save_weights",
      })),
    );
    const saved = checkMessage(path, results.saveWeights, readJson(path, bytes));
    if (saved.path == null)
      throw new ServerError(
        "The server saved the weights and did not say where.",
        200,
        "Report it to the server's makers.",
      );
    return saved.path;
  }

  /** Keeps the weights for sampling: under a name, or for a sampler of this session. */
  async saveForSampler(
    name: string | null,
  ): Promise<{ readonly path: string | null; readonly sampler: string | null }> {
    const { path } = endpoints.saveWeightsForSampler;
    const what = "saving the weights for sampling";
    const { bytes } = await this.#call("SaveWeightsForSampler", what, (seqId) =>
      this.#sendNamed(path, what, (variant) => ({
        model_id: this.id,
        ...(name === null
          ? { sampling_session_seq_id: this.#link.session.next("sampler") }
          : { path: variant === 0 ? name : `${name}-${variant}` }),
        seq_id: seqId,
        type: "save_weights_for_sampler",
      })),
    );
    const saved = checkMessage(path, results.saveWeightsForSampler, readJson(path, bytes));
    return { path: saved.path ?? null, sampler: saved.sampling_session_id ?? null };
  }

  /** Takes weights that the server keeps, with the optimizer's state or a fresh one. Only as the model's first request. */
  async loadState(statePath: string, optimizer: boolean): Promise<void> {
    const { path } = endpoints.loadWeights;
    const what = "loading the weights on the server";
    await this.#call("LoadWeights", what, async (seqId) => {
      const body = json({ model_id: this.id, seq_id: seqId, path: statePath, optimizer, type: "load_weights" });
      return (await postPromise(this.#link, { path, body, repeat: "doubtful", what })).request_id;
    });
  }

  /** Gives its place back, where the server takes it. What goes wrong with that matters to nobody. */
  async unload(): Promise<void> {
    const { unload } = this.#link.session.profile;
    const kept = unload === "none" || (unload === "unsaved" && this.#hasSaved);
    if (kept || this.#link.connection.ended !== null) return;
    const body = json({ model_id: this.id, type: "unload_model" });
    const sending = {
      path: endpoints.unloadModel.path,
      body,
      repeat: "doubtful",
      what: "giving a model back",
      patienceSeconds: 5,
    } as const;
    await this.#submissions.run(() => postPromise(this.#link, sending)).catch(() => undefined);
  }

  /** Numbers and sends a request behind all before it, and awaits its result. */
  async #call(type: RequestType, what: string, send: (seqId: number) => Promise<string>) {
    let seqId = 0;
    const requestId = await this.#submissions.run(() => {
      this.#sequence += 1;
      seqId = this.#sequence;
      return send(seqId);
    });
    // Only a server that knows the number takes the request for the same.
    const again = this.#link.session.profile.sequenced && type !== "LoadWeights" ? () => send(seqId) : null;
    return this.#link.promises.result({ requestId, type, what, resubmit: again });
  }

  /**
   * Saves are known by their name, and some servers refuse a second one of a name instead of giving the first one's promise. The
   * same weights under one more name do no harm.
   */
  async #sendNamed(path: string, what: string, message: (variant: number) => unknown): Promise<string> {
    let variant = 0;
    let body = json(message(variant));
    for (let attempt = 0; ; attempt++) {
      try {
        return (await postPromise(this.#link, { path, body, repeat: "doubtful", what })).request_id;
      } catch (error) {
        const taken = error instanceof ServerError && error.status === 409;
        const doubtful = error instanceof ServerError && error.doubtful;
        if (!(taken || doubtful) || attempt >= mostAttempts) throw error;
        if (taken) body = json(message(++variant));
        await this.#link.connection.rest(Math.min(0.5 * 2 ** attempt, 10));
      }
    }
  }

  #repeat(): Sending["repeat"] {
    return this.#link.session.profile.sequenced ? "harmless" : "doubtful";
  }
}

/** Of sending a save. */
const mostAttempts = 12;

/** Sends a request that is carried out later; returns the promise. */
export async function postPromise(
  { connection }: Pick<Link, "connection">,
  sending: Omit<Sending, "method" | "accept">,
) {
  const { bytes } = await connection.send({ ...sending, method: "POST", accept: mediaTypes.json });
  return checkMessage(sending.path, endpoints.sample.response, readJson(sending.path, bytes));
}
