// A Tinker server for tests, over any engine: the protocol's promises, numbers, saves and samplers, and nothing that a server
// for people needs. What it answers can be bent by the test that opens it.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdamParams, Engine, Player, Policy } from "../../../src/engine/engine.ts";
import { checkMessage, formatOf, mediaTypes, readJson, type WireFormat } from "../../../src/engine/tinker/wire/body.ts";
import { futureMessage } from "../../../src/engine/tinker/wire/futures.ts";
import { apiRoot, endpoints } from "../../../src/engine/tinker/wire/messages.ts";
import { tokensOf } from "../../../src/engine/tinker/wire/model-input.ts";
import { encodeSampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import { decodeTrainingRequest, rowTensor, type TrainingRequest } from "../../../src/engine/tinker/wire/training.ts";
import { encodeTrainingResult } from "../../../src/engine/tinker/wire/training-result.ts";
import type { Datum, LossFn } from "../../../src/types.ts";

export interface TestServerOptions {
  readonly engine: Engine;
  readonly model: string;
  /** What the capabilities say beside the model; by default that it is a server of this package. */
  readonly introduction?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  /** How long a promise is held open. */
  readonly holdMilliseconds?: number;
  readonly maxContext?: number;
  /** Saves are known by their names, and one that is taken is refused, as SkyRL does; by their numbers otherwise. */
  readonly savesByName?: boolean;
  /** Answers instead of the server, where it gives something; a status of 0 is no answer at all. */
  readonly instead?: (path: string, request: IncomingMessage, body: Buffer) => Reply | undefined;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Requests by path, in order, with their bodies where they are JSON. */
  readonly seen: { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: unknown }[];
  /** What has been carried out on models: `forward_backward`, `optim_step`, `save_weights`, …, with the number of the request. */
  readonly done: { readonly model: string; readonly what: string; readonly seqId: number }[];
}

interface Kept {
  readonly result: Promise<{ readonly bytes: Uint8Array; readonly format: WireFormat }>;
  settled: boolean;
}

interface Model {
  readonly policy: Policy;
  readonly bySequence: Map<number, string>;
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function openTestServer(options: TestServerOptions): Promise<TestServer> {
  const { engine, model, instead, holdMilliseconds = 2000 } = options;
  const folder = mkdtempSync(join(tmpdir(), "sqlm-tinker-server-"));
  const seen: TestServer["seen"] = [];
  const done: TestServer["done"] = [];
  const sessions = new Set<string>();
  const models = new Map<string, Model>();
  const samplers = new Map<string, { readonly player: Player; readonly bySequence: Map<number, string> }>();
  const paths = new Map<string, { readonly folder?: string; readonly player?: Player }>();
  const promises = new Map<string, Kept>();
  const finished: string[] = [];
  let count = 0;
  const next = (kind: string): string => `${kind}-${++count}`;

  const promise = (
    work: () => Promise<unknown>,
    encode: (value: never) => Uint8Array = json,
    format: WireFormat = "json",
  ): string => {
    const id = next("promise");
    const kept: Kept = { settled: false, result: work().then((value) => ({ bytes: encode(value as never), format })) };
    const settle = (): void => {
      kept.settled = true;
      finished.push(id);
    };
    kept.result.then(settle, settle);
    promises.set(id, kept);
    return id;
  };
  const modelOf = (id: string | null | undefined): Model => {
    const found = models.get(id ?? "");
    if (found === undefined) throw new Refusal(404, `Model ${id} not found`);
    return found;
  };
  /** Carries a numbered request out once, whatever comes of a copy. */
  const once = (id: string, what: string, seqId: number, work: (model: Model) => string): string => {
    const found = modelOf(id);
    const before = found.bySequence.get(seqId);
    if (before !== undefined) return before;
    done.push({ model: id, what, seqId });
    const requestId = work(found);
    found.bySequence.set(seqId, requestId);
    return requestId;
  };

  const train = ({ modelId, seqId, data, lossFn, lossConfig, forwardOnly }: TrainingRequest): string =>
    once(modelId, forwardOnly ? "forward" : "forward_backward", seqId, ({ policy }) => {
      const full = data.map((datum) => toDatum(datum, lossFn as LossFn));
      return promise(
        async () => {
          const logprobs = forwardOnly
            ? await policy.score(full.map(({ tokens }) => tokens))
            : (
                await policy.forwardBackward(full, lossFn as LossFn, {
                  clipLow: 1 - Number(lossConfig["clip_low_threshold"] ?? 0.8),
                  clipHigh: Number(lossConfig["clip_high_threshold"] ?? 1.2) - 1,
                })
              ).logprobs;
          return {
            outputType: "test",
            outputs: logprobs.map((row) => ({ logprobs: rowTensor("float32", row.slice(1)) })),
            metrics: {},
          };
        },
        (value) => encodeTrainingResult(value, "protobuf"),
        "protobuf",
      );
    });

  const answer = async (path: string, body: Buffer, headers: IncomingMessage["headers"]): Promise<Reply | unknown> => {
    const message = <Name extends keyof typeof endpoints>(name: Name) =>
      checkMessage(name, endpoints[name].request, readJson(name, body)) as never;
    switch (path) {
      case endpoints.capabilities.path: {
        const { lossFunctions, topP, topK } = engine.capabilities;
        const own = { sqlm: { loss_functions: lossFunctions, top_p: topP, top_k: topK } };
        const context = options.maxContext ?? engine.capabilities.maxSequenceTokens;
        return {
          supported_models: [{ model_name: model, max_context_length: context }],
          ...(options.introduction ?? own),
        };
      }
      case endpoints.clientConfig.path:
        return options.config ?? {};
      case endpoints.createSession.path: {
        const id = next("session");
        sessions.add(id);
        return { session_id: id };
      }
      case endpoints.heartbeat.path: {
        const { session_id: id } = message("heartbeat") as { session_id: string };
        if (!sessions.has(id)) throw new Refusal(404, "Session not found");
        return { type: "session_heartbeat" };
      }
      case endpoints.createModel.path: {
        const id = next("model");
        const policy = await engine.openPolicy();
        models.set(id, { policy, bySequence: new Map() });
        return { request_id: promise(async () => ({ model_id: id })) };
      }
      case endpoints.unloadModel.path: {
        const { model_id: id } = message("unloadModel") as { model_id: string };
        const { policy } = modelOf(id);
        models.delete(id);
        return { request_id: promise(async () => policy[Symbol.asyncDispose]()) };
      }
      case endpoints.forwardBackward.path:
        return { request_id: train(decodeTrainingRequest(body, formatOf(headers["content-type"]))) };
      case endpoints.optimStep.path: {
        const { model_id: id, seq_id: seqId, adam_params: params } = message("optimStep") as Record<string, never>;
        const adam: AdamParams = {
          learningRate: params["learning_rate"],
          beta1: params["beta1"],
          beta2: params["beta2"],
          eps: params["eps"],
          weightDecay: params["weight_decay"],
          gradClipNorm: params["grad_clip_norm"],
        };
        const request_id = once(id, "optim_step", seqId, ({ policy }) =>
          promise(async () => ({ metrics: { "grad_norm:mean": (await policy.optimStep(adam)).metrics["gradNorm"] } })),
        );
        return { request_id };
      }
      case endpoints.saveWeights.path: {
        const { model_id: id, path: name, seq_id: seqId } = message("saveWeights") as Record<string, never>;
        const at = mkdtempSync(join(folder, "state-"));
        const tinkerPath = `tinker://${id}/weights/${name}`;
        if (options.savesByName === true) {
          if (paths.has(tinkerPath)) throw new Refusal(409, `Checkpoint '${name}' already exists for model '${id}'`);
          modelOf(id).bySequence.delete(seqId);
        }
        const request_id = once(id, "save_weights", seqId, ({ policy }) => {
          paths.set(tinkerPath, { folder: at });
          return promise(async () => {
            await policy.save(at, { optimizer: true });
            return { path: tinkerPath };
          });
        });
        return { request_id };
      }
      case endpoints.saveWeightsForSampler.path: {
        const { model_id: id, path: name, seq_id: seqId } = message("saveWeightsForSampler") as Record<string, never>;
        const taken = name ?? `unnamed ${message("saveWeightsForSampler")["sampling_session_seq_id"]}`;
        const samplerPath = `tinker://${id}/sampler_weights/${taken}`;
        if (options.savesByName === true) {
          if (paths.has(samplerPath)) throw new Refusal(409, `Checkpoint '${taken}' already exists for model '${id}'`);
          modelOf(id).bySequence.delete(seqId);
          paths.set(samplerPath, {});
        }
        const request_id = once(id, "save_weights_for_sampler", seqId, ({ policy }) =>
          promise(async () => {
            const player = await policy.freeze();
            if (name != null) {
              paths.set(samplerPath, { player });
              return { path: `tinker://${id}/sampler_weights/${name}` };
            }
            const sampler = next("sampler");
            samplers.set(sampler, { player, bySequence: new Map() });
            return { sampling_session_id: sampler };
          }),
        );
        return { request_id };
      }
      case endpoints.loadWeights.path: {
        const { model_id: id, path: from, optimizer, seq_id: seqId } = message("loadWeights") as Record<string, never>;
        const state = paths.get(from)?.folder;
        if (state === undefined) throw new Refusal(404, `Checkpoint not found: ${from}`);
        if (modelOf(id).bySequence.size > 0)
          throw new Refusal(400, `LoadWeights is not permitted with seq_id ${seqId}`);
        const request_id = once(id, "load_weights", seqId, ({ policy }) =>
          promise(async () => policy.load(state, { optimizer }).then(() => ({ path: from }))),
        );
        return { request_id };
      }
      case endpoints.createSamplingSession.path: {
        const { model_path: from } = message("createSamplingSession") as { model_path?: string };
        const policy = from === undefined ? await engine.openPolicy() : paths.get(from)?.player;
        if (policy === undefined) throw new Refusal(404, `Checkpoint not found: ${from}`);
        const sampler = next("sampler");
        samplers.set(sampler, { player: policy, bySequence: new Map() });
        return { sampling_session_id: sampler };
      }
      case endpoints.sample.path:
        return { request_id: sample(checkMessage("asample", endpoints.sample.request, readJson("asample", body))) };
      case endpoints.retrieveFutures.path: {
        const { prev_cursor: from } = message("retrieveFutures") as { prev_cursor: number };
        const end = performance.now() + holdMilliseconds;
        while (finished.length <= from && performance.now() < end) await new Promise((go) => setTimeout(go, 5));
        const completions = finished.slice(from).map((request_id) => ({ state: "finished", request_id }));
        return { completions, cursor: finished.length };
      }
      case endpoints.retrieveFuture.path:
        return retrieve((message("retrieveFuture") as { request_id: string }).request_id);
      default:
        throw new Refusal(404, "Not Found");
    }
  };

  const sample = (request: ReturnType<typeof endpoints.sample.request.parse>): string => {
    const sampler = samplers.get(request.sampling_session_id ?? "");
    if (sampler === undefined) throw new Refusal(404, "Sampling session not found");
    const { bySequence, player } = sampler;
    const before = bySequence.get(request.seq_id ?? -1);
    if (before !== undefined) return before;
    const promptTokens = tokensOf(request.prompt, "asample");
    const { max_tokens: maxTokens, seed, temperature, top_k: topK, top_p: topP, stop } = request.sampling_params;
    const requestId = promise(
      async () => {
        if (request.prompt_logprobs === true) {
          const [row] = await player.score([promptTokens]);
          return {
            sequences: [{ tokens: [0], logprobs: [0], stopReason: "length" }],
            promptLogprobs: [null, ...row.slice(1)],
          };
        }
        const ask = {
          promptTokens,
          numSamples: request.num_samples,
          seed: seed ?? 0,
          first: request.first_sample ?? 0,
        };
        const [sequences] = await player.sample([ask], {
          maxTokens: maxTokens ?? 16,
          temperature,
          topP,
          topK: Math.max(0, topK),
          stop: (stop as number[] | undefined) ?? engine.tokenizer.endTokens,
        });
        return { sequences };
      },
      (value) => encodeSampleResult(value, "protobuf"),
      "protobuf",
    );
    bySequence.set(request.seq_id ?? -1, requestId);
    return requestId;
  };

  const retrieve = async (requestId: string): Promise<Reply> => {
    const kept = promises.get(requestId);
    if (kept === undefined) throw new Refusal(404, "Future not found");
    const late = new Promise<null>((go) => setTimeout(go, holdMilliseconds, null));
    try {
      const result = await Promise.race([kept.result, late]);
      if (result === null) {
        return jsonReply(futureMessage(requestId, { kind: "waiting", queueState: "active", reason: null }));
      }
      return { status: 200, headers: { "content-type": mediaTypes[result.format] }, body: result.bytes };
    } catch (error) {
      return jsonReply(futureMessage(requestId, { kind: "failed", error: String(error), category: "server" }));
    }
  };

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const path = (request.url ?? "").replace(apiRoot, "");
    const isJson = formatOf(request.headers["content-type"]) === "json" && body.length > 0;
    seen.push({ path, headers: request.headers, body: isJson ? safeJson(body) : null });
    let reply: Reply;
    try {
      reply = instead?.(path, request, body) ?? asReply(await answer(path, body, request.headers));
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 400;
      reply = { status, body: JSON.stringify({ detail: String(error instanceof Error ? error.message : error) }) };
    }
    if (reply.status === 0) return;
    response.writeHead(reply.status, { "content-type": mediaTypes.json, ...reply.headers });
    response.end(reply.body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    done,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value ?? {}));
const jsonReply = (value: unknown): Reply => ({ status: 200, body: json(value) });
const asReply = (value: unknown): Reply =>
  typeof value === "object" && value !== null && "status" in value ? (value as Reply) : jsonReply(value);
const safeJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
};

/** The inverse of client/data.ts: the target of each position is the token after it. */
function toDatum({ tokens, inputs }: TrainingRequest["data"][number], loss: LossFn): Datum {
  const row = (name: string): number[] => [0, ...(inputs[name]?.data ?? tokens.map(() => 0))];
  const advantages = row("advantages");
  const weights = loss === "cross_entropy" ? row("weights") : advantages.map((advantage) => (advantage === 0 ? 0 : 1));
  return {
    tokens: [tokens[0], ...inputs["target_tokens"].data],
    weights,
    logprobs: row("logprobs"),
    advantages,
  };
}
