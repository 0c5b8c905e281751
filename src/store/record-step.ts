// Writes the rows of one step. Statements are prepared once a connection. The caller holds the transaction. Texts of proposals and answers are not stored: they are decoded from the tokens by who has the tokenizer.
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
  const insertProposal = database.prepare(
    `INSERT INTO proposals (step_id, position, prompt, tokens, stop_reason, logprob_sum, logprob_min, reward, advantage,
       reason, question, key, difficulty, tests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertQuestion = database.prepare(
    `INSERT INTO questions (run_id, step_id, step, position, proposal, question, key, difficulty, agreement, winner, signal,
       proposer_reward, label_right, accuracy, tests, verdict, taught)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertPrompt = database.prepare("INSERT OR IGNORE INTO prompts (question_id, form, tokens) VALUES (?, ?, ?)");
  const insertAnswer = database.prepare(
    `INSERT INTO answers (question_id, position, form, tokens, stop_reason, logprob_sum, logprob_min, value, reason, reward,
       advantage, logprobs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  const writeProposal = (stepId: number, position: number, proposal: JudgedProposal): void => {
    const { question } = proposal;
    insertProposal.run(
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

  const writeAnswers = (questionId: number, group: GroupRecord): void => {
    const forms = new Set<number>();
    group.answers.forEach((answer, position) => {
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
    });
  };

  return (runId, record, recorded) => {
    const counts = countStep(record);
    const stepId = Number(
      insertStep.run(
        runId,
        record.step,
        counts.proposals,
        counts.questions,
        counts.answers,
        counts.trained,
        record.seconds,
        recorded,
        record.timing === undefined ? null : JSON.stringify(record.timing),
      ).lastInsertRowid,
    );
    for (const [name, value] of Object.entries(record.metrics)) {
      insertMetric.run(stepId, name, Number.isNaN(value) ? null : value);
    }
    record.proposals.forEach((proposal, position) => {
      writeProposal(stepId, position, proposal);
    });
    record.groups.forEach((group, position) => {
      const { question, truth, verdict } = group;
      const labelRight = truth?.labelRight ?? null;
      const questionId = insertQuestion.run(
        runId,
        stepId,
        record.step,
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
      ).lastInsertRowid;
      writeAnswers(Number(questionId), group);
    });
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
