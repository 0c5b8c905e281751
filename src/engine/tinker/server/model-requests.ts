// Requests about models: made, trained, saved, loaded, given back. Each answers with a promise.
import type { z } from "zod";
import type { AdamParams, AdapterShape, Policy } from "../../engine.ts";
import type { endpoints } from "../wire/messages.ts";
import type { TrainingRequest } from "../wire/training.ts";
import { encodeTrainingResult } from "../wire/training-result.ts";
import { Model } from "./model.ts";
import { ServerProblem } from "./problem.ts";
import type { Payload } from "./promises.ts";
import type { SaveKind } from "./saves.ts";
import { jsonPayload, type Service } from "./service.ts";
import type { Session } from "./sessions.ts";
import { runPass } from "./training.ts";

type Message<Name extends keyof typeof endpoints> = z.output<(typeof endpoints)[Name]["request"]>;

interface Promised {
  readonly request_id: string;
  readonly model_id?: string;
}

const refuse = (problem: string): ServerProblem => new ServerProblem(400, problem);

export function createModel(service: Service, message: Message<"createModel">, digest: string): Promised {
  const { session_id, model_seq_id: number, base_model, lora_config: lora, optimizer_config: optimizer } = message;
  const session = service.sessions.find(session_id);
  service.checkBase(base_model);
  checkOptimizer(optimizer?.type);
  if (lora != null) checkAdapter(service.engine.capabilities.adapter, lora);
  return session.once("model", number, digest, () => {
    const model = newModel(service, session, number);
    const open = () => service.engine.openPolicy({ seed: lora?.seed ?? undefined });
    return {
      request_id: model.open(open, jsonPayload({ model_id: model.id, type: "create_model" })),
      model_id: model.id,
    };
  });
}

/** The name that SDKs since 0.38 give a model themselves. */
function newModel(service: Service, session: Session, number: number): Model {
  if (service.sessions.modelCount >= service.mostModels) {
    throw new ServerProblem(
      503,
      `${service.mostModels} models are open already: close one, or wait for the sessions of programs that have ended.`,
    );
  }
  const model = new Model(`${session.id}:train:${number}`, service.modelParts(session));
  service.sessions.addModel(session, model);
  return model;
}

function checkOptimizer(type: string | undefined): void {
  if (type === undefined || type === "adamw") return;
  throw refuse(`This server has no optimizer "${type.slice(0, 40)}": use adamw.`);
}

const attention = ["q_proj", "k_proj", "v_proj", "o_proj"];
const mlp = ["gate_proj", "up_proj", "down_proj"];

/**
 * All adapters of a server have one shape. Where all weights train there is none, and what is asked of it changes nothing: the
 * session's greeting says so. No adapter here trains the unembedding; the SDK asks for that unless told otherwise, so it is
 * said in the greeting too, and in what `weights_info` answers.
 */
function checkAdapter(
  adapter: AdapterShape | undefined,
  asked: NonNullable<Message<"createModel">["lora_config"]>,
): void {
  if (adapter === undefined) return;
  const { rank, targets } = adapter;
  if (asked.rank !== rank) {
    throw refuse(
      `This server trains adapters of rank ${rank}, not ${asked.rank}: ask for rank ${rank}, or start it with --lora-rank ${asked.rank}.`,
    );
  }
  for (const [flag, wanted, layers] of [
    ["train_attn", asked.train_attn ?? true, attention],
    ["train_mlp", asked.train_mlp ?? true, mlp],
  ] as const) {
    if (layers.some((layer) => targets.includes(layer)) === wanted) continue;
    throw refuse(
      `This server's adapters are on ${targets.join(", ")}, which is not ${flag}=${wanted}: change it, or start the server with other --lora-targets.`,
    );
  }
}

/** What a client that begins should know: what of its wishes changes nothing here. */
export function greetingOf({ engine }: Service): string {
  const { adapter, coarseSampling = false } = engine.capabilities;
  const trains =
    adapter === undefined
      ? "This server trains all weights: the rank and the layers of an adapter that are asked for change nothing."
      : `This server trains adapters of rank ${adapter.rank} and alpha ${adapter.alpha} on ${adapter.targets.join(", ")}; none is on the unembedding.`;
  const samples =
    "It samples with int8 weights: log-probabilities of samples differ from those of training by more than rounding, unless it is started with --weights f32.";
  return coarseSampling ? `${trains} ${samples}` : trains;
}

/** What a saved or open model is, to whoever asks. */
export function adapterInfo({ engine }: Pick<Service, "engine">) {
  const { adapter } = engine.capabilities;
  if (adapter === undefined) return { is_lora: false };
  const on = (layers: readonly string[]): boolean => layers.some((layer) => adapter.targets.includes(layer));
  return {
    is_lora: true,
    lora_rank: adapter.rank,
    train_unembed: false,
    train_mlp: on(mlp),
    train_attn: on(attention),
  };
}

/** Hands a call to its model. */
function call(
  service: Service,
  { model_id, seq_id }: { readonly model_id: string; readonly seq_id?: number | null | undefined },
  digest: string,
  run: (policy: Policy, model: Model, session: Session) => Promise<Payload>,
): Promised {
  const { model, session } = service.sessions.findModel(model_id);
  const request_id = model.submit({
    sequence: seq_id ?? null,
    digest,
    run: (policy) => run(policy, model, session),
  });
  return { request_id, model_id };
}

export function pass(service: Service, request: TrainingRequest, digest: string): Promised {
  return call(service, { model_id: request.modelId, seq_id: request.seqId }, digest, async (policy) => {
    const result = await runPass(policy, request);
    return { form: "training", bytes: encodeTrainingResult(result, "protobuf") };
  });
}

