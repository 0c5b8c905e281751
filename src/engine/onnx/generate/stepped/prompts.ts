// Prompts as steps compute them: cut into pieces at places that depend on nothing but the prompt, so that a piece which several
// prompts begin with is computed once, and comes out the same whoever shares it.

import { blockSize } from "./step-attention.ts";

/** Positions of a whole piece; a multiple of `blockSize`. */
export const pieceLength = 2 * blockSize;

/** A piece of one or more prompts. */
export interface Piece {
  /** Tokens, filled up with zeros to a multiple of `blockSize`. */
  readonly tokens: readonly number[];
  /** Prompts that it is part of, by number. */
  readonly prompts: readonly number[];
}

/** The pieces of all prompts by depth: those that stand at the same place of their prompts. No two of a depth are equal. */
export function piecesOf(prompts: readonly (readonly number[])[]): Piece[][] {
  const depths: Piece[][] = [];
  for (let start = 0; prompts.some(({ length }) => length > start); start += pieceLength) {
    const byText = new Map<string, { tokens: number[]; prompts: number[] }>();
    for (const [i, prompt] of prompts.entries()) {
      if (prompt.length <= start) continue;
      const end = Math.min(prompt.length, start + pieceLength);
      const text = prompt.slice(0, end).join();
      const known = byText.get(text);
      if (known !== undefined) known.prompts.push(i);
      else byText.set(text, { tokens: filledUp(prompt.slice(start, end)), prompts: [i] });
    }
    depths.push([...byText.values()]);
  }
  return depths;
}

function filledUp(tokens: readonly number[]): number[] {
  const length = blockSize * Math.ceil(tokens.length / blockSize);
  return [...tokens, ...Array<number>(length - tokens.length).fill(0)];
}

/** How many of a prompt's places stand in each of its blocks. */
export function placesInBlocks(length: number): number[] {
  return Array.from({ length: Math.ceil(length / blockSize) }, (_, i) => Math.min(blockSize, length - i * blockSize));
}

/** How many whole pieces all of these prompts, of which there is at least one, begin with, in blocks. */
export function commonBlocks(prompts: readonly (readonly number[])[]): number {
  const [first] = prompts;
  let common = first.length;
  for (const prompt of prompts) {
    let same = 0;
    while (same < common && prompt[same] === first[same]) same++;
    common = same;
  }
  return Math.floor(common / pieceLength) * (pieceLength / blockSize);
}
