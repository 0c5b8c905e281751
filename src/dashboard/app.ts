// The dashboard's replies: JSON about a workspace, its changes as server-sent events, and the page itself. Reads only.
// Leaves listening to serve.ts, who may ask to access.ts, and every question to the store to store/.
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { streamSSE } from "hono/streaming";
import { z } from "zod";
import { SqlmError, UsageError } from "../errors.ts";
import type { Access } from "../http/access.ts";
import type { FollowedStore, StoreChange } from "../store/follow.ts";
import { type Decode, findQuestions, type QuestionFilter, type Reader, runInfo } from "../store/queries.ts";
import { kindMap } from "../store/view-kinds.ts";
import { questionAt, stepAt } from "../store/view-question.ts";
import { findExperiments, findRuns, runState } from "../store/view-runs.ts";
import { questionGrid, stepColumns } from "../store/view-steps.ts";
import { groupSignals } from "../types.ts";
import { checkAccess, securityHeaders } from "./access.ts";
import { type CompareReply, comparedMetrics, mostCompared, type Problem, questionsPerPage } from "./api.ts";
import type { PageFiles } from "./page-files.ts";

export interface AppOptions {
  readonly store: FollowedStore;
  readonly page: PageFiles;
  /** Read when a request comes: the port is known only once the server listens. */
  readonly access: () => Access;
  readonly version: string;
  /** The tokenizer of a run; throws where none is found. */
  readonly openDecoder: (reader: Reader, run: string) => Promise<Decode>;
}

/** All routes. Every request passes the check of access first. */
export function createApp(options: AppOptions): Hono {
  const { store, page, access } = options;
  const app = new Hono();
  app.use(async (c, next): Promise<Response | undefined> => {
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    const { token, port } = access();
    const cookie = `sqlm-${port}`;
    const given = c.req.query("token");
    const refused = checkAccess(
      {
        method: c.req.method,
        page: !c.req.path.startsWith("/api/"),
        host: c.req.header("host"),
        origin: c.req.header("origin"),
        fetchSite: c.req.header("sec-fetch-site"),
        token: given ?? getCookie(c, cookie),
      },
      { token, port },
    );
    if (refused !== null) return c.text(`${refused.message}\n`, refused.status);
    if (token !== null && given !== undefined && c.req.path === "/") {
      // From here on the token is in a cookie, and neither in the address bar nor in the history.
      setCookie(c, cookie, given, { httpOnly: true, sameSite: "Strict", path: "/" });
      return c.redirect("/", 303);
    }
    await next();
    return undefined;
  });
  addRoutes(app, options);
  app.get("/api/events", (c) => sendEvents(c, store));
  app.all("/api/*", (c) => c.json({ message: "There is nothing here.", hint: "" } satisfies Problem, 404));
  app.get("*", (c) => {
    const file = page.get(c.req.path === "/" ? "/index.html" : c.req.path);
    if (file === undefined) return c.text("There is nothing here.\n", 404);
    const packed = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "") ? file.gzip : null;
    c.header("Content-Type", file.type);
    // Names of assets change with their content; the page itself is asked for every time.
    c.header("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-store");
    c.header("Vary", "Accept-Encoding");
    if (packed !== null) c.header("Content-Encoding", "gzip");
    return c.body((packed ?? file.bytes) as Uint8Array<ArrayBuffer>);
  });
  app.onError((error, c) => {
    const { status, problem } = describe(error);
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    return c.json(problem, status);
  });
  return app;
}

function addRoutes(app: Hono, { store, version, openDecoder }: AppOptions): void {
  const decoders = decoderCache(store, openDecoder);
  // What comes of the store being gone is told apart from what is not found in it.
  app.use("/api/*", async (c, next): Promise<Response | undefined> => {
    c.header("Cache-Control", "no-store");
    if (c.req.path !== "/api/events") {
      try {
        store.read(() => undefined);
      } catch (error) {
        return c.json(describe(error).problem, 503);
      }
    }
    await next();
    return undefined;
  });
  const run = (c: Context): string => c.req.param("run") ?? "";
  app.get("/api/workspace", (c) =>
    c.json(store.read((reader) => ({ folder: store.folder, version, experiments: findExperiments(reader) }))),
  );
  app.get("/api/runs", (c) => {
    const search = given(parse(runsQuery, c.req.query()));
    return c.json(store.read((reader) => findRuns(reader, search)));
  });
  app.get("/api/compare", (c) => c.json(store.read((reader) => compare(reader, parse(compareQuery, c.req.query())))));
  app.get("/api/runs/:run", (c) => c.json(store.read((reader) => runState(reader, run(c)))));
  app.get("/api/runs/:run/steps", (c) => {
    const { from } = parse(stepsQuery, c.req.query());
    return c.json(store.read((reader) => stepColumns(reader, run(c), { from })));
  });
  app.get("/api/runs/:run/grid/:scale", (c) => {
    const { scale } = parse(scaleParameter, c.req.param());
    return c.json(store.read((reader) => questionGrid(reader, run(c), scale)));
  });
  app.get("/api/runs/:run/kinds", (c) => c.json(store.read((reader) => kindMap(reader, run(c)))));
  app.get("/api/runs/:run/questions", (c) => {
    const filter = readFilter(c.req.query());
    return c.json(store.read((reader) => findQuestions(reader, run(c), filter)));
  });
  app.get("/api/runs/:run/steps/:step", async (c) => {
    const { step } = parse(stepParameter, c.req.param());
    const decode = await decoders(run(c));
    return found(
      c,
      store.read((reader) => stepAt(reader, run(c), step, decode)),
    );
  });
  app.get("/api/runs/:run/questions/:step/:position", async (c) => {
    const { step, position } = parse(questionParameters, c.req.param());
    const decode = await decoders(run(c));
    return found(
      c,
      store.read((reader) => questionAt(reader, run(c), step, position, decode)),
    );
  });
}

