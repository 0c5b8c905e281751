// Prompts as steps compute them: cut into pieces at places that depend on nothing but the prompt, so that a piece which several
// prompts begin with is computed once, and comes out the same whoever shares it. Of pieces that begin alike the beginning is computed
// once, and nothing is filled up: a step takes any number of new positions.

import { blockSize } from "./step-attention.ts";
import type { NewPositions } from "./step-indices.ts";

/** Positions of a whole piece; a multiple of `blockSize`. */
export const pieceLength = 2 * blockSize;

/** A piece of one or more prompts. */
export interface Piece {
  /** All of its prompts' tokens up to its end. */
  readonly text: readonly number[];
  /** Where it begins. */
  readonly start: number;
  /** Prompts that it is part of, by number. */
  readonly prompts: readonly number[];
}

/** The pieces of all prompts by depth: those that stand at the same place of their prompts. No two of a depth are equal. */
export function piecesOf(prompts: readonly (readonly number[])[]): Piece[][] {
  const depths: Piece[][] = [];
  for (let start = 0; prompts.some(({ length }) => length > start); start += pieceLength) {
    const byText = new Map<string, Piece & { prompts: number[] }>();
    for (const [i, prompt] of prompts.entries()) {
      if (prompt.length <= start) continue;
      const text = prompt.slice(0, start + pieceLength);
      const key = text.join();
      const known = byText.get(key);
      if (known !== undefined) known.prompts.push(i);
      else byText.set(key, { text, start, prompts: [i] });
    }
    depths.push([...byText.values()]);
  }
  return depths;
}

/** Pieces that one run computes. */
export interface PieceBatch {
  readonly pieces: readonly (Piece & NewPositions)[];
  /** Places that each piece's keys are filled up to: a piece's own length decides it, whatever stands beside it. */
  readonly time: number;
  /** New positions: their tokens and where they stand. */
  readonly tokens: readonly number[];
  readonly positions: readonly number[];
}

/**
 * Cuts the pieces of one depth into batches of at most `most` positions, or of one piece. What a piece begins with as another one
 * of the batch does is computed with that one.
 */
export function batchesOf(pieces: readonly Piece[], most: number): PieceBatch[] {
  return [...Map.groupBy(pieces, timeOf)].flatMap(([time, alike]) => {
    const batches: Batch[] = [];
    // In order of their text, a piece has the longest beginning in common with the one before it.
    for (const piece of alike.toSorted((a, b) => compareTexts(a.text, b.text))) {
      if (batches.at(-1)?.add(piece, most) !== true) batches.push(new Batch(time, piece));
    }
    return batches;
  });
}

class Batch implements PieceBatch {
  readonly pieces: (Piece & NewPositions)[] = [];
  readonly tokens: number[] = [];
  readonly positions: number[] = [];
  readonly time: number;
  /** The most positions that are new of one piece: attention is as wide for all of them. */
  #width = 0;

  constructor(time: number, first: Piece) {
    this.time = time;
    this.#append(first, 0);
  }

  /** Whether there was room. */
  add(piece: Piece, most: number): boolean {
    const common = commonLength(this.pieces[this.pieces.length - 1].text, piece.text);
    const from = Math.max(0, common - piece.start);
    const fresh = piece.text.length - piece.start - from;
    const width = Math.max(this.#width, fresh);
    if (this.tokens.length + fresh > most || (this.pieces.length + 1) * width > 2 * most) return false;
    this.#append(piece, from);
    return true;
  }

  /** `from`: how many of the piece's positions are those of the piece before. */
  #append(piece: Piece, from: number): void {
    const keys = this.pieces.at(-1)?.keys.slice(0, from) ?? [];
    for (let position = piece.start + from; position < piece.text.length; position++) {
      keys.push(this.tokens.length);
      this.tokens.push(piece.text[position]);
      this.positions.push(position);
    }
    this.pieces.push({ ...piece, keys, from });
    this.#width = Math.max(this.#width, keys.length - from);
  }
}

const timeOf = ({ text, start }: Piece): number => blockSize * blocksOf(text.length - start);

function compareTexts(a: readonly number[], b: readonly number[]): number {
  const common = commonLength(a, b);
  return (a[common] ?? -1) - (b[common] ?? -1);
}

/** How many tokens two texts begin with alike. */
function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let common = 0;
  while (common < most && a[common] === b[common]) common++;
  return common;
}

/** How many blocks so many places take. */
export const blocksOf = (places: number): number => Math.ceil(places / blockSize);

/** How many of a prompt's places stand in each of its blocks. */
export function placesInBlocks(length: number): number[] {
  return Array.from({ length: blocksOf(length) }, (_, i) => Math.min(blockSize, length - i * blockSize));
}

/** How many whole pieces all of these prompts, of which there is at least one, begin with, in blocks. */
export function commonBlocks(prompts: readonly (readonly number[])[]): number {
  const [first] = prompts;
  const common = Math.min(...prompts.map((prompt) => commonLength(first, prompt)));
  return Math.floor(common / pieceLength) * (pieceLength / blockSize);
}
