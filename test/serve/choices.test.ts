// From tokens to the text that is sent: nothing is lost, doubled or cut elsewhere than said.
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../src/model/find-model.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { TokenTexts } from "../../src/play/token-texts.ts";
import { type Choice, ChoiceReader } from "../../src/serve/choices.ts";
import type { Tokenizer } from "../../src/types.ts";

/** A token is a byte, as the rarest characters are in any byte-level vocabulary; 256 ends. */
const bytes: Pick<Tokenizer, "decode" | "endTokens"> = {
  decode: (tokens) => Buffer.from(tokens.filter((token) => token < 256)).toString("utf8"),
  endTokens: [256],
};

/** Puts a space between words but none before the first, as decoders of word pieces do. */
const words: Pick<Tokenizer, "decode"> = { decode: (tokens) => tokens.map((token) => `w${token}`).join(" ") };

/** The texts of tokens, one by one. */
function tokenTexts(tokenizer: Pick<Tokenizer, "decode">, tokens: readonly number[]): string[] {
  const texts = new TokenTexts(tokenizer);
  const found = tokens.flatMap((token) => texts.add(token));
  return [...found, ...texts.rest()];
}

/** A choice of all of these tokens. */
function readChoice(tokens: readonly number[], stops: readonly string[]): Choice {
  const reader = new ChoiceReader(bytes, { maxTokens: tokens.length, stop: bytes.endTokens, stops });
  reader.add(
    tokens,
    tokens.map((_, i) => -i),
  );
  expect(reader.over).toBe(true);
  return reader.choice();
}

describe("the text of each token", () => {
  test("together it is the text of all, for any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 60 }), (tokens) => {
        expect(tokenTexts(bytes, tokens).join("")).toBe(bytes.decode(tokens));
      }),
    );
  });

  test("a character comes whole, with its last token", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
        const tokens = [...Buffer.from(text)];
        const texts = tokenTexts(bytes, tokens);
        if (!text.includes("\u{FFFD}")) expect(texts.filter((one) => one !== "")).toEqual([...text]);
        expect(texts.join("")).toBe(text);
      }),
    );
  });

  test("what a decoder puts between tokens is there", () => {
    expect(tokenTexts(words, [1, 2, 3])).toEqual(["w1", " w2", " w3"]);
  });

  test("of a decoder that looks back as far as it likes, the text is right all the same", () => {
    const reversed = { decode: (tokens: readonly number[]) => String.fromCharCode(...tokens.toReversed()) };
    const reader = new ChoiceReader(reversed, { maxTokens: 3, stop: [], stops: [] });
    reader.add([97, 98, 99], [0, 0, 0]);
    expect(reader.choice().pieces.map(({ text }) => text)).toEqual(["", "", "cba"]);
  });

  test("with a shipped model's tokenizer", () => {
    const tokenizer = openTokenizer(join(packageRoot, "models", "arithmetic"));
    const tokens = tokenizer.encode("S321+654=975");
    expect(tokenTexts(tokenizer, tokens).join("")).toBe("S321+654=975");
  });

  test("a reply of nothing but beginnings of characters is read in a time that grows with its length", () => {
    let decoded = 0;
    const counted = {
      decode: (tokens: readonly number[]) => {
        decoded += tokens.length;
        return bytes.decode(tokens);
      },
    };
    const tokens = Array.from({ length: 2000 }, () => 0xf0);
    expect(tokenTexts(counted, tokens).join("")).toBe(bytes.decode(tokens));
    expect(decoded).toBeLessThan(100 * tokens.length);
  });
});

describe("a choice", () => {
  const read = (text: string, ...stops: string[]) => {
    const { pieces, finishReason, tokens } = readChoice([...Buffer.from(text)], stops);
    return [pieces.map((piece) => piece.text).join(""), finishReason, tokens];
  };

  test("ends with the first stop text that is complete", () => {
    expect(read("abcdef")).toEqual(["abcdef", "length", 6]);
    expect(read("abcdef", "x", "de", "c")).toEqual(["ab", "stop", 3]);
    expect(read("abcdef", "abcd", "b")).toEqual(["a", "stop", 2]);
    expect(read("abcdef", "bc", "abc", "c")).toEqual(["", "stop", 3]);
    expect(read("a\u{1F427}b", "\u{1F427}")).toEqual(["a", "stop", 5]);
  });

  test("what would have come after a stop text changes nothing", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "é"), maxLength: 12 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 3 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(letters, letters, stops, (text, more, list) => {
        const [cut, reason, tokens] = read(text, ...list);
        if (reason === "stop") expect(read(text + more, ...list)).toEqual([cut, reason, tokens]);
        for (const stop of list) expect(cut).not.toContain(stop);
      }),
    );
  });

  test("comes piece by piece as it comes whole, and no piece is taken back", () => {
    const letters = fc.array(fc.constantFrom(..."abé🐧".split("")), { maxLength: 14 }).map((list) => list.join(""));
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 4 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(letters, stops, fc.boolean(), (text, list, ends) => {
        const tokens = [...Buffer.from(text), ...(ends ? [256] : [120])];
        const reader = new ChoiceReader(bytes, { maxTokens: tokens.length, stop: bytes.endTokens, stops: list });
        const taken = tokens.flatMap((token, i) => {
          reader.add([token], [-i]);
          return reader.take();
        });
        expect(taken).toEqual(readChoice(tokens, list).pieces);
        expect(reader.choice()).toEqual(readChoice(tokens, list));
        expect(reader.take()).toEqual([]);
      }),
    );
  });

  test("what no stop text can begin in is told at once", () => {
    const reader = new ChoiceReader(bytes, { maxTokens: 9, stop: [], stops: ["abc", "cd"] });
    const told = [..."xabxcabc"].map((letter) => {
      reader.add([...Buffer.from(letter)], [0]);
      return reader
        .take()
        .map(({ text }) => text)
        .join("");
    });
    expect(told).toEqual(["x", "", "", "abx", "", "c", "", ""]);
    expect(reader.over).toBe(true);
  });

  test("the end token has no text, and is counted", () => {
    const choice = readChoice([104, 105, 256], []);
    expect(choice).toEqual({
      pieces: [
        { text: "h", logprob: -0 },
        { text: "i", logprob: -1 },
      ],
      finishReason: "stop",
      tokens: 3,
    });
    expect(readChoice([256], ["x"])).toEqual({
      pieces: [],
      finishReason: "stop",
      tokens: 1,
    });
  });
});
