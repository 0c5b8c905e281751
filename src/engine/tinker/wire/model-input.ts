// Prompts and training sequences on the wire: chunks, of which text is taken and pictures and sound are not.
import { z } from "zod";
import { WireError } from "./wire-error.ts";

export const tokenIds = z.array(z.number().int().min(0));

/** A chunk of a kind that is not taken keeps its name alone. */
const chunk = z.object({ type: z.string().default("encoded_text"), tokens: tokenIds.nullish() });

export const modelInputSchema = z.object({ chunks: z.array(chunk) });
export type ModelInput = z.output<typeof modelInputSchema>;

export const modelInputOf = (tokens: readonly number[]): ModelInput => ({
  chunks: [{ type: "encoded_text", tokens: [...tokens] }],
});

/** Its tokens. Throws WireError where it holds something else than text. */
export function tokensOf({ chunks }: ModelInput, expected: string): number[] {
  return chunks.flatMap(({ type, tokens }) => {
    if (tokens == null) throw new WireError(expected, `a chunk of type ${type.slice(0, 40)}; only text is taken`);
    return tokens;
  });
}
