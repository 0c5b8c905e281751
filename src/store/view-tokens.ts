// How many tokens a run has asked of its engine, from its record: what a server would count, or has. Steps that were played again
// count as often as they were played; evaluations are not recorded answer by answer and do not count.
import { eachRow } from "./database.ts";
import { idOf, type Reader } from "./queries.ts";
import { countTokens } from "./token-blob.ts";

export interface RecordedTokens {
  /** Of prompts, each once for all that was sampled of it in its step. */
  readonly prefill: number;
  readonly sample: number;
  /** Of prompts with replies that had an advantage, equal ones of a question once, as they are trained. */
  readonly train: number;
}

const proposals = "FROM proposals p JOIN steps s ON s.id = p.step_id WHERE s.run_id = ?";
const answers = "FROM answers a JOIN questions q ON q.id = a.question_id WHERE q.run_id = ?";
const prompted = `FROM answers a JOIN questions q ON q.id = a.question_id
  JOIN prompts t ON t.question_id = a.question_id AND t.form = a.form WHERE q.run_id = ?`;

/** Throws UsageError for an unknown run. */
export function recordedTokens(reader: Reader, run: string): RecordedTokens {
  const id = idOf(reader, run);
  const sum = (query: string): number => {
    let total = 0;
    for (const { tokens } of eachRow<{ tokens: Uint8Array }>(reader.database.prepare(query), id))
      total += countTokens(tokens);
    return total;
  };
  const trainedProposals = `(SELECT DISTINCT p.step_id, p.prompt, p.tokens, p.advantage ${proposals} AND p.advantage <> 0)`;
  const trainedAnswers = `(SELECT DISTINCT a.question_id, a.form, a.tokens, a.advantage, t.tokens AS prompt ${prompted} AND a.advantage <> 0)`;
  return {
    prefill:
      sum(`SELECT prompt AS tokens FROM (SELECT DISTINCT p.step_id, p.prompt ${proposals})`) +
      sum("SELECT t.tokens FROM prompts t JOIN questions q ON q.id = t.question_id WHERE q.run_id = ?"),
    sample: sum(`SELECT p.tokens ${proposals}`) + sum(`SELECT a.tokens ${answers}`),
    train: [trainedProposals, trainedAnswers]
      .map((rows) => sum(`SELECT tokens FROM ${rows}`) + sum(`SELECT prompt AS tokens FROM ${rows}`))
      .reduce((total, tokens) => total + tokens, 0),
  };
}
