// The server's routes without a socket, over a scripted engine: what is sent, what comes back, and what came of promises.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Engine } from "../../../src/engine/engine.ts";
import { createScriptedEngine, type ScriptedRequest } from "../../../src/engine/scripted.ts";
import { createApp } from "../../../src/engine/tinker/server/app.ts";
import { Service, type ServiceOptions } from "../../../src/engine/tinker/server/service.ts";
import { apiRoot } from "../../../src/engine/tinker/wire/messages.ts";
import { encodeTrainingRequest, rowTensor, type TrainingRequest } from "../../../src/engine/tinker/wire/training.ts";

const open: Service[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-tinker-server-"));
  folders.push(folder);
  return folder;
}

interface Reply<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface Served {
  readonly service: Service;
  readonly engine: Engine;
  /** Errors that were no client's doing. */
  readonly reported: unknown[];
  readonly folder: string;
  send(method: string, path: string, body?: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  post<Body = Record<string, never>>(
    path: string,
    body: object,
    headers?: Record<string, string>,
  ): Promise<Reply<Body>>;
  get<Body = Record<string, never>>(path: string): Promise<Reply<Body>>;
  /** Posts, and gives the result of the promise. */
  done<Result = Record<string, never>>(path: string, body: object): Promise<Result>;
  /** Sends a training request as protobuf; gives its promise. */
  pass(request: Partial<TrainingRequest> & Pick<TrainingRequest, "modelId">): Promise<Reply<{ request_id: string }>>;
  result<Result = Record<string, never>>(requestId: string): Promise<Result>;
  session(): Promise<string>;
  /** A new model of a new session. */
  model(): Promise<{ readonly session: string; readonly id: string }>;
  sampler(of?: object): Promise<string>;
}

export interface ServedChange extends Partial<ServiceOptions> {
  readonly key?: string;
  readonly reply?: (request: ScriptedRequest) => string;
}

export function served({ key, reply = ({ prompt }) => prompt, ...change }: ServedChange = {}): Served {
  const engine = change.engine ?? createScriptedEngine({ reply, maxSequenceTokens: 64 });
  const reported: unknown[] = [];
  const folder = change.folder ?? newFolder();
  const model = { names: ["tiny", "models/tiny"] as const, tokenizer: null, architecture: "llama" };
  const service = new Service({ model, report: (error) => reported.push(error), ...change, engine, folder });
  open.push(service);
  const app = createApp({ service, access: () => ({ port: 4770, token: key ?? null }) });

  const send: Served["send"] = async (method, path, body, headers = {}) =>
    app.request(`http://127.0.0.1:4770${path.startsWith("/") ? path : apiRoot + path}`, {
      method,
      headers: { host: "127.0.0.1:4770", ...(key === undefined ? {} : { "x-api-key": key }), ...headers },
      ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
    });
  const read = async <Body>(response: Response): Promise<Reply<Body>> => {
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as Body };
  };
  const json = { "content-type": "application/json" };
  const result: Served["result"] = async (request_id) => {
    const { body } = await read(await send("POST", "retrieve_future", JSON.stringify({ request_id }), json));
    return body as never;
  };
  const all: Served = {
    service,
    engine,
    reported,
    folder,
    send,
    post: async (path, body, headers = {}) =>
      read(await send("POST", path, JSON.stringify(body), { ...json, ...headers })),
    get: async (path) => read(await send("GET", path)),
    done: async (path, body) => {
      const { status, body: promise } = await all.post<{ request_id: string }>(path, body);
      if (status !== 200) throw new Error(`${path} answered ${status}: ${JSON.stringify(promise)}`);
      return result(promise.request_id);
    },
    pass: async ({ modelId, seqId = 0, data = [], lossFn = "cross_entropy", lossConfig = {}, forwardOnly = false }) => {
      const bytes = encodeTrainingRequest({ modelId, seqId, data, lossFn, lossConfig, forwardOnly }, "protobuf");
      return read(await send("POST", "forward_backward", bytes, { "content-type": "application/x-protobuf" }));
    },
    result,
    session: async () => (await all.post<{ session_id: string }>("create_session", { tags: [] })).body.session_id,
    model: async () => {
      const session = await all.session();
      const made = await all.done<{ model_id: string }>("create_model", {
        session_id: session,
        model_seq_id: 0,
        base_model: "tiny",
        lora_config: { rank: 8 },
      });
      return { session, id: made.model_id };
    },
    sampler: async (of = { base_model: "tiny" }) => {
      const session_id = await all.session();
      const message = { session_id, sampling_session_seq_id: 0, ...of };
      const { body } = await all.post<{ sampling_session_id: string }>("create_sampling_session", message);
      return body.sampling_session_id;
    },
  };
  return all;
}

export const codes = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0) ?? 0);

/** A datum of cross-entropy over a text, all of which trains but what `untrained` says. */
export function datumOf(text: string, untrained = 0): TrainingRequest["data"][number] {
  const tokens = codes(text);
  const targets = tokens.slice(1);
  return {
    tokens: tokens.slice(0, -1),
    inputs: {
      target_tokens: rowTensor("int64", targets),
      weights: rowTensor(
        "float32",
        targets.map((_, i) => (i < untrained ? 0 : 1)),
      ),
    },
  };
}

export const prompt = (text: string) => ({ chunks: [{ type: "encoded_text", tokens: codes(text) }] });
