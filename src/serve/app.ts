// The routes: models, chat completions and completions of the OpenAI protocol, over one player. Leaves listening to serve.ts,
// what a request may say to parameters.ts, and sampling together to batcher.ts.
import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Player } from "../engine/engine.ts";
import { type Access, checkOrigin, equalTokens } from "../http/access.ts";
import type { Batcher } from "./batcher.ts";
import { Channel } from "./channel.ts";
import { readChat, readCompletion } from "./parameters.ts";
import { type Plan, planChat, planCompletion } from "./plan.ts";
import { Problem, problemOf } from "./problem.ts";
import { chatReplies, completionReplies, type ReplyFacts, type ReplyKind } from "./replies.ts";
import { ReplyStream } from "./reply-stream.ts";

export interface AppOptions {
  readonly player: Player;
  /** Samples with that player. */
  readonly batcher: Batcher;
  /** The name that requests give the model. */
  readonly model: string;
  /** Tokens of a reply where a request names no number. */
  readonly maxTokens: number;
  /** Read when a request comes: the port is known only once the server listens. */
  readonly access: () => Access;
  /** Told of every error that is no client's doing. */
  readonly report: (error: unknown) => void;
}

/** Longest body of a request, in bytes. */
const mostBytes = 1 << 20;

/** How often a stream that still waits for its text says so, in milliseconds: what says nothing is cut off on the way. */
const heartbeatMilliseconds = 15_000;

/** What a route has made of a request's body. */
interface Job extends Plan {
  readonly kind: ReplyKind;
  readonly stops: readonly string[];
  readonly logprobs: boolean;
  readonly alternatives: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** All routes. Every request passes the check of access first. */
export function createApp(options: AppOptions): Hono {
  const { player, model, maxTokens, access, report } = options;
  const app = new Hono();
  app.use(async (c, next) => {
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Cache-Control", "no-store");
    checkAccess(c, access());
    await next();
  });
  const started = Math.floor(Date.now() / 1000);
  const card = { id: model, object: "model", created: started, owned_by: "sqlm" };
  app.get("/v1/models", (c) => c.json({ object: "list", data: [card] }));
  // A hub id has a slash, which clients may or may not write as %2F.
  app.get("/v1/models/*", (c) => {
    const asked = c.req.path.slice("/v1/models/".length);
    checkModel(decoded(asked), model);
    return c.json(card);
  });
  const limit = bodyLimit({
    maxSize: mostBytes,
    onError: () => {
      throw new Problem(`The body is longer than ${mostBytes} bytes.`, { status: 413 });
    },
  });
  app.post("/v1/chat/completions", limit, async (c) => {
    const read = readChat(await readJson(c));
    checkModel(read.model, model);
    const { logprobs, top_logprobs: alternatives } = read;
    const plan = planChat(player, read, { maxTokens });
    return answer(c, options, { ...plan, ...streaming(read), kind: chatReplies, logprobs, alternatives });
  });
  app.post("/v1/completions", limit, async (c) => {
    const read = readCompletion(await readJson(c));
    checkModel(read.model, model);
    const { logprobs: alternatives } = read;
    const wanted = { logprobs: alternatives !== undefined, alternatives: alternatives ?? 0 };
    const plan = planCompletion(player, read, { maxTokens });
    return answer(c, options, { ...plan, ...streaming(read), kind: completionReplies, ...wanted });
  });
  const posts = ["/v1/chat/completions", "/v1/completions"];
  app.all("*", (c) => {
    if (posts.includes(c.req.path)) {
      throw new Problem("This takes POST requests.", { status: 405, headers: { Allow: "POST" } });
    }
    const known = ["/v1/models", ...posts].join(", ");
    throw new Problem(`There is nothing at ${c.req.method} ${c.req.path}; there are ${known}.`, { status: 404 });
  });
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.status === 500) report(error);
    for (const [name, value] of Object.entries(problem.headers)) c.header(name, value);
    return c.json(problem.reply, problem.status);
  });
  return app;
}

