// The routes of the protocol over one service. Leaves listening to serve.ts and the work to the files of requests. Every
// request passes the check of access; every answer that is none is JSON, `{detail}`.
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import { type Access, checkOrigin, equalTokens } from "../../../http/access.ts";
import { checkMessage, formatOf, mediaTypes, readJson } from "../wire/body.ts";
import { apiRoot, endpoints } from "../wire/messages.ts";
import { decodeTrainingRequest } from "../wire/training.ts";
import * as checkpoints from "./checkpoint-requests.ts";
import { digestOf } from "./model.ts";
import * as models from "./model-requests.ts";
import { problemOf, ServerProblem } from "./problem.ts";
import * as samples from "./sample-requests.ts";
import type { Service } from "./service.ts";

export interface AppOptions {
  readonly service: Service;
  /** Read when a request comes: the port is known only once the server listens. */
  readonly access: () => Access;
}

/** Longest body of a request: clients split what they train on into parts of about 5 MB. */
const mostBytes = 2 ** 26;

/** What every client is told that asks for the server's wishes. */
const clientConfig = {
  pjwt_auth_enabled: false,
  // In one after another nothing has to be put in order.
  parallel_fwdbwd_chunks: false,
  proto_compress_fwdbwd: false,
  sample_use_retrieve_futures: true,
};

type Name = keyof typeof endpoints;
type Message<Of extends Name> = z.output<(typeof endpoints)[Of]["request"]>;

/** All routes. */
export function createApp({ service, access }: AppOptions): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Cache-Control", "no-store");
    checkAccess(c, access());
    await next();
  });
  const onError = (): never => {
    throw new ServerProblem(413, `The body is longer than ${mostBytes} bytes: split the request.`);
  };
  app.use(bodyLimit({ maxSize: mostBytes, onError }));
  addSessionRoutes(app, service);
  addModelRoutes(app, service);
  addSampleRoutes(app, service);
  addCheckpointRoutes(app, service);
  app.notFound((c) => {
    const known = c.req.path.startsWith(apiRoot) ? "" : ` The base URL ends before ${apiRoot}.`;
    return c.json({ detail: `There is nothing at ${c.req.method} ${c.req.path.slice(0, 200)} here.${known}` }, 404);
  });
  app.onError((error, c) => {
    const problem = problemOf(error, service.report);
    for (const [name, value] of Object.entries(problem.headers)) c.header(name, value);
    return c.json({ detail: problem.message }, problem.status);
  });
  return app;
}

/** Downloads have a secret name instead of a key. */
const downloads = "downloads/";

/** Throws ServerProblem where the request may not be answered. */
function checkAccess(c: Context, access: Access): void {
  const caller = {
    host: c.req.header("host"),
    origin: c.req.header("origin"),
    fetchSite: c.req.header("sec-fetch-site"),
  };
  const refused = checkOrigin(caller, access, { server: "server" });
  if (refused !== null) throw new ServerProblem(refused.status, refused.message);
  const open = c.req.path === `${apiRoot}healthz` || c.req.path.startsWith(apiRoot + downloads);
  if (open || access.token === null) return;
  const given = c.req.header("x-api-key");
  if (equalTokens(given, access.token)) return;
  const problem = given === undefined ? "The request has no key" : "The key is wrong";
  throw new ServerProblem(401, `${problem}: set TINKER_API_KEY to the one that this server was started with.`);
}

async function readBody<Of extends Name>(c: Context, name: Of): Promise<{ message: Message<Of>; digest: string }> {
  const bytes = new Uint8Array(await c.req.arrayBuffer());
  const { path, request } = endpoints[name];
  const message = checkMessage(path, request, readJson(path, bytes)) as Message<Of>;
  return { message, digest: digestOf(path, bytes) };
}

/** A route that reads its JSON message and answers with JSON. */
function post<Of extends Name>(
  app: Hono,
  name: Of,
  answer: (message: Message<Of>, digest: string, c: Context) => unknown,
): void {
  app.post(apiRoot + endpoints[name].path, async (c) => {
    const { message, digest } = await readBody(c, name);
    return c.json((await answer(message, digest, c)) as object);
  });
}

