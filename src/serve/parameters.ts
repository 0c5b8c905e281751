// Which parameters of the OpenAI protocol a request may have, and with which values. One that would change the reply and is
// not honoured is refused by name, never ignored.
import { z } from "zod";
import { didYouMean } from "../errors.ts";
import { badParameter } from "./problem.ts";

const mostChoices = 128;
const flag = z.boolean("must be true or false");
const text = z.string("must be a string");
// Half a character would be cut out of whole ones.
const stopText = text.min(1, "must not be empty").refine((one) => one.isWellFormed(), "must be whole characters");
const tokenCount = z.int("must be a whole number").min(1, "must be at least 1");

const shared = {
  model: z.string("is needed: the name of the model"),
  n: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(mostChoices, `must be at most ${mostChoices}`)
    .default(1),
  // Larger numbers have lost their last digits on the way through JSON.
  seed: z.int("must be a whole number of at most 53 bits").optional(),
  temperature: z
    .number("must be a number from 0 to 2")
    .min(0, "must be at least 0")
    .max(2, "must be at most 2")
    .default(1),
  top_p: z
    .number("must be a number above 0 and up to 1")
    .gt(0, "must be above 0")
    .max(1, "must be at most 1")
    .default(1),
  stop: z
    .union(
      [stopText.transform((one) => [one]), z.array(stopText).max(4, "must have at most 4 strings")],
      "must be a string, or up to 4 strings, none of them empty",
    )
    .default([]),
  stream: flag.default(false),
  stream_options: z
    .strictObject(
      {
        include_usage: flag.default(false),
        include_obfuscation: z.literal(false, "can only be false here").optional(),
      },
      "must be an object with include_usage",
    )
    .optional(),
  max_tokens: tokenCount.optional(),
};

const textPart = z.strictObject({ type: z.literal("text", 'must be "text": the model reads nothing else'), text });

const message = z
  // A client gives back what it was sent: what says nothing there is left out.
  .preprocess(
    withoutEmpty,
    z.strictObject(
      {
        role: z.enum(["system", "developer", "user", "assistant"], {
          error: "must be one of system, developer, user, assistant: the model knows no tools",
        }),
        content: z.union(
          [text, z.array(textPart).transform((parts) => parts.map((part) => part.text).join(""))],
          "must be a string, or parts of the type text",
        ),
      },
      "must be an object with role and content",
    ),
  )
  .transform(({ role, content }) => ({ role: role === "developer" ? ("system" as const) : role, content }));

const chatSchema = z.object({
  ...shared,
  messages: z.array(message, "must be a list of messages").min(1, "must have a message"),
  max_completion_tokens: tokenCount.optional(),
  logprobs: flag.default(false),
  top_logprobs: z.int("must be a whole number").min(0, "must be at least 0").max(20, "must be at most 20").default(0),
});

const completionSchema = z.object({
  ...shared,
  prompt: z.union(
    [text.transform((one) => [one]), z.array(text).min(1, "must have a prompt")],
    "must be a string or a list of strings; token ids are not read",
  ),
  logprobs: z.int("must be a whole number").min(0, "must be at least 0").max(5, "must be at most 5").optional(),
});

export type ChatParameters = z.output<typeof chatSchema>;
export type CompletionParameters = z.output<typeof completionSchema>;

/** Parameters that label a request and change nothing of its reply. */
const labels: ReadonlySet<string> = new Set([
  "metadata",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "user",
]);

/** Parameters that are not honoured, with the values, if there are any, that ask for what happens anyway. */
const withoutEffect: ReadonlyMap<string, readonly unknown[]> = new Map<string, readonly unknown[]>([
  ["audio", []],
  ["best_of", []],
  ["echo", [false]],
  ["frequency_penalty", [0]],
  ["function_call", ["none"]],
  ["functions", [[]]],
  ["logit_bias", [{}]],
  ["modalities", [["text"]]],
  ["parallel_tool_calls", [true, false]],
  ["prediction", []],
  ["presence_penalty", [0]],
  ["reasoning_effort", []],
  ["response_format", [{ type: "text" }]],
  ["service_tier", ["auto", "default"]],
  ["store", [false]],
  ["suffix", [""]],
  ["tool_choice", ["none"]],
  ["tools", [[]]],
  ["top_k", [0]],
  ["verbosity", []],
  ["web_search_options", []],
]);

/** Reads the body of a chat completion. Throws Problem. */
export function readChat(body: unknown): ChatParameters {
  const read = readParameters(chatSchema, body);
  const { max_tokens: older, max_completion_tokens: most } = read;
  if (older !== undefined && most !== undefined && older !== most) {
    throw badParameter("max_tokens", "max_tokens and max_completion_tokens say two things; give one of them.");
  }
  if (read.top_logprobs > 0 && !read.logprobs) {
    throw badParameter("top_logprobs", "top_logprobs needs logprobs: true.");
  }
  checkAlternatives("top_logprobs", read.top_logprobs, read);
  return read;
}

/** Reads the body of a completion. Throws Problem. */
export function readCompletion(body: unknown): CompletionParameters {
  const read = readParameters(completionSchema, body);
  checkAlternatives("logprobs", read.logprobs ?? 0, read);
  return read;
}

/** The engine tells the log-probability of the token that was drawn; at temperature 0 that is the likeliest one too. */
function checkAlternatives(param: string, asked: number, { temperature }: { readonly temperature: number }): void {
  if (asked === 0 || (asked === 1 && temperature === 0)) return;
  throw badParameter(
    param,
    `${param}: the log-probability of the drawn token is known, not those of ${asked} likeliest ones; ` +
      "only 0, or 1 at temperature 0, is supported.",
    "unsupported_value",
  );
}

function readParameters<Read extends Pick<ChatParameters, "stream" | "stream_options">>(
  schema: z.ZodType<Read> & { readonly shape: object },
  body: unknown,
): Read {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badParameter("body", "The body must be a JSON object with the parameters.");
  }
  // Clients send null for what they leave out.
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  for (const name of Object.keys(body)) checkName(name, given[name], Object.keys(schema.shape));
  const parsed = schema.safeParse(given);
  if (parsed.success) {
    if (parsed.data.stream_options !== undefined && !parsed.data.stream) {
      throw badParameter("stream_options", "stream_options needs stream: true.");
    }
    return parsed.data;
  }
  const [issue] = parsed.error.issues;
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]] : issue.path;
  const param = path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${String(part)}`))
    .join("");
  if (issue.code === "unrecognized_keys") throw badParameter(param, `${param} is not supported.`, "unknown_parameter");
  throw badParameter(param, `${param} ${issue.message}.`);
}

function checkName(name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(name) || labels.has(name)) return;
  const accepted = withoutEffect.get(name);
  if (accepted === undefined) {
    const nearest = didYouMean(name, [...known, ...withoutEffect.keys()]);
    throw badParameter(name, `There is no parameter ${JSON.stringify(name)}.${nearest}`, "unknown_parameter");
  }
  const said = JSON.stringify(value);
  if (value === undefined || accepted.some((one) => JSON.stringify(one) === said)) return;
  const only = accepted.length === 0 ? "" : ` beyond ${accepted.map((one) => JSON.stringify(one)).join(" or ")}`;
  throw badParameter(name, `${name} is not supported${only}; leave it out.`, "unsupported_parameter");
}

/** An object without what is null or an empty list; anything else as it is. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const empty = (one: unknown): boolean => one === null || (Array.isArray(one) && one.length === 0);
  return Object.fromEntries(Object.entries(value).filter(([, one]) => !empty(one)));
}
