// Writes the rows of one step. Statements are prepared once a connection. The caller holds the transaction. Texts of
// proposals and answers are not stored: they are decoded from the tokens by who has the tokenizer.
import type { DatabaseSync } from "node:sqlite";
import type { GroupRecord, StepRecord } from "../events.ts";
import type { Completion, JudgedProposal, Question, Refusal } from "../types.ts";
import { packLogprobs, packTokens } from "./token-blob.ts";

/** Counts that a step's row carries, so that summaries need not visit its answers. */
export interface StepCounts {
  readonly proposals: number;
  readonly questions: number;
  readonly answers: number;
  /** Questions whose group taught something. */
  readonly trained: number;
}

export function countStep(record: StepRecord): StepCounts {
  return {
    proposals: record.proposals.length,
    questions: record.groups.length,
    answers: record.groups.reduce((sum, group) => sum + group.answers.length, 0),
    trained: record.groups.filter((group) => group.signal === "trained").length,
  };
}

/** Prepares the inserts of a step; call the result inside a transaction, with the run's id and the time in ms. */
export function prepareStepWriter(
  database: DatabaseSync,
): (runId: number, record: StepRecord, recorded: number) => void {
  const insertStep = database.prepare(
    `INSERT INTO steps (run_id, step, proposals, questions, answers, trained, seconds, recorded, timing)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertMetric = database.prepare("INSERT INTO metrics (step_id, name, value) VALUES (?, ?, ?)");
  const writeProposal = prepareProposalWriter(database);
  const writeGroup = prepareGroupWriter(database);

  return (runId, record, recorded) => {
    const { step, seconds, timing } = record;
    const { proposals, questions, answers, trained } = countStep(record);
    const timingJson = timing === undefined ? null : JSON.stringify(timing);
    const { lastInsertRowid } = insertStep.run(
      ...[runId, step, proposals, questions, answers, trained, seconds, recorded, timingJson],
    );
    const stepId = Number(lastInsertRowid);
    for (const [name, value] of Object.entries(record.metrics)) {
      insertMetric.run(stepId, name, Number.isNaN(value) ? null : value);
    }
    for (const [position, proposal] of record.proposals.entries()) writeProposal(stepId, position, proposal);
    for (const [position, group] of record.groups.entries()) writeGroup({ runId, stepId, step, position }, group);
  };
}

function prepareProposalWriter(
  database: DatabaseSync,
): (stepId: number, position: number, proposal: JudgedProposal) => void {
  const insert = database.prepare(
    `INSERT INTO proposals (step_id, position, prompt, tokens, stop_reason, logprob_sum, logprob_min, reward, advantage,
       reason, question, key, difficulty, tests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return (stepId, position, proposal) => {
    const { question } = proposal;
    insert.run(
      stepId,
      position,
      packTokens(proposal.promptTokens),
      packTokens(proposal.tokens),
      proposal.stopReason,
      logprobSum(proposal),
      logprobMin(proposal),
      proposal.reward,
      proposal.advantage,
      refusalText(proposal.refusal),
      question?.text ?? null,
      question?.key ?? null,
      question?.difficulty ?? null,
      testsJson(question),
    );
  };
}

/** Where a group stands: in which step of which run, and at which place in it. */
interface GroupPlace {
  readonly runId: number;
  readonly stepId: number;
  readonly step: number;
  readonly position: number;
}

function prepareGroupWriter(database: DatabaseSync): (place: GroupPlace, group: GroupRecord) => void {
  const insert = database.prepare(
    `INSERT INTO questions (run_id, step_id, step, position, proposal, question, key, difficulty, agreement, winner, signal,
       proposer_reward, label_right, accuracy, tests, verdict, taught)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const writeAnswers = prepareAnswersWriter(database);
  return ({ runId, stepId, step, position }, group) => {
    const { question, truth, verdict } = group;
    const labelRight = truth?.labelRight ?? null;
    const { lastInsertRowid } = insert.run(
      runId,
      stepId,
      step,
      position,
      group.proposal,
      question.text,
      question.key,
      question.difficulty,
      verdict.agreement,
      verdict.winner,
      group.signal,
      group.proposerReward,
      labelRight === null ? null : Number(labelRight),
      truth?.accuracy ?? null,
      testsJson(question),
      JSON.stringify(verdict),
      group.answers.reduce((sum, { advantage }) => sum + Math.abs(advantage), 0),
    );
    writeAnswers(Number(lastInsertRowid), group.answers);
  };
}

function prepareAnswersWriter(database: DatabaseSync): (questionId: number, answers: GroupRecord["answers"]) => void {
  const insertPrompt = database.prepare("INSERT OR IGNORE INTO prompts (question_id, form, tokens) VALUES (?, ?, ?)");
  const insertAnswer = database.prepare(
    `INSERT INTO answers (question_id, position, form, tokens, stop_reason, logprob_sum, logprob_min, value, reason, reward,
       advantage, logprobs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return (questionId, answers) => {
    const forms = new Set<number>();
    for (const [position, answer] of answers.entries()) {
      if (!forms.has(answer.form)) {
        forms.add(answer.form);
        insertPrompt.run(questionId, answer.form, packTokens(answer.promptTokens));
      }
      insertAnswer.run(
        questionId,
        position,
        answer.form,
        packTokens(answer.tokens),
        answer.stopReason,
        logprobSum(answer),
        logprobMin(answer),
        answer.value,
        answer.reason ?? null,
        answer.reward,
        answer.advantage,
        packLogprobs(answer.logprobs),
      );
    }
  };
}

/** Log-probability of the whole completion, in nats. */
function logprobSum(completion: Completion): number {
  let sum = 0;
  for (const logprob of completion.logprobs) sum += logprob;
  return sum;
}

/** Log-probability of the completion's least likely token, in nats; 0 for an empty completion. */
function logprobMin(completion: Completion): number {
  let least = 0;
  for (const logprob of completion.logprobs) if (logprob < least) least = logprob;
  return least;
}

/** As the column has it: the kind, with the topic's words after a colon. */
function refusalText(refusal: Refusal | null): string | null {
  if (refusal === null) return null;
  return refusal.says === undefined ? refusal.kind : `${refusal.kind}: ${refusal.says}`;
}

function testsJson(question: Question | null): string | null {
  return question?.tests === undefined ? null : JSON.stringify(question.tests);
}
