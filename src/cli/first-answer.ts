// The first answer of a vote, shown as it comes; of the others the line of progress says how many there are.

import type { AskedPiece } from "../play/ask-vote.ts";
import { TokenTexts } from "../play/token-texts.ts";
import type { Tokenizer } from "../types.ts";
import type { Terminal } from "./terminal.ts";

/** A listener for `askVote`. What it has shown is at the beginning of a line again once the answer has ended. */
export function showFirstAnswer(terminal: Terminal, tokenizer: Tokenizer, votes: number): (piece: AskedPiece) => void {
  const texts = new TokenTexts(tokenizer);
  let begun = false;
  return ({ form, answer, tokens }) => {
    if (form > 0 || answer > 0) return;
    if (!begun && !terminal.json) terminal.say(votes === 1 ? "The answer:" : `The first of up to ${votes} answers:`);
    begun = true;
    for (const token of tokens) {
      const ends = tokenizer.endTokens.includes(token);
      terminal.stream(ends ? `${texts.rest().join("")}\n\n` : texts.add(token).join(""));
    }
  };
}
