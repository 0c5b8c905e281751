// Finds added tokens (special tokens and those that were put in by hand) in a text, before it is cut into pieces. As
// huggingface/tokenizers does it (added_vocabulary.rs): the longest token that begins first; one that asks for a single word
// only where no letter or digit touches it; those that are not normalised in the text as it is, the others in the normalised text.
// Done here because @huggingface/tokenizers 0.2.0 ignores single_word and takes any piece that reads like an added
// token for one; test/model/upstream-faults.test.ts says when that has changed.
import { z } from "zod";

const addedToken = z.looseObject({
  id: z.number().int().min(0),
  content: z.string().min(1),
  single_word: z.boolean().nullish(),
  lstrip: z.boolean().nullish(),
  rstrip: z.boolean().nullish(),
  normalized: z.boolean().nullish(),
  special: z.boolean().nullish(),
});

export const addedTokensSchema = z.array(addedToken);
export type AddedToken = z.output<typeof addedToken>;

/** A stretch of text that is still to be tokenised, or an added token's id. */
type Section = { readonly text: string; readonly start: number } | { readonly id: number };

const word = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const endsWithWord = new RegExp(`${word}$`, "u");
const startsWithWord = new RegExp(`^${word}`, "u");

/** A function that cuts a text at added tokens; `start` of a section counts from the start of the text. */
export function addedTokenSplitter(
  tokens: readonly AddedToken[],
  normalize: (text: string) => string,
): (text: string) => Section[] {
  const isNormalized = (token: AddedToken): boolean => token.normalized ?? !(token.special ?? false);
  const raw = finder(tokens.filter((token) => !isNormalized(token)).map((token) => [token.content, token]));
  const normalized = finder(tokens.filter(isNormalized).map((token) => [normalize(token.content), token]));
  return (text) =>
    raw(text).flatMap((section) => {
      if ("id" in section) return [section];
      return normalized(normalize(section.text)).map((inner) =>
        "id" in inner ? inner : { text: inner.text, start: section.start + inner.start },
      );
    });
}

function finder(entries: readonly (readonly [string, AddedToken])[]): (text: string) => Section[] {
  const byContent = new Map(entries.filter(([content]) => content !== ""));
  if (byContent.size === 0) return (text) => (text === "" ? [] : [{ text, start: 0 }]);
  // Alternatives are tried in order, so the longest must come first.
  const alternatives = [...byContent.keys()].sort((a, b) => b.length - a.length).map(escapeForRegExp);
  const pattern = new RegExp(alternatives.join("|"), "gu");
  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    const addText = (end: number): void => {
      if (end > done) sections.push({ text: text.slice(done, end), start: done });
    };
    for (const { 0: content, index } of text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      let [begin, end] = [index, index + content.length];
      if (token.single_word && (endsWithWord.test(text.slice(0, begin)) || startsWithWord.test(text.slice(end))))
        continue;
      // Space that the token before has already taken stays with it.
      if (token.lstrip) begin = Math.max(done, text.slice(0, begin).trimEnd().length);
      if (token.rstrip) end = text.length - text.slice(end).trimStart().length;
      addText(begin);
      sections.push({ id: token.id });
      done = end;
    }
    addText(text.length);
    return sections;
  };
}

/** The text as a regular expression that matches it. */
export function escapeForRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (character) => (character === "-" ? "\\x2d" : `\\${character}`));
}
