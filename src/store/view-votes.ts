// What became of a run's votes, where the hidden checker has judged their winners: for who wants to know what a vote is worth.

import { idOf, type Reader } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";

export interface JudgedVote {
  /** Share of the winner, 0 to 1. */
  readonly agreement: number;
  readonly consistent: boolean;
  readonly right: boolean;
}

/** Newest first, at most `limit`. */
export function judgedVotes(reader: Reader, run: string, limit: number): JudgedVote[] {
  return readAtOnce(reader, () =>
    reader.database
      .prepare(
        `SELECT agreement, json_extract(verdict, '$.consistent') AS consistent, label_right FROM questions
           WHERE run_id = ? AND superseded = 0 AND label_right IS NOT NULL AND json_extract(verdict, '$.kind') = 'vote'
           ORDER BY step DESC, position DESC LIMIT ?`,
      )
      .all(idOf(reader, run), limit)
      .map((row) => ({
        agreement: Number(row["agreement"]),
        consistent: Boolean(row["consistent"]),
        right: Boolean(row["label_right"]),
      })),
  );
}