function found(c: Context, value: object | null): Response {
  if (value !== null) return c.json(value);
  return c.json({ message: "This run has no such step or question.", hint: "It may have been done again." }, 404);
}

/** Opens each run's tokenizer once; null where there is none, which is tried again later. */
function decoderCache(store: FollowedStore, open: AppOptions["openDecoder"]): (run: string) => Promise<Decode | null> {
  const known = new Map<string, Decode>();
  return async (name) => {
    const { run, created } = store.read((reader) => runInfo(reader, name));
    // A run may be removed, and another made under its name.
    const key = `${run} ${created}`;
    const cached = known.get(key);
    if (cached !== undefined) return cached;
    try {
      const decode = await store.read((reader) => open(reader, run));
      if (known.size >= 16) known.delete([...known.keys()][0]);
      known.set(key, decode);
      return decode;
    } catch (error) {
      // A question can be shown without its tokens: its model may have been removed.
      if (error instanceof SqlmError) return null;
      throw error;
    }
  };
}

const count = z.coerce.number().int().min(0);
const number = z.coerce.number();
const runsQuery = z.object({
  text: z.string().optional(),
  experiment: z.string().optional(),
  limit: count.max(200).optional(),
  offset: count.optional(),
});
const compareQuery = z.object({ runs: z.string().optional(), experiment: z.string().optional() });
const stepsQuery = z.object({ from: count.default(1) });
const scaleParameter = z.object({ scale: z.enum(["difficulty", "solveRate"]) });
const stepParameter = z.object({ step: count });
const questionParameters = z.object({ step: count, position: count });
const questionsQuery = z.object({
  fromStep: count.optional(),
  toStep: count.optional(),
  minAgreement: number.optional(),
  maxAgreement: number.optional(),
  minDifficulty: number.optional(),
  maxDifficulty: number.optional(),
  signals: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(groupSignals)))
    .optional(),
  label: z.enum(["right", "wrong"]).optional(),
  text: z.string().optional(),
  orderBy: z.enum(["step", "agreement", "difficulty", "taught"]).default("step"),
  order: z.enum(["ascending", "descending"]).default("ascending"),
  offset: count.default(0),
});

/** Throws UsageError for a request that says something else than it may. */
function parse<Schema extends z.ZodType>(schema: Schema, given: Readonly<Record<string, string>>): z.output<Schema> {
  const filled = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(filled);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${issue.path.join(".")}: ${issue.message}`, "Change the filter.");
}

function readFilter(query: Readonly<Record<string, string>>): QuestionFilter {
  const { label, order, ...filter } = parse(questionsQuery, query);
  return given({
    ...filter,
    labelRight: label === undefined ? undefined : label === "right",
    descending: order === "descending",
    limit: questionsPerPage,
  });
}

/** The keys that have a value. */
function given<Value extends object>(value: Value): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Value]: Exclude<Value[Key], undefined> };
}

function compare(reader: Reader, { runs, experiment }: z.output<typeof compareQuery>): CompareReply {
  const asked =
    experiment === undefined
      ? (runs ?? "").split(",").filter((name) => name !== "")
      : // Oldest first, as the experiment played them.
        findRuns(reader, { experiment, limit: mostCompared + 1 })
          .runs.map((row) => row.run)
          .reverse();
  const left: string[] = asked.slice(mostCompared);
  const compared = asked.slice(0, mostCompared).flatMap((run) => {
    try {
      const steps = stepColumns(reader, run, { points: 300, names: comparedMetrics });
      return [{ state: runState(reader, run), steps }];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      left.push(run);
      return [];
    }
  });
  return { runs: compared, left };
}

/** Changes that wait for a reader who does not read; more, and the connection ends: it is told all anew when it is back. */
const mostWaiting = 500;
const heartbeatMilliseconds = 15_000;

/** Sends changes of one run, or of all, as they come. */
function sendEvents(c: Context, store: FollowedStore): Response {
  const run = c.req.query("run");
  return streamSSE(c, async (stream) => {
    const ended = Promise.withResolvers<void>();
    let waiting = 0;
    const send = (type: string, data: object): void => {
      waiting++;
      if (waiting > mostWaiting) ended.resolve();
      stream.writeSSE({ event: type, data: JSON.stringify(data) }).then(() => waiting--, ended.resolve);
    };
    // Whoever connects, for the first time or again, compares what it has with this.
    const hello = (): number | null => {
      try {
        return store.lastEvent();
      } catch (error) {
        send("problem", describe(error).problem);
        return null;
      }
    };
    send("hello", { lastEvent: hello() });
    const stop = store.follow((change: StoreChange) => {
      if (run !== undefined && "run" in change && change.run !== run) return;
      send(change.type, change);
    });
    const heartbeat = setInterval(() => void stream.write(": still here\n\n"), heartbeatMilliseconds);
    stream.onAbort(ended.resolve);
    await ended.promise;
    clearInterval(heartbeat);
    stop();
  });
}

function describe(error: unknown): { readonly status: 404 | 500 | 503; readonly problem: Problem } {
  if (error instanceof UsageError) return { status: 404, problem: { message: error.message, hint: error.hint } };
  if (error instanceof SqlmError) return { status: 503, problem: { message: error.message, hint: error.hint } };
  const message = error instanceof Error ? error.message : String(error);
  return { status: 500, problem: { message: `The dashboard failed: ${message}`, hint: "The run is not affected." } };
}
