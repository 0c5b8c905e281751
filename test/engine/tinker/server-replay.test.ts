// What the official SDK was recorded to send to servers of others, sent to this one: every request is understood, and every
// answer is one that the wire reads. Names that a server gave are those of this one.
import { expect, test } from "vitest";
import { checkMessage } from "../../../src/engine/tinker/wire/body.ts";
import { readFutureAnswer } from "../../../src/engine/tinker/wire/futures.ts";
import { apiRoot, endpoints } from "../../../src/engine/tinker/wire/messages.ts";
import { decodeSampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import { decodeTrainingResult } from "../../../src/engine/tinker/wire/training-result.ts";
import { bytesOf, type Capture, captures, type Exchange, endpointOf } from "./captures.ts";
import { served } from "./served.ts";

const nameFields = ["session_id", "model_id", "request_id", "sampling_session_id", "path"] as const;
const decoders = { Sample: decodeSampleResult, ForwardBackward: decodeTrainingResult, Forward: decodeTrainingResult };

/** Of a recorded answer and of ours to the same request: the names that they give to one thing. */
function learnNames(names: Map<string, string>, recorded: unknown, ours: unknown): void {
  if (typeof recorded !== "object" || recorded === null || typeof ours !== "object" || ours === null) return;
  for (const field of nameFields) {
    const [from, to] = [recorded, ours].map((one) => (one as Record<string, unknown>)[field]);
    if (typeof from === "string" && typeof to === "string") names.set(from, to);
  }
}

const jsonOf = (body: Exchange["response"]["body"]): unknown => (body !== null && "json" in body ? body.json : null);

interface Promised {
  readonly request_id?: string;
  readonly sampling_session_id?: string;
}

/** What the servers of the captures refused, or this one does: by a part of the request. */
const parts = [/"topk_prompt_logprobs": ?[1-9]/, /dro/, /no_such_loss/, /\/nope/];
const isRefused = (sent: string): boolean =>
  parts.some((part) => part.test(sent)) || (sent.includes("ppo") && !sent.includes("logprobs"));

async function replay({ exchanges }: Capture): Promise<Map<string, number>> {
  const server = served({ holdSeconds: 5, gapSeconds: 0.01 });
  const names = new Map([["tiny-qwen3", "tiny"]]);
  const counts = new Map<string, number>();
  /** Promises of what this server does not do. */
  const failing = new Set<string>();
  const rename = (text: string): string => {
    // The longest first: a path holds the name of its model.
    for (const [from, to] of [...names].sort((a, b) => b[0].length - a[0].length)) {
      // Request ids of some servers are bare numbers, which stand in quotes.
      text = /^\d+$/.test(from) ? text.replaceAll(`"${from}"`, `"${to}"`) : text.replaceAll(from, to);
    }
    return text;
  };
  for (const { method, path, request, response } of exchanges) {
    // Failures of the servers that were recorded are no part of what is asked here.
    if (response.status >= 400 && !path.endsWith("dynamic_config")) continue;
    const binary = request.body !== null && "protobuf" in request.body;
    let body: string | Uint8Array | undefined = request.body === null ? undefined : bytesOf(request.body);
    if (body !== undefined) {
      const text = rename(Buffer.from(body).toString("latin1"));
      // A name of another length stands in a field whose length is written before it.
      body = binary ? relabel(Buffer.from(body), names) : text;
    }
    const answer = await server.send(method, rename(path), body, {
      "content-type": request.headers["content-type"] ?? "application/json",
      accept: request.headers["accept"] ?? "application/json",
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    const kind = path.slice(apiRoot.length).split("?")[0].split("/")[0];
    if (isRefused(Buffer.from(body ?? "").toString("latin1"))) {
      learnNames(names, jsonOf(response.body), JSON.parse(text));
      const made = (answer.status === 200 ? JSON.parse(text) : (jsonOf(response.body) ?? {})) as Promised;
      for (const name of [made.request_id, made.sampling_session_id]) if (name !== undefined) failing.add(name);
      continue;
    }
    // Asks for what was refused.
    if (answer.status === 404 && [...failing].some((name) => `${path} ${String(body)}`.includes(name))) continue;
    expect(answer.status, `${method} ${path}: ${text.slice(0, 300)}`).toBe(200);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const name = endpointOf({ method, path });
    const type = request.headers["x-tinker-request-type"] as keyof typeof decoders;
    if (name === "retrieveFuture") {
      const future = readFutureAnswer(answer.headers.get("content-type"), bytes);
      const asked = JSON.parse(String(body)) as Promised;
      const wanted = failing.has(asked.request_id ?? "") ? "failed" : "result";
      expect(future.kind, text.slice(0, 300)).toBe(wanted);
      if (wanted === "failed") continue;
      if (type in decoders) decoders[type](bytes, future.kind === "result" ? future.format : "json");
      else learnNames(names, jsonOf(response.body), JSON.parse(text));
    } else if (name !== null) {
      checkMessage(name, endpoints[name].response, JSON.parse(text));
      learnNames(names, jsonOf(response.body), JSON.parse(text));
    }
  }
  expect(server.reported).toEqual([]);
  return counts;
}

/** The model's name is the first field of a training request: its length and itself. */
function relabel(bytes: Buffer, names: ReadonlyMap<string, string>): Uint8Array {
  const old = bytes.subarray(2, 2 + bytes[1]).toString();
  const own = Buffer.from(names.get(old) ?? old);
  return Buffer.concat([Buffer.from([bytes[0], own.length]), own, bytes.subarray(2 + bytes[1])]);
}

test.each(captures.filter(({ name }) => !name.startsWith("openrl")).map((capture) => [capture.name, capture] as const))(
  "%s",
  async (_, capture) => {
    const counts = await replay(capture);
    for (const kind of ["create_model", "forward_backward", "optim_step", "asample", "retrieve_future"]) {
      expect(counts.get(kind) ?? 0, kind).toBeGreaterThan(0);
    }
  },
);
