// Tokenizers of any definition, beyond the cases from the field: what is right was computed with huggingface/tokenizers 0.23.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { FileFormatError, SqlmError, UnsupportedError } from "../../src/errors.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Definition {
  readonly vocab?: readonly string[];
  readonly merges?: readonly (readonly string[])[];
  readonly added?: readonly object[];
  readonly normalizer?: unknown;
  readonly preTokenizer?: unknown;
  readonly decoder?: unknown;
  readonly ignoreMerges?: boolean;
}

const letters = ["a", "b", "1", "²", "½", "٣", "Ⅷ", "-", " ", "▁", "_", "é", "."];

function open({
  vocab = letters,
  merges = [],
  added = [],
  normalizer,
  preTokenizer,
  decoder,
  ignoreMerges = false,
}: Definition) {
  const definition = {
    added_tokens: added.map((token, i) => ({ id: vocab.length + i, special: false, normalized: false, ...token })),
    normalizer: normalizer ?? null,
    pre_tokenizer: preTokenizer ?? null,
    decoder: decoder === undefined ? { type: "Fuse" } : decoder,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges,
      ignore_merges: ignoreMerges,
    },
  };
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(definition));
  return openTokenizer(folder);
}

/** The pieces that a pre-tokenizer makes: all that it could make are tokens, and a whole piece that is one is taken as it is. */
function piecesOf(text: string, preTokenizer: unknown): string[] {
  const pieces = new Set<string>();
  for (let begin = 0; begin < text.length; begin++) {
    for (let end = begin + 1; end <= text.length; end++) {
      const piece = text.slice(begin, end);
      for (const part of [piece, `▁${piece}`]) pieces.add(part).add(part.replaceAll(" ", "▁"));
    }
  }
  const vocab = [...pieces];
  const tokenizer = open({ vocab, preTokenizer, ignoreMerges: true });
  return tokenizer.encode(text).map((id) => vocab[id]);
}

const splitAt = (pattern: object, behavior: string, invert = false) => ({ type: "Split", pattern, behavior, invert });

describe("text is cut as the reference cuts it", () => {
  test.each<[string, unknown, string, string[]]>([
    [
      "single digits",
      { type: "Digits", individual_digits: true },
      "a12²Ⅷb½٣",
      ["a", "1", "2", "²", "Ⅷ", "b", "½", "٣"],
    ],
    ["runs of digits", { type: "Digits", individual_digits: false }, "a12²Ⅷb½٣", ["a", "12²Ⅷ", "b", "½٣"]],
    [
      "digits in a sequence",
      { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }] },
      "x½",
      ["x", "½"],
    ],
    ["words", { type: "Whitespace" }, "né²a x_1٣ ½a-b", ["né", "²", "a", "x_1٣", "½", "a", "-", "b"]],
    ["punctuation", { type: "Punctuation" }, "a--b.$", ["a", "-", "-", "b", ".", "$"]],
    ["punctuation together", { type: "Punctuation", behavior: "Contiguous" }, "a--b-c", ["a", "--", "b", "-", "c"]],
    ["removed", splitAt({ String: "-" }, "Removed"), "a--b-c", ["a", "b", "c"]],
    ["only matches", splitAt({ Regex: "[ab]+" }, "Removed", true), "ab-b-c", ["ab", "b"]],
    ["merged with what is before", splitAt({ String: "-" }, "MergedWithPrevious"), "a--b-c", ["a-", "-", "b-", "c"]],
    ["merged with what follows", splitAt({ String: "-" }, "MergedWithNext"), "a--b-c", ["a", "-", "-b", "-c"]],
    [
      "spaces, always one before",
      { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
      "a  b",
      ["▁a", "▁", "▁b"],
    ],
    ["spaces, never one before", { type: "Metaspace", replacement: "▁", prepend_scheme: "never" }, "a b", ["a", "▁b"]],
    [
      "an older file without a prefix",
      { type: "Metaspace", replacement: "▁", add_prefix_space: false },
      "a b",
      ["a", "▁b"],
    ],
    [
      "spaces without splitting",
      { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: false },
      "a b",
      ["a▁b"],
    ],
  ])("%s", (_, preTokenizer, text, pieces) => {
    expect(piecesOf(text, preTokenizer)).toEqual(pieces);
  });

  test("what cannot be computed is refused", () => {
    const preTokenizer = splitAt({ String: "-" }, "MergedWithNext", true);
    expect(() => open({ preTokenizer })).toThrow(UnsupportedError);
  });
});

