// Puts parts of a tokenizer.json into other words that mean the same, where @huggingface/tokenizers 0.2.0 computes a part
// otherwise than the reference (huggingface/tokenizers): all of it becomes `Split` by a regular expression, which it computes
// rightly. test/model/upstream-faults.test.ts says of each rewriting when it can go.
import { z } from "zod";
import { UnsupportedError } from "../errors.ts";
import { escapeForRegExp } from "./added-tokens.ts";

const part = z.looseObject({ type: z.string() });
type Part = z.output<typeof part>;

const splitSchema = z.looseObject({
  pattern: z.union([z.object({ String: z.string() }), z.object({ Regex: z.string() })]),
  behavior: z.string().default("Isolated"),
  invert: z.boolean().default(false),
});
const metaspaceSchema = z.looseObject({
  replacement: z.string().default("▁"),
  prepend_scheme: z.enum(["always", "first", "never"]).nullish(),
  add_prefix_space: z.boolean().nullish(),
  split: z.boolean().nullish(),
});

/** What Rust's char::is_ascii_punctuation and the Unicode category P say. */
const punctuation = "[\\p{P}$+<=>^`|~]";

/** The pre-tokenizer in words that the library computes as the reference does. */
export function rewritePreTokenizer(definition: unknown): unknown {
  const parsed = part.safeParse(definition);
  if (!parsed.success) return definition;
  const given = parsed.data;
  switch (given.type) {
    case "Sequence":
      return { ...given, pretokenizers: z.array(z.unknown()).parse(given["pretokenizers"]).map(rewritePreTokenizer) };
    case "Digits":
      // Every number of Unicode, not only 0 to 9.
      return isolate(given["individual_digits"] === true ? "\\p{N}" : "\\p{N}+");
    case "Whitespace":
      return pieces(
        "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]+|[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}\\s]+",
      );
    case "Punctuation":
      return split(punctuation, String(given["behavior"] ?? "Isolated"), false);
    case "Split": {
      const { pattern, behavior, invert } = splitSchema.parse(given);
      if (behavior === "Isolated") return given;
      return split("Regex" in pattern ? pattern.Regex : escapeForRegExp(pattern.String), behavior, invert);
    }
    case "Metaspace":
      return rewriteMetaspace(given);
    default:
      return given;
  }
}

/** Cuts before every replacement of a space, as the reference does unless it is told not to. */
function rewriteMetaspace(given: Part): unknown {
  const { replacement, split: cut } = metaspaceSchema.parse(given);
  const whole = { ...given, prepend_scheme: prependScheme(given) };
  if (cut === false) return whole;
  const space = escapeForRegExp(replacement);
  return { type: "Sequence", pretokenizers: [whole, pieces(`${space}[^${space}]*|[^${space}]+`)] };
}

function split(pattern: string, behavior: string, invert: boolean): unknown {
  const match = `(?:${pattern})`;
  if (behavior === "Isolated") return isolate(match);
  if (behavior === "Contiguous") return isolate(`${match}+`);
  if (behavior === "Removed") return pieces(invert ? match : `(?:(?!${match})[\\s\\S])+`);
  if (behavior === "MergedWithPrevious" && !invert) return pieces(`[\\s\\S]*?${match}|[\\s\\S]+`);
  if (behavior === "MergedWithNext" && !invert)
    return pieces(`${match}(?:(?!${match})[\\s\\S])*|(?:(?!${match})[\\s\\S])+`);
  throw new UnsupportedError(
    `The tokenizer splits text with the behaviour ${behavior}${invert ? ", inverted" : ""}, which is not supported.`,
    "Use another model.",
  );
}

/** Every match of the pattern is a piece, and so is what lies between. */
const isolate = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});

/** The matches of the pattern are the pieces; what lies between is dropped. */
const pieces = (pattern: string) => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert: true });

/** When a space is put before a text. Files of before the schemes say only whether it is. */
function prependScheme(given: Part): "always" | "first" | "never" {
  const { prepend_scheme: scheme, add_prefix_space: prefix } = metaspaceSchema.parse(given);
  return scheme ?? (prefix === false ? "never" : "always");
}

interface RewrittenDecoder {
  readonly decoder: unknown;
  /** What is dropped from the first token, wherever it stands in it; null where nothing is. */
  readonly droppedFromFirst: string | null;
}

/**
 * The decoder in words that the library computes as the reference does: a Metaspace that stands first gives the replacement back as spaces,
 * but none in the first token, unless nothing was put before the text.
 */
export function rewriteDecoder(definition: unknown): RewrittenDecoder {
  const parsed = part.safeParse(definition);
  if (!parsed.success) return { decoder: definition, droppedFromFirst: null };
  const given = parsed.data;
  if (given.type === "Sequence") {
    const steps = z.array(z.unknown()).parse(given["decoders"]).map(rewriteDecoder);
    return {
      decoder: { ...given, decoders: steps.map(({ decoder }) => decoder) },
      droppedFromFirst: steps[0]?.droppedFromFirst ?? null,
    };
  }
  if (given.type !== "Metaspace") return { decoder: given, droppedFromFirst: null };
  const { replacement } = metaspaceSchema.parse(given);
  return {
    decoder: { type: "Replace", pattern: { String: replacement }, content: " " },
    droppedFromFirst: prependScheme(given) === "never" ? null : replacement,
  };
}