/** Throws Problem where the request may not be answered. */
function checkAccess(c: Context, access: Access): void {
  const caller = {
    host: c.req.header("host"),
    origin: c.req.header("origin"),
    fetchSite: c.req.header("sec-fetch-site"),
  };
  const refused = checkOrigin(caller, access, { server: "server" });
  if (refused !== null) throw new Problem(refused.message, { status: refused.status });
  const [, given] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  if (access.token !== null && !equalTokens(given, access.token)) {
    throw new Problem("The key is missing or wrong: send it as `Authorization: Bearer KEY`.", {
      status: 401,
      code: "invalid_api_key",
      headers: { "WWW-Authenticate": "Bearer" },
    });
  }
}

function checkModel(asked: string, model: string): void {
  if (asked === model) return;
  const says = `There is no model ${JSON.stringify(asked)} here; this server has ${JSON.stringify(model)}.`;
  throw new Problem(says, { status: 404, param: "model", code: "model_not_found" });
}

/** A part of a path without its escapes; as it is where they are none. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The body as JSON. What a page of another origin can send without asking first is never of this type. */
async function readJson(c: Context): Promise<unknown> {
  const [type] = (c.req.header("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw new Problem("The body must be JSON, with the header Content-Type: application/json.", { status: 415 });
  }
  const text = await c.req.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    const says = cause instanceof Error ? cause.message : String(cause);
    throw new Problem(`The body is not JSON: ${says}`, { status: 400 });
  }
}

function streaming(read: ReturnType<typeof readChat> | ReturnType<typeof readCompletion>) {
  const { stop: stops, stream, stream_options: { include_usage: includeUsage = false } = {} } = read;
  return { stops, stream, includeUsage };
}

async function answer(c: Context, { batcher, player, model, report }: AppOptions, job: Job): Promise<Response> {
  const { kind, asks, options, stops, logprobs, alternatives } = job;
  const facts: ReplyFacts = {
    id: `${kind.idPrefix}-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model,
    prompts: asks,
    logprobs,
    alternatives,
  };
  const chunks = new Channel<object>();
  const onChunk = job.stream ? (chunk: object) => chunks.push(chunk) : null;
  const reply = new ReplyStream({ kind, facts, tokenizer: player.tokenizer, options, stops, onChunk });
  const gone = new AbortController();
  const signal = AbortSignal.any([c.req.raw.signal, gone.signal]);
  const sampling = batcher.sample(asks, options, (piece) => reply.add(piece), signal);
  // A request need not wait for those that are sampled with it.
  const done = Promise.race([sampling, reply.over]);
  if (!job.stream) {
    await done;
    return c.json(kind.whole(facts, reply.choices));
  }
  // What is refused at once is refused with a status; later it can only be said in the stream.
  await Promise.race([done, new Promise((resolve) => setImmediate(resolve))]);
  void done.then(
    () => chunks.close(),
    () => chunks.close(),
  );
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => gone.abort());
    const heartbeat = setInterval(() => void stream.write(": still waiting\n\n"), heartbeatMilliseconds);
    try {
      await sendChunks(stream, chunks, job.includeUsage);
      await done;
      if (job.includeUsage) await send(stream, kind.usageChunk(facts, reply.choices));
      await stream.writeSSE({ data: "[DONE]" });
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 500) report(error);
      await send(stream, problem.reply);
    } finally {
      clearInterval(heartbeat);
    }
  });
}

const send = (stream: SSEStreamingApi, data: object): Promise<void> => stream.writeSSE({ data: JSON.stringify(data) });

async function sendChunks(stream: SSEStreamingApi, chunks: Channel<object>, includeUsage: boolean): Promise<void> {
  for await (const chunk of chunks) {
    if (stream.aborted) return;
    await send(stream, includeUsage ? { ...chunk, usage: null } : chunk);
  }
}