describe("added tokens", () => {
  const ab = { content: "ab", single_word: true };
  test.each([
    ["ab", [13]],
    ["ab.", [13, 12]],
    [" ab ", [8, 13, 8]],
    ["abb", [0, 1, 1]],
    ["_ab", [10, 0, 1]],
    ["éab", [11, 0, 1]],
    ["٣ab", [5, 0, 1]],
    // A numeral that is no decimal digit is no part of a word.
    ["½ab", [4, 13]],
    ["abab", [0, 1, 0, 1]],
  ])("of single words only: %j", (text, ids) => {
    expect(open({ added: [ab] }).encode(text)).toEqual(ids);
  });

  test("the longest that begins first is taken, and one beside it", () => {
    const tokenizer = open({ added: [{ content: "ab" }, { content: "ab1" }, { content: "1" }] });
    expect(tokenizer.encode("ab1ab")).toEqual([14, 13]);
  });

  test("are found in the text as it is, or as it is normalised", () => {
    const normalizer = { type: "Lowercase" };
    const raw = open({ normalizer, added: [{ content: "AB" }] });
    expect([raw.encode("AB"), raw.encode("ab"), raw.encode("Ab")]).toEqual([[13], [0, 1], [0, 1]]);
    const normalized = open({ normalizer, added: [{ content: "AB", normalized: true }] });
    expect([normalized.encode("AB"), normalized.encode("ab")]).toEqual([[13], [13]]);
  });

  test("with lstrip and rstrip take the space around them", () => {
    const tokenizer = open({ added: [{ content: "ab", lstrip: true, rstrip: true }] });
    expect(tokenizer.encode("1  ab  ab 1")).toEqual([2, 13, 13, 2]);
  });

  test("any text with any of them comes back", () => {
    const parts = fc.array(fc.constantFrom(...letters, "<x>", "ab"), { maxLength: 12 });
    const flags = fc.record({ single_word: fc.boolean(), special: fc.constant(false), normalized: fc.boolean() });
    fc.assert(
      fc.property(parts, flags, flags, (text, one, other) => {
        const vocab = [...letters, "<", "x", ">"];
        const tokenizer = open({
          vocab,
          added: [
            { content: "<x>", ...one },
            { content: "ab", ...other },
          ],
        });
        expect(tokenizer.decode(tokenizer.encode(text.join("")))).toBe(text.join(""));
      }),
    );
  });
});

describe("decoding", () => {
  const metaspace = (scheme: string) => ({ type: "Metaspace", replacement: "▁", prepend_scheme: scheme });
  test.each<[string, unknown, number[], string]>([
    ["never", metaspace("never"), [9, 0, 9, 1], " a b"],
    ["always", metaspace("always"), [9, 0, 9, 1], "a b"],
    ["first", metaspace("first"), [9, 0, 9, 1], "a b"],
    ["always, several in the first token", metaspace("always"), [13, 0, 9, 1], "a b"],
    ["in a sequence", { type: "Sequence", decoders: [metaspace("never"), { type: "Fuse" }] }, [9, 0], " a"],
  ])("spaces put before a text: %s", (_, decoder, ids, text) => {
    expect(open({ vocab: [...letters, "▁▁"], decoder }).decode(ids)).toBe(text);
  });

  test("special tokens and ids without a token give nothing", () => {
    const tokenizer = open({ added: [{ content: "<end>", special: true }] });
    expect(tokenizer.decode([0, 13, 99, 1])).toBe("ab");
    expect(tokenizer.decode([])).toBe("");
  });
});

describe("a tokenizer that cannot be used is refused", () => {
  test("when its vocabulary does not fit the model", () => {
    writeFileSync(join(folder, "config.json"), JSON.stringify({ vocab_size: letters.length }));
    expect(open({}).encode("a")).toEqual([0]);
    expect(() => open({ added: [{ content: "<end>" }] })).toThrow(
      /vocabulary does not fit the model: the token "<end>" has the id 13/,
    );
    rmSync(join(folder, "config.json"));
  });

  test.each([
    ["no JSON", "{"],
    ["no model", "{}"],
    ["an unknown model", '{"model":{"type":"Magic"}}'],
    ["merges that are none", '{"model":{"type":"BPE","vocab":{},"merges":3}}'],
    ["an unknown part", '{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"Magic"}}'],
    ["added tokens that are none", '{"model":{"type":"BPE","vocab":{},"merges":[]},"added_tokens":[{"id":"x"}]}'],
  ])("%s", (_, content) => {
    writeFileSync(join(folder, "tokenizer.json"), content);
    expect(() => openTokenizer(folder)).toThrow(FileFormatError);
  });

  test("whatever its definition says, with an error of ours", () => {
    const known = fc.constantFrom(
      "Sequence",
      "Digits",
      "Split",
      "Metaspace",
      "Punctuation",
      "Whitespace",
      "ByteLevel",
      "Fuse",
    );
    const anything = fc.dictionary(
      fc.constantFrom("pretokenizers", "decoders", "pattern", "behavior", "invert", "replacement"),
      fc.jsonValue(),
    );
    const part = fc.tuple(known, anything).map(([type, fields]) => ({ ...fields, type }));
    fc.assert(
      fc.property(part, part, (preTokenizer, decoder) => {
        try {
          open({ preTokenizer, decoder });
        } catch (error) {
          expect(error).toBeInstanceOf(SqlmError);
        }
      }),
    );
  });
});
