// The server as whoever asks it sees it: what it says, what it refuses, what it says when the store is gone.
import { renameSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import type {
  CompareReply,
  QuestionsReply,
  QuestionView,
  RunState,
  RunsReply,
  StepColumns,
} from "../../src/dashboard/api.ts";
import { type RunningDashboard, type ServeOptions, serveDashboard } from "../../src/dashboard/serve.ts";
import { UsageError } from "../../src/errors.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleConfig } from "../store/helpers.ts";
import { decode, hostileStep, hostileText, newFolder, recordRun, step } from "./example-workspace.ts";
import { pageForTests } from "./page-for-tests.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function serve(workspace: string, change: Partial<ServeOptions> = {}): Promise<RunningDashboard> {
  const options = { workspace, page: pageForTests(), host: "127.0.0.1", port: 0, version: "1.2.3", ...change };
  const dashboard = await serveDashboard({ openDecoder: async () => decode, ...options });
  open.push(dashboard);
  return dashboard;
}

const get = async <Reply>(dashboard: RunningDashboard, path: string): Promise<Reply> => {
  const reply = await fetch(new URL(path, dashboard.url));
  expect(reply.status).toBe(200);
  return (await reply.json()) as Reply;
};

/** A request with headers that `fetch` does not let one set. */
function raw(port: number, path: string, headers: Record<string, string>, method = "GET") {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, headers, method }, (reply) => {
      let body = "";
      reply.on("data", (chunk) => {
        body += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

describe("replies", () => {
  test("a run from its list to one answer", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { steps: 6 });
    const dashboard = await serve(folder);
    const { runs } = await get<RunsReply>(dashboard, "/api/runs");
    expect(runs[0].run).toBe(run);
    const state = await get<RunState>(dashboard, `/api/runs/${run}`);
    expect(state).toMatchObject({ run, status: "finished", lastStep: 6, knowsTruth: true });
    expect((await get<StepColumns>(dashboard, `/api/runs/${run}/steps?from=5`)).steps).toEqual([5, 6]);
    const path = `/api/runs/${run}/questions?orderBy=taught&order=descending&signals=trained`;
    const { questions, total } = await get<QuestionsReply>(dashboard, path);
    expect(total).toBeGreaterThan(0);
    const all = [1, 2, 3, 4, 5, 6].flatMap((n) => step(n).groups).filter(({ signal }) => signal === "trained");
    const most = Math.max(
      ...all.map(({ answers }) => answers.reduce((sum, { advantage }) => sum + Math.abs(advantage), 0)),
    );
    expect(questions[0].taught).toBeCloseTo(most);
    const view = await get<QuestionView>(
      dashboard,
      `/api/runs/${run}/questions/${questions[0].step}/${questions[0].position}`,
    );
    expect(view.forms.flatMap(({ answers }) => answers)).toHaveLength(6);
    expect(await get(dashboard, `/api/runs/${run}/grid/difficulty`)).toHaveProperty("cells");
    expect(await get(dashboard, `/api/runs/${run}/kinds`)).toHaveProperty("kinds");
    expect(await get(dashboard, `/api/runs/${run}/steps/3`)).toMatchObject({ step: 3 });
    expect(await get(dashboard, "/api/workspace")).toMatchObject({ version: "1.2.3" });
  });

  test("runs side by side, by name and by experiment; what is not there is said", async () => {
    const folder = newFolder();
    const trial = { experiment: "e & f", variant: "a", control: null };
    const [a, b] = [await recordRun(folder, { trial }), await recordRun(folder, { trial, config: { seed: 2 } })];
    const dashboard = await serve(folder);
    const named = await get<CompareReply>(dashboard, `/api/compare?runs=${a},nothing,${b}`);
    expect(named.runs.map(({ state }) => state.run)).toEqual([a, b]);
    expect(named.left).toEqual(["nothing"]);
    const whole = await get<CompareReply>(dashboard, `/api/compare?experiment=${encodeURIComponent("e & f")}`);
    expect(whole.runs).toHaveLength(2);
    expect(Object.keys(whole.runs[0].steps.metrics)).not.toContain("loss");
  });

  test("an unknown run, a filter that is none, a path that is none: a sentence each", async () => {
    const folder = newFolder();
    const run = await recordRun(folder);
    const dashboard = await serve(folder);
    for (const path of [
      "/api/runs/nothing",
      `/api/runs/${run}/questions?minAgreement=much`,
      `/api/runs/${run}/questions?signals=nonsense`,
      `/api/runs/${run}/questions?offset=-1`,
      `/api/runs/${run}/questions/1/999`,
      `/api/runs/${run}/steps/999`,
      `/api/runs/${run}/grid/colour`,
      "/api/nothing",
    ]) {
      const reply = await fetch(new URL(path, dashboard.url));
      expect([path, reply.status]).toEqual([path, 404]);
      expect(((await reply.json()) as { message: string }).message).not.toBe("");
    }
    expect((await fetch(new URL("/nothing", dashboard.url))).status).toBe(404);
    expect((await raw(dashboard.port, "/../../../etc/passwd", { host: `localhost:${dashboard.port}` })).status).toBe(
      404,
    );
    expect(
      (await raw(dashboard.port, "/%2e%2e/%2e%2e/package.json", { host: `localhost:${dashboard.port}` })).status,
    ).toBe(404);
  });

  test("text that means harm is data, and JSON says that it is JSON", async () => {
    const folder = newFolder();
    const run = await recordRun(folder, { record: hostileStep, steps: 1 });
    const dashboard = await serve(folder);
    const reply = await fetch(new URL(`/api/runs/${run}/questions/1/0`, dashboard.url));
    expect(reply.headers.get("content-type")).toContain("application/json");
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    const view = (await reply.json()) as QuestionView;
    expect(view.question.text).toBe(hostileText.replace("\ud800", "\ufffd"));
    // What it is cut to is looked at first, so that 100 kB answers cost little.
    const sizes = view.forms.flatMap(({ answers }) => answers.map(({ text }) => text?.pieces.length ?? 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1500);
  });
});

describe("who may ask", () => {
  test("every reply has a strict policy", async () => {
    const folder = newFolder();
    await recordRun(folder);
    const dashboard = await serve(folder);
    for (const path of ["/", "/api/runs", "/api/nothing", "/nothing"]) {
      const reply = await fetch(new URL(path, dashboard.url));
      await reply.arrayBuffer();
      const policy = reply.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain("unsafe");
      expect(policy).toContain("frame-ancestors 'none'");
    }
  });

  test("other hosts, other origins and anything that would change something are refused", async () => {
    const folder = newFolder();
    await recordRun(folder);
    const { port } = await serve(folder);
    const host = `127.0.0.1:${port}`;
    const statusOf = async (headers: Record<string, string>, method?: string): Promise<number> =>
      (await raw(port, "/api/runs", headers, method)).status;
    expect(await statusOf({ host })).toBe(200);
    expect(await statusOf({ host: `evil.example:${port}` })).toBe(403);
    expect(await statusOf({ host, origin: "http://evil.example" })).toBe(403);
    expect(await statusOf({ host, "sec-fetch-site": "cross-site" })).toBe(403);
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
      expect(await statusOf({ host }, method)).toBe(405);
    const refused = await raw(port, "/api/runs", { host, origin: "http://evil.example" });
    expect(refused.headers).not.toHaveProperty("access-control-allow-origin");
  });

  test("beyond this machine it takes the token, which goes into a cookie", async () => {
    const folder = newFolder();
    await recordRun(folder);
    const { url, port } = await serve(folder, { host: "0.0.0.0" });
    const token = new URL(url).searchParams.get("token") ?? expect.fail("no token");
    expect(token.length).toBeGreaterThan(20);
    const host = `laptop.local:${port}`;
    expect((await raw(port, "/api/runs", { host })).status).toBe(401);
    expect((await raw(port, "/", { host })).status).toBe(401);
    expect((await raw(port, `/?token=${token}x`, { host })).status).toBe(401);
    const first = await raw(port, `/?token=${token}`, { host });
    expect(first.status).toBe(303);
    expect(first.headers["location"]).toBe("/");
    const cookie = String(first.headers["set-cookie"]);
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect((await raw(port, "/api/runs", { host, cookie: cookie.split(";")[0] })).status).toBe(200);
  });
});

describe("events", () => {
  /** Reads server-sent events until `enough` says so. */
  async function listen(url: string, enough: (events: { type: string; data: Record<string, unknown> }[]) => boolean) {
    const stop = new AbortController();
    const reply = await fetch(new URL("/api/events", url), { signal: stop.signal });
    expect(reply.headers.get("content-type")).toContain("text/event-stream");
    const events: { type: string; data: Record<string, unknown> }[] = [];
    let rest = "";
    for await (const chunk of reply.body ?? expect.fail("no body")) {
      const parts = `${rest}${new TextDecoder().decode(chunk)}`.split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const type = /^event: (.*)$/m.exec(part)?.[1];
        const data = /^data: (.*)$/m.exec(part)?.[1];
        if (type !== undefined && data !== undefined) events.push({ type, data: JSON.parse(data) });
      }
      if (enough(events)) break;
    }
    stop.abort();
    return events;
  }

  test("tell what is recorded, and of a store that goes away", async () => {
    const folder = newFolder();
    await using workspace = openWorkspace(folder);
    const run = workspace.createRun(exampleConfig());
    const dashboard = await serve(folder);
    const told = listen(dashboard.url, (events) => events.some(({ type }) => type === "problem"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    run.append({ type: "run-start", run: run.run, fromStep: 0, steps: 1 });
    run.append({ type: "step-end", record: step(1) });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await run[Symbol.asyncDispose]();
    renameSync(join(folder, "sqlm.db"), join(folder, "gone.db"));
    const events = await told;
    expect(events[0].type).toBe("hello");
    const recorded = events.filter(({ type }) => type === "event");
    expect(recorded.map(({ data }) => data["event"])).toEqual(["run-start", "step-end"]);
    const reply = await fetch(new URL("/api/runs", dashboard.url));
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ message: expect.stringContaining("no workspace") });
    renameSync(join(folder, "gone.db"), join(folder, "sqlm.db"));
    expect((await get<RunsReply>(dashboard, "/api/runs")).total).toBe(1);
  });
});

describe("the server", () => {
  async function occupy(): Promise<{ port: number; server: Server }> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push({ [Symbol.asyncDispose]: async () => void server.close() });
    return { port: (server.address() as AddressInfo).port, server };
  }

  test("takes the next free port; an address that cannot be listened on is said", async () => {
    const folder = newFolder();
    const { port } = await occupy();
    const dashboard = await serve(folder, { port });
    expect(dashboard.port).toBeGreaterThan(port);
    await expect(serve(folder, { host: "192.0.2.1" })).rejects.toThrow(UsageError);
  });

  test("starts before there is a workspace, says so, and goes on when there is one", async () => {
    const folder = newFolder();
    const dashboard = await serve(folder);
    expect((await fetch(new URL("/api/runs", dashboard.url))).status).toBe(503);
    await recordRun(folder);
    expect((await get<RunsReply>(dashboard, "/api/runs")).total).toBe(1);
  });

  test("a damaged store is a problem, not an end", async () => {
    const folder = newFolder();
    await recordRun(folder);
    const database = new DatabaseSync(join(folder, "sqlm.db"));
    database.exec("PRAGMA user_version = 99");
    database.close();
    const dashboard = await serve(folder);
    const reply = await fetch(new URL("/api/runs", dashboard.url));
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ message: expect.stringContaining("newer version") });
    expect((await fetch(dashboard.url)).status).toBe(200);
  });
});