function addSessionRoutes(app: Hono, service: Service): void {
  const { engine, model, sessions } = service;
  const { lossFunctions, topP, topK, adapter, maxSequenceTokens, coarseSampling = false } = engine.capabilities;
  app.get(apiRoot + endpoints.healthz.path, (c) => c.json({ status: "ok" }));
  app.get(apiRoot + endpoints.capabilities.path, (c) =>
    c.json({
      supported_models: [{ model_name: model.names[0], max_context_length: maxSequenceTokens }],
      sqlm: {
        loss_functions: lossFunctions,
        top_p: topP,
        top_k: topK,
        lora_alpha: adapter?.alpha ?? null,
        lora_rank: adapter?.rank ?? null,
        coarse_sampling: coarseSampling,
      },
    }),
  );
  post(app, "clientConfig", () => clientConfig);
  app.post(`${apiRoot}client/dynamic_config`, (c) => c.json({ refresh_interval_sec: 300 }));
  app.post(`${apiRoot}telemetry`, (c) => c.json({ status: "accepted" }));
  post(app, "createSession", (_, digest, c) => {
    // A retry of the SDK has the key of the first attempt.
    const key = c.req.header("x-idempotency-key");
    const session = sessions.beginOnce(key === undefined ? null : `${key} ${digest}`);
    return {
      type: "create_session",
      session_id: session.id,
      info_message: models.greetingOf(service),
      warning_message: null,
      error_message: null,
    };
  });
  post(app, "heartbeat", ({ session_id }) => {
    sessions.find(session_id);
    return { type: "session_heartbeat" };
  });
}

function addModelRoutes(app: Hono, service: Service): void {
  post(app, "createModel", (message, digest) => models.createModel(service, message, digest));
  post(app, "getInfo", (message) => models.modelInfo(service, message));
  post(app, "unloadModel", (message) => models.unloadModel(service, message));
  post(app, "optimStep", (message, digest) => models.optimStep(service, message, digest));
  post(app, "saveWeights", (message, digest) => models.saveWeights(service, message, digest));
  post(app, "saveExternal", (message, digest) => models.saveExternal(service, message, digest));
  post(app, "saveWeightsForSampler", (message, digest) => models.saveForSampler(service, message, digest));
  post(app, "loadWeights", (message, digest) => models.loadWeights(service, message, digest));
  // Protobuf, or JSON as SDKs before 0.25 sent it.
  for (const { path } of [endpoints.forwardBackward, endpoints.forward]) {
    app.post(apiRoot + path, async (c) => {
      const encoding = c.req.header("content-encoding");
      if (encoding !== undefined && encoding !== "identity") {
        throw new ServerProblem(415, `This server reads no ${encoding.slice(0, 40)}: send the body as it is.`);
      }
      const bytes = new Uint8Array(await c.req.arrayBuffer());
      const request = decodeTrainingRequest(bytes, formatOf(c.req.header("content-type")));
      return c.json(models.pass(service, request, digestOf(path, bytes)));
    });
  }
}

function addSampleRoutes(app: Hono, service: Service): void {
  post(app, "createSamplingSession", (message, digest) => samples.createSamplingSession(service, message, digest));
  post(app, "sample", (message, digest) => samples.sample(service, message, digest));
  app.get(`${apiRoot}samplers/:sampler`, (c) => c.json(samples.samplerInfo(service, c.req.param("sampler"))));
  app.post(apiRoot + endpoints.retrieveFuture.path, async (c) => {
    const { message } = await readBody(c, "retrieveFuture");
    const wanted = { protobuf: formatOf(c.req.header("accept")) === "protobuf", signal: c.req.raw.signal };
    const { status, protobuf, bytes } = await samples.retrieve(service, message, wanted);
    c.header("Content-Type", mediaTypes[protobuf ? "protobuf" : "json"]);
    return c.body(bytes as Uint8Array<ArrayBuffer>, status);
  });
  post(app, "retrieveFutures", (message, _, c) => samples.retrieveMany(service, message, c.req.raw.signal));
}

function addCheckpointRoutes(app: Hono, service: Service): void {
  post(app, "weightsInfo", ({ tinker_path }) => checkpoints.weightsInfo(service, tinker_path));
  const page = (c: Context) => checkpoints.readPage(c.req.query("offset"), c.req.query("limit"));
  app.get(`${apiRoot}training_runs`, (c) => c.json(checkpoints.listRuns(service, page(c))));
  app.get(`${apiRoot}checkpoints`, (c) => c.json(checkpoints.listCheckpoints(service, page(c))));
  app.get(`${apiRoot}training_runs/:run`, (c) => c.json(checkpoints.findRun(service, c.req.param("run"))));
  app.get(`${apiRoot}training_runs/:run/checkpoints`, (c) =>
    c.json(checkpoints.checkpointsOfRun(service, c.req.param("run"))),
  );
  const one = `${apiRoot}training_runs/:run/checkpoints/:kind/:name`;
  // As this server was reached, so that the address holds for whoever asked.
  const address = (c: Context) => (name: string) => new URL(apiRoot + downloads + name, c.req.url).href;
  app.delete(one, (c) => {
    checkpoints.removeCheckpoint(service, c.req.param());
    return c.body(null, 204);
  });
  app.get(`${one}/archive`, (c) => c.json(checkpoints.archiveOf(service, c.req.param(), address(c))));
  app.get(`${one}/external_weights_urls`, (c) => c.json(checkpoints.filesOf(service, c.req.param(), address(c))));
  app.get(`${apiRoot + downloads}:name`, (c) => {
    c.header("Content-Type", "application/octet-stream");
    return c.body(service.downloads.open(c.req.param("name")));
  });
}
