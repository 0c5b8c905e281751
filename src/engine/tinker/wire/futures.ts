// What `retrieve_future` answers: the result, or how the request stands. And what a server says of a request that it
// refuses, which every server says in its own way.
import { z } from "zod";
import { checkMessage, formatOf, readJson, type WireFormat } from "./body.ts";
import { firstLine } from "./said.ts";
import { WireError } from "./wire-error.ts";

const queueStates = ["active", "paused_capacity", "paused_rate_limit"] as const;
type QueueState = (typeof queueStates)[number];

const categories = ["unknown", "server", "user"] as const;
type FailureCategory = (typeof categories)[number];

export type FutureAnswer =
  | { readonly kind: "result"; readonly format: WireFormat; readonly bytes: Uint8Array }
  /** To be asked again at once: the server has held the request open for as long as it does. */
  | { readonly kind: "waiting"; readonly queueState: QueueState | null; readonly reason: string | null }
  /** The result is this large; it is sent when asked for with `allow_metadata_only: false`. */
  | { readonly kind: "large"; readonly bytes: number }
  | { readonly kind: "failed"; readonly error: string; readonly category: FailureCategory };

const answerSchema = z.object({
  type: z.string().nullish(),
  queue_state: z.string().nullish(),
  queue_state_reason: z.string().nullish(),
  status: z.string().nullish(),
  response_payload_size: z.number().min(0).nullish(),
  error: z.string().nullish(),
  category: z.string().nullish(),
});

const expected = "FutureRetrieveResponse";

/** Reads an answer with status 2xx. Throws WireError for what is no JSON object and not said to be protobuf. */
export function readFutureAnswer(contentType: string | null, bytes: Uint8Array): FutureAnswer {
  const format = formatOf(contentType);
  if (format === "protobuf") return { kind: "result", format, bytes };
  const value = readJson(expected, bytes);
  // A result may have fields of these names with other meanings: only the ones that say so are no results.
  const { success, data } = answerSchema.safeParse(value);
  if (!success) {
    if (typeof value !== "object" || value === null) throw new WireError(expected, "the body is no JSON object");
    return { kind: "result", format, bytes };
  }
  if (data.type === "try_again") return { kind: "waiting", ...queueOf(data) };
  if (data.status === "complete_metadata") return { kind: "large", bytes: data.response_payload_size ?? 0 };
  if (data.error != null) {
    return {
      kind: "failed",
      error: data.error,
      category: categories.find((name) => name === data.category) ?? "unknown",
    };
  }
  return { kind: "result", format, bytes };
}

/** How the queue stands, from the body of an answer with status 408, which may have none. */
export function readQueueState(
  bytes: Uint8Array,
): Pick<Extract<FutureAnswer, { kind: "waiting" }>, "queueState" | "reason"> {
  try {
    return queueOf(checkMessage(expected, answerSchema, readJson(expected, bytes)));
  } catch {
    return { queueState: null, reason: null };
  }
}

function queueOf({ queue_state: state, queue_state_reason: reason }: z.output<typeof answerSchema>) {
  return { queueState: queueStates.find((name) => name === state) ?? null, reason: reason ?? null };
}

/** The JSON of an answer that is no result. */
export function futureMessage(requestId: string, answer: Exclude<FutureAnswer, { kind: "result" }>): unknown {
  switch (answer.kind) {
    case "waiting":
      return {
        type: "try_again",
        request_id: requestId,
        queue_state: answer.queueState ?? "active",
        queue_state_reason: answer.reason ?? undefined,
      };
    case "large":
      return { status: "complete_metadata", response_payload_size: answer.bytes };
    case "failed":
      return { error: answer.error, category: answer.category };
  }
}

const problemSchema = z.object({
  detail: z.unknown().optional(),
  error: z.unknown().optional(),
  error_message: z.unknown().optional(),
  message: z.unknown().optional(),
});
const detailSchema = z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])).nullish(), msg: z.string() }));

/**
 * What the body of a refusal says, in a line of at most 300 characters; an empty text where it says nothing. Known are
 * `{detail}` as text or as a list of what is wrong with which field, `{error}`, `{error_message}`, `{message}`, and plain text.
 */
export function problemOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 100_000)).trim();
  let said = text.startsWith("<") ? "" : text;
  try {
    const { detail, error, error_message, message } = problemSchema.parse(JSON.parse(text));
    const list = detailSchema.safeParse(detail);
    said = list.success
      ? list.data.map(({ loc, msg }) => [...(loc?.length ? [loc.slice(-2).join(".")] : []), msg].join(": ")).join("; ")
      : ([detail, error_message, error, message].find((value): value is string => typeof value === "string") ?? "");
  } catch {
    // No JSON object: what was sent is all there is.
  }
  return firstLine(said.replace(/\s+/g, " "));
}