export function optimStep(service: Service, message: Message<"optimStep">, digest: string): Promised {
  return call(service, message, digest, async (policy) => {
    const { adam_params: params, optimizer_params: other } = message;
    if (other != null) throw refuse("This server has no optimizer but AdamW: send adam_params.");
    const adam: AdamParams = {
      learningRate: params?.learning_rate ?? 1e-4,
      beta1: params?.beta1 ?? 0.9,
      beta2: params?.beta2 ?? 0.95,
      eps: params?.eps ?? 1e-12,
      weightDecay: params?.weight_decay ?? 0,
      gradClipNorm: params?.grad_clip_norm ?? 0,
    };
    const { gradNorm, step } = (await policy.optimStep(adam)).metrics;
    return jsonPayload({ metrics: { grad_norm: gradNorm, step }, type: "optim_step" });
  });
}

interface SaveMessage {
  readonly model_id: string;
  readonly seq_id?: number | null | undefined;
  readonly path?: string | null | undefined;
  readonly ttl_seconds?: number | null | undefined;
  readonly overwrite?: boolean | null | undefined;
}

/** Saves under a name: that of the request, or one that counts. */
async function save(service: Service, kind: SaveKind, message: SaveMessage, policy: Policy, model: Model) {
  const { path, ttl_seconds, overwrite, seq_id } = message;
  return service.saves.write(
    {
      run: model.id,
      kind,
      name: path ?? `checkpoint-${seq_id ?? service.saves.list(model.id).length + 1}`,
      overwrite: overwrite ?? false,
      baseModel: service.model.names[0],
      rank: service.engine.capabilities.adapter?.rank ?? null,
      ttlSeconds: ttl_seconds ?? null,
    },
    (folder) => policy.save(folder, { optimizer: kind === "weights" }),
  );
}

export function saveWeights(service: Service, message: Message<"saveWeights">, digest: string): Promised {
  return call(service, message, digest, async (policy, model) => {
    const { path } = await save(service, "weights", message, policy, model);
    return jsonPayload({ path, type: "save_weights" });
  });
}

/** In the form of `transformers` and PEFT, to take home. */
export function saveExternal(service: Service, message: Message<"saveExternal">, digest: string): Promised {
  return call(service, message, digest, async (policy, model) => {
    const { path, bytes } = await save(service, "external_weights", message, policy, model);
    return jsonPayload({ path, size_bytes: bytes, type: "save_weights_external" });
  });
}

/** Without a name it gives a sampling session of the weights as they are, which ends with the client's session. */
export function saveForSampler(service: Service, message: Message<"saveWeightsForSampler">, digest: string): Promised {
  return call(service, message, digest, async (policy, model, session) => {
    if (message.kind != null && message.kind !== "snapshot") {
      throw refuse(
        `This server has no samplers that follow their model (kind ${message.kind.slice(0, 40)}): use snapshot.`,
      );
    }
    const type = "save_weights_for_sampler";
    if (message.path != null || message.sampling_session_seq_id == null) {
      const { path } = await save(service, "sampler_weights", message, policy, model);
      return jsonPayload({ path, sampling_session_id: null, type });
    }
    const source = await service.samplers.freeze(model.id, policy);
    const { id } = service.sessions.addSampler({ source, save: null, session });
    return jsonPayload({ path: null, sampling_session_id: id, type });
  });
}

/** Into a model that is there, or (SDK 0.38) into one that it makes. */
export function loadWeights(service: Service, message: Message<"loadWeights">, digest: string): Promised {
  const { model_id, session_id, model_seq_id: number, path, optimizer, base_model, optimizer_config } = message;
  checkOptimizer(optimizer_config?.type);
  if (base_model != null) service.checkBase(base_model);
  const load = async (policy: Policy, id: string): Promise<Payload> => {
    const { folder } = service.saves.find(path);
    await policy.load(folder, { optimizer: optimizer === true });
    return jsonPayload({ path, model_id: id, type: "load_weights" });
  };
  if (model_id != null) {
    return call(service, { model_id, seq_id: message.seq_id }, digest, (policy, { id }) => load(policy, id));
  }
  if (session_id == null || number == null) {
    throw refuse("load_weights names no model: send model_id, or session_id with model_seq_id.");
  }
  const session = service.sessions.find(session_id);
  service.saves.find(path);
  return session.once("model", number, digest, () => {
    const model = newModel(service, session, number);
    const open = async (): Promise<Policy> => {
      const policy = await service.engine.openPolicy();
      try {
        await load(policy, model.id);
      } catch (error) {
        await policy[Symbol.asyncDispose]();
        throw error;
      }
      return policy;
    };
    const result = jsonPayload({ path, model_id: model.id, type: "load_weights" });
    return { request_id: model.open(open, result), model_id: model.id };
  });
}

export function unloadModel(service: Service, { model_id }: Message<"unloadModel">): Promised {
  const { model, session } = service.sessions.findModel(model_id);
  service.sessions.removeModel(model);
  const { promises } = service;
  const request_id = promises.open({ touch: session.touch });
  void model.close().then(() => promises.settle(request_id, jsonPayload({ model_id, type: "unload_model" })));
  return { request_id, model_id };
}

export function modelInfo(service: Service, { model_id }: Message<"getInfo">) {
  const { session } = service.sessions.findModel(model_id);
  session.touch();
  const [name] = service.model.names;
  const { is_lora, lora_rank } = adapterInfo(service);
  return {
    type: "get_info",
    model_data: {
      arch: service.model.architecture,
      model_name: name,
      tokenizer_id: service.model.tokenizer ?? name,
    },
    model_id,
    is_lora,
    lora_rank,
    model_name: name,
  };
}
