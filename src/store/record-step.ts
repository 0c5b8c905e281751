// Writes the rows of one step, and reads steps back. Statements are prepared once a connection. The caller holds the
// transaction. Texts of proposals and answers are not stored: they are decoded from the tokens by who has the tokenizer.
import type { DatabaseSync } from "node:sqlite";
import type { GroupRecord, ProposalRecord, StepRecord } from "../events.ts";
import type { Answer, Completion, Question, Verdict } from "../types.ts";
import { allRows, eachRow } from "./database.ts";
import { readQuestion } from "./read-rows.ts";
import type { RecordedStep } from "./store.ts";
import { packTokens } from "./token-blob.ts";

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

/** How far a group was of one mind, 0 to 1: the leading value's share of the votes, or the mean fraction of tests passed. */
export function agreementOf(verdict: Verdict): number {
  return verdict.kind === "vote" ? verdict.agreement : verdict.meanPassFraction;
}

/** Prepares the inserts of a step; call the result inside a transaction, with the run's id and the time in ms. */
export function prepareStepWriter(
  database: DatabaseSync,
): (runId: number, record: StepRecord, recorded: number) => void {
  const insertStep = database.prepare(
    "INSERT INTO steps (run_id, step, proposals, questions, answers, trained, seconds, recorded) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const insertMetric = database.prepare("INSERT INTO metrics (step_id, name, value) VALUES (?, ?, ?)");
  const insertProposal = database.prepare(
    `INSERT INTO proposals (step_id, position, prompt, tokens, stop_reason, logprob_sum, logprob_min, reward, advantage,
       reason, question, key, difficulty, tests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertQuestion = database.prepare(
    `INSERT INTO questions (run_id, step_id, step, position, proposal, question, key, difficulty, agreement, winner, signal,
       proposer_reward, label_right, accuracy, tests, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertPrompt = database.prepare("INSERT OR IGNORE INTO prompts (question_id, form, tokens) VALUES (?, ?, ?)");
  const insertAnswer = database.prepare(
    `INSERT INTO answers (question_id, position, form, tokens, stop_reason, logprob_sum, logprob_min, value, reason, reward,
       advantage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  const writeProposal = (stepId: number, position: number, proposal: ProposalRecord): void => {
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
      proposal.reason ?? null,
      question?.text ?? null,
      question?.key ?? null,
      question?.difficulty ?? null,
      testsJson(question),
    );
  };

  const writeAnswers = (questionId: number, group: GroupRecord): void => {
    const forms = new Set<number>();
    group.answers.forEach((answer: Answer, position) => {
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
        group.rewards[position] ?? 0,
        group.advantages[position] ?? 0,
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
        agreementOf(verdict),
        verdict.kind === "vote" ? verdict.winner : null,
        group.signal,
        group.proposerReward,
        labelRight === null ? null : Number(labelRight),
        truth?.accuracy ?? null,
        testsJson(question),
        JSON.stringify(verdict),
      ).lastInsertRowid;
      writeAnswers(Number(questionId), group);
    });
  };
}

/** Log-probability of the whole completion, in nats. */
export function logprobSum(completion: Completion): number {
  let sum = 0;
  for (const logprob of completion.logprobs) sum += logprob;
  return sum;
}

/** Log-probability of the completion's least likely token, in nats; 0 for an empty completion. */
export function logprobMin(completion: Completion): number {
  let least = 0;
  for (const logprob of completion.logprobs) if (logprob < least) least = logprob;
  return least;
}

function testsJson(question: Question | null): string | null {
  return question?.tests === undefined ? null : JSON.stringify(question.tests);
}

interface StepRow {
  readonly id: number;
  readonly step: number;
  readonly seconds: number;
}

interface GroupRow {
  readonly proposal: number;
  readonly question: string;
  readonly key: string;
  readonly difficulty: number;
  readonly tests: string | null;
  readonly verdict: string;
  readonly proposer_reward: number;
  readonly signal: GroupRecord["signal"];
  readonly label_right: number | null;
  readonly accuracy: number | null;
}

/** The current steps of a run in order, read one at a time. */
export function* readSteps(database: DatabaseSync, runId: number): Generator<RecordedStep> {
  const steps = database.prepare(
    "SELECT id, step, seconds FROM steps WHERE run_id = ? AND superseded = 0 ORDER BY step",
  );
  const metrics = database.prepare("SELECT name, value FROM metrics WHERE step_id = ?");
  const groups = database.prepare(
    `SELECT proposal, question, key, difficulty, tests, verdict, proposer_reward, signal, label_right, accuracy
       FROM questions WHERE run_id = ? AND step = ? AND superseded = 0 ORDER BY position`,
  );
  for (const { id, step, seconds } of eachRow<StepRow>(steps, runId)) {
    yield {
      step,
      seconds,
      metrics: Object.fromEntries(
        allRows<{ name: string; value: number | null }>(metrics, id).map((row) => [row.name, row.value ?? Number.NaN]),
      ),
      groups: allRows<GroupRow>(groups, runId, step).map((row) => ({
        question: readQuestion(row.question, row.key, row.difficulty, row.tests),
        proposal: row.proposal,
        verdict: JSON.parse(row.verdict) as Verdict,
        proposerReward: row.proposer_reward,
        signal: row.signal,
        truth:
          row.accuracy === null
            ? null
            : { labelRight: row.label_right === null ? null : row.label_right === 1, accuracy: row.accuracy },
      })),
    };
  }
}
