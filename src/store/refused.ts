// The proposals of a run that were not asked, with what was written and why it was refused. Texts are decoded from tokens.
import { allRows } from "./database.ts";
import { type Decode, idOf, type Reader } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";
import { unpackTokens } from "./token-blob.ts";

export interface RefusedFilter {
  readonly fromStep?: number;
  readonly toStep?: number;
  /** `malformed`, `duplicate`, …: what stands before the colon of a reason; all but `surplus`, which lacked room only, where not given. */
  readonly kinds?: readonly string[];
  /** Part of what was written. */
  readonly text?: string;
  readonly descending?: boolean;
  /** Proposals to return, 20 where not given. */
  readonly limit?: number;
  readonly offset?: number;
}

export interface RefusedRow {
  readonly step: number;
  /** Position among the step's proposals. */
  readonly position: number;
  readonly kind: string;
  /** The kind, and the topic's own words after a colon. */
  readonly reason: string;
  /** What the model wrote. */
  readonly text: string;
  readonly stopReason: "stop" | "length";
  readonly reward: number;
}

interface StoredProposal extends Omit<RefusedRow, "kind" | "text"> {
  readonly tokens: Uint8Array;
}

/** One page of what a run refused, how many there are on all pages, and how many of each reason, most first. */
export function findRefused(
  reader: Reader,
  run: string,
  filter: RefusedFilter,
  decode: Decode,
): {
  readonly total: number;
  readonly refused: readonly RefusedRow[];
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
} {
  const runId = idOf(reader, run);
  const direction = filter.descending === true ? "DESC" : "ASC";
  const stored = readAtOnce(reader, () =>
    allRows<StoredProposal>(
      reader.database.prepare(
        `SELECT step, position, reason, tokens, stop_reason AS stopReason, reward
           FROM steps JOIN proposals ON proposals.step_id = steps.id
           WHERE run_id = ? AND superseded = 0 AND reason IS NOT NULL AND step >= ? AND step <= ?
           ORDER BY step ${direction}, position ${direction}`,
      ),
      runId,
      filter.fromStep ?? 0,
      filter.toStep ?? Number.MAX_SAFE_INTEGER,
    ),
  );
  const counts = new Map<string, number>();
  const found: RefusedRow[] = [];
  for (const { tokens, ...row } of stored) {
    const kind = row.reason.split(":")[0];
    if (filter.kinds === undefined ? kind === "surplus" : !filter.kinds.includes(kind)) continue;
    // Texts are not stored: all must be decoded to search in them.
    const text = decode(unpackTokens(tokens));
    if (filter.text !== undefined && !text.includes(filter.text)) continue;
    counts.set(row.reason, (counts.get(row.reason) ?? 0) + 1);
    found.push({ ...row, kind, text });
  }
  const offset = filter.offset ?? 0;
  return {
    total: found.length,
    refused: found.slice(offset, offset + (filter.limit ?? 20)),
    reasons: [...counts]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason)),
  };
}
