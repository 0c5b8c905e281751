// A session with a server: found, asked what it is, begun, kept alive. Everything that can be wrong with address, key and
// model is said here, before any work.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { UsageError } from "../../../errors.ts";
import { readJson } from "../wire/body.ts";
import { endpoints } from "../wire/messages.ts";
import { firstLine } from "../wire/said.ts";
import { askOnce, readFirst } from "./ask-once.ts";
import { type Connection, resumeHint, ServerError } from "./connection.ts";
import { type Heartbeat, startHeartbeat } from "./heartbeat/heartbeat.ts";
import { profileOf, type ServerProfile } from "./profile.ts";
import { keepToken } from "./token.ts";

type ClientConfig = z.output<typeof endpoints.clientConfig.response>;

/** The version of the SDK whose dialect is spoken. */
const dialect = "0.25.0";

export interface Session {
  readonly id: string;
  readonly profile: ServerProfile;
  readonly config: ClientConfig;
  /** Longest sequence of the model, in tokens; null where the server does not say. */
  readonly maxSequenceTokens: number | null;
  /** Numbers the session's models, or its samplers, from 0. */
  next(what: "model" | "sampler"): number;
  /** Asks whether the server still knows the session; where it does not, the connection ends with the reason. */
  check(): Promise<void>;
  end(): Promise<void>;
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Throws UsageError where address, key or model are not usable. */
export async function beginSession(connection: Connection, model: string): Promise<Session> {
  const { baseUrl } = connection.options.address;
  const config = await configOf(connection);
  let heartbeat: Heartbeat | null = null;
  const token = config.pjwt_auth_enabled ? await keepToken(connection, (key) => heartbeat?.useToken(key)) : null;
  const capabilities = await askOnce(connection, "GET", endpoints.capabilities.path);
  const served = readFirst(connection, endpoints.capabilities, capabilities).supported_models;
  const names = served.flatMap(({ model_name: name }) => name ?? []);
  const shown = names.slice(0, 12).map((name) => firstLine(name, 100));
  if (names.length > 0 && !names.includes(model)) {
    throw new UsageError(
      `The server ${baseUrl} does not serve the model "${model}".`,
      `Give one that it serves with --model: ${shown.join(", ")}${names.length > 12 ? ", …" : ""}. Where its tokenizer is elsewhere, add --tokenizer, a folder or a GGUF file.`,
    );
  }
  const title = await titleOf(connection);
  const profile = profileOf({ host: new URL(baseUrl).hostname, capabilities: capabilities.bytes, title });
  const body = { tags: [], user_metadata: {}, sdk_version: dialect, type: "create_session" };
  const how = { repeat: "harmless", what: "beginning a session" } as const;
  const { session_id: id, error_message: problem } = await connection.call(endpoints.createSession, body, how);
  if (problem != null && problem !== "") {
    throw new UsageError(
      `The server ${baseUrl} began no session: ${firstLine(problem)}`,
      "See the server's own documentation.",
    );
  }
  const { address, heartbeatSeconds: everySeconds } = connection.options;
  const lost = (status: number): void => {
    const why = `The server ${baseUrl} no longer knows this session (${status}): it was started anew, or heard nothing of it for too long.`;
    connection.end(new ServerError(why, status, resumeHint));
  };
  heartbeat = startHeartbeat({ address, sessionId: id, everySeconds }, (news) => {
    if (news.kind === "lost") lost(news.status);
    else connection.missed(news.seconds, news.reason);
  });
  const counts = { model: 0, sampler: 0 };
  return {
    id,
    profile,
    config,
    maxSequenceTokens: served.find(({ model_name: name }) => name === model)?.max_context_length ?? null,
    next: (what) => counts[what]++,
    check: async () => {
      const body = json({ session_id: id, type: "session_heartbeat" });
      const { path } = endpoints.heartbeat;
      const sending = { method: "POST", path, body, repeat: "harmless", what: "asking for the session" } as const;
      const outcome = await connection.attempt(sending, randomUUID());
      if ("kind" in outcome && outcome.kind === "status" && [404, 410].includes(outcome.status)) lost(outcome.status);
    },
    end: async () => {
      token?.stop();
      await heartbeat.stop();
    },
  };
}

/** The server's wishes. A server that knows no such question gets the defaults. */
async function configOf(connection: Connection): Promise<ClientConfig> {
  const { path } = endpoints.clientConfig;
  const answer = await askOnce(connection, "POST", path, { sdk_version: dialect }, [404, 405]);
  const { bytes, ...rest } = answer;
  return readFirst(connection, endpoints.clientConfig, { ...rest, bytes: bytes.length === 0 ? json({}) : bytes });
}

const descriptionSchema = z.object({ info: z.object({ title: z.string() }) });

/** The title of the server's API description; null where it has none. */
async function titleOf(connection: Connection): Promise<string | null> {
  const sending = {
    method: "GET",
    path: "/openapi.json",
    repeat: "harmless",
    what: "asking the server what it is",
  } as const;
  const outcome = await connection.attempt(sending, randomUUID());
  if ("kind" in outcome) return null;
  try {
    return descriptionSchema.parse(readJson("", outcome.bytes)).info.title;
  } catch {
    return null;
  }
}
