// The nouns of self-play, in the order in which a question meets them on its way to a gradient.
// Everything here is read-only plain data: it can be stored as JSON and read back unchanged.

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/**
 * What the model continues: plain text for a base model, or messages for one with a chat template. A last message of the
 * assistant is the beginning of the reply: the model goes on behind its last character, so it must end where a token ends.
 */
export type Prompt = string | readonly ChatMessage[];

/**
 * Questions that try an answer the other way round, as `What is 3x + 5 if x = 5?` tries 5 for `3x + 5 = 20`. The model answers them
 * itself; where it should come to what the question says, that is `expected`, and where several must come to the same, null.
 */
export interface InverseCheck {
  readonly prompts: readonly Prompt[];
  /** Canonical text of the answer that each of them should have. */
  readonly expected: string | null;
}

/** What a topic may know of the model that it is opened for. */
export interface ModelFacts {
  /** It has a chat template, so it takes conversations. */
  readonly chat: boolean;
  /** It has so many weights that an adapter trains in their place, where nothing else is asked for. */
  readonly large: boolean;
}

/** Turns text into token ids and back. */
export interface Tokenizer {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** Ids that end a completion when sampled; never part of decoded text. */
  readonly endTokens: readonly number[];
  /**
   * Renders messages with the model's chat template, up to where its reply begins; a last message of the assistant is that reply's
   * beginning. Throws UnsupportedError when the model has no template.
   */
  encodeChat(messages: readonly ChatMessage[]): number[];
  /** Ids of all tokens whose own text contains `text`, ascending. */
  tokensWith(text: string): readonly number[];
}

/** What came of reading a model's reply. An unreadable reply is data with a reason, never an exception. */
export type Reading<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

/** One call with the value that it should give. Arguments and values are plain JSON data. */
export interface UnitTest {
  readonly function: string;
  readonly args: readonly unknown[];
  readonly expected: unknown;
}

export interface Question {
  /** What a human reads, e.g. `123+456=`. */
  readonly text: string;
  /** Two questions with the same key ask the same thing (`1+2` and `2+1`); duplicates and held-out exclusion use it. */
  readonly key: string;
  /** Position on the topic's own scale; higher is harder. */
  readonly difficulty: number;
  /** What kind of question it is, for `repetitionPenalty`. Where left out, its text with all digits taken for each other. Not recorded. */
  readonly kind?: string;
  /** Only where the topic verifies by tests: the proposer's own unit tests. */
  readonly tests?: readonly UnitTest[];
}

/** An equivalent form of a question: solving it answers the original. */
export interface Restatement {
  readonly question: Question;
  /** Maps a canonical answer to the restatement onto the canonical answer to the original. */
  readonly toOriginal: (answer: string) => string;
}

/** One sampled completion. `logprobs[i]` is the log-probability, in nats, of `tokens[i]` under the model at temperature 1. */
export interface Completion {
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly stopReason: "stop" | "length";
}

/** Why a proposal is not solved. */
export interface Refusal {
  /**
   * `malformed`: no question in it; `duplicate`: asked in this step or an earlier one; `held-out`: evaluation keeps it for
   * itself; `surplus`: the step has its questions.
   */
  readonly kind: "malformed" | "duplicate" | "held-out" | "surplus";
  /** What is wrong with it, in the topic's words. */
  readonly says?: string;
}

/** A completion of the proposer's prompt, and the question in it if there is one. */
export interface Proposal extends Completion {
  readonly promptTokens: readonly number[];
  readonly text: string;
  /** Which ask of its step it completes: proposals of one ask had one prompt. */
  readonly ask: number;
  /** How many of the prompt's tokens began the reply, where it was begun as an earlier question was; `text` has them. Not recorded. */
  readonly given?: number;
  readonly question: Question | null;
  /** Null where the question is asked. */
  readonly refusal: Refusal | null;
}

/** A completion of the solver's prompt, and the canonical answer in it if there is one. */
export interface Answer extends Completion {
  readonly promptTokens: readonly number[];
  readonly text: string;
  /** Which form of the question was put: 0 is the original, n the nth restatement. */
  readonly form: number;
  /** Canonical answer to the original question; null when unreadable. */
  readonly value: string | null;
  /** Why `value` is null; where the answer had to be asked for, how that went on from the reply. */
  readonly reason?: string;
  /** The reply ended without it, so that it was asked for: it votes, and is not rewarded. Not recorded but in `reason`. */
  readonly askedFor?: true;
}

/** A question that was asked, with its answers. The noun of a step: each stage adds to it what it found out. */
export interface Group {
  /** Index of the question's proposal in its step. */
  readonly proposal: number;
  readonly question: Question;
  readonly answers: readonly Answer[];
}

/** What the stages after verification read, whether a vote or tests were counted. Shares are 0 to 1. */
export interface VerdictCore {
  readonly groupSize: number;
  /** Answers without a value. */
  readonly unreadable: number;
  /** The value taken for right; null where there is none, as always with tests. */
  readonly winner: string | null;
  /** Share of the leading value over the group size (unreadable answers count in it); of tests: of the programs' outputs. */
  readonly agreement: number;
  /** p of the proposer formulas: the agreement, or the mean fraction of tests passed; of trusted tests with `consistentVote`. */
  readonly successRate: number;
  /** What `majority` pays each answer, in answer order. */
  readonly scores: readonly number[];
  /** Why there is no label. */
  readonly problem: "no-answer" | "tie" | "no-tests" | null;
  /** Every form of the question elected the same winner; of tests: the programs' vote confirms most of them. */
  readonly consistent: boolean;
  /** Enough of that for the solver to learn: `consistent`; of tests: at least one is trusted. */
  readonly confirmed: boolean;
  /** Neither nobody nor everybody: 1 < votes of the leader < N, or 0 < success rate < 1. */
  readonly disputed: boolean;
}

/** Outcome of a strict plurality vote over one group of answers. */
export interface VoteVerdict extends VerdictCore {
  readonly kind: "vote";
  /** Distinct values with their votes, most votes first, ties in lexical order: never depends on the order of answers. */
  readonly counts: readonly (readonly [value: string, votes: number])[];
  readonly tie: boolean;
  /** Winner of each form of the question, in form order; one entry when the group was not split. */
  readonly formWinners: readonly (string | null)[];
  /** Values that were tried the other way round, and whether that confirmed them (verify/inverse.ts). */
  readonly tried?: readonly (readonly [value: string, confirmed: boolean])[];
  /** An earlier model of the run voted: counts are its votes, and the group's answers are judged by them. */
  readonly taught?: true;
}

/** Outcome of running every answer's program on the proposer's own unit tests. */
export interface TestsVerdict extends VerdictCore {
  readonly kind: "tests";
  /** Answers × tests. */
  readonly passed: readonly (readonly boolean[])[];
  /** Fraction of tests passed, one number an answer, 0 to 1. */
  readonly passFractions: readonly number[];
  readonly meanPassFraction: number;
  /** Tests (by index) that no answer passed. */
  readonly unagreedTests: readonly number[];
  /** Tests (by index) that ask for different values of the same call. */
  readonly contradictoryTests: readonly number[];
  /** Tests (by index) that contradict no other and expect what strictly most programs give: proposer and solver agree. */
  readonly trustedTests: readonly number[];
  /** Agreement of the programs' outputs on the proposed inputs, whatever the proposer expected, 0 to 1. */
  readonly outputAgreement: number;
}

export type Verdict = VoteVerdict | TestsVerdict;

export interface VerifiedGroup extends Group {
  readonly verdict: Verdict;
}

/** Of a group's answers the values that were tried the other way round, and whether that confirmed each. */
export type Tried = ReadonlyMap<string, boolean>;

/** What a completion is worth. Advantage 0: it taught nothing. */
export interface Judged {
  readonly reward: number;
  readonly advantage: number;
}

/** A proposal with its reward; advantage 0 in steps that do not train the proposer. */
export interface JudgedProposal extends Proposal, Judged {}

/** Why a group taught nothing; `trained` means that it did. */
export const groupSignals = [
  "trained",
  "tie",
  "no-answer",
  "inconsistent",
  "low-agreement",
  "all-equal",
  "no-tests",
  // It would have taught: it became a probe, or the guard had the step skipped.
  "withheld",
] as const;
export type GroupSignal = (typeof groupSignals)[number];

export interface JudgedGroup extends VerifiedGroup {
  readonly answers: readonly (Answer & Judged)[];
  readonly signal: GroupSignal;
  readonly proposerReward: number;
}

/** All that a step teaches. `step` counts from 1. */
export interface Judgement {
  readonly step: number;
  readonly proposals: readonly JudgedProposal[];
  readonly groups: readonly JudgedGroup[];
}

export const lossFunctions = ["cross_entropy", "importance_sampling", "ppo", "cispo"] as const;
export type LossFn = (typeof lossFunctions)[number];

/**
 * One training sequence: prompt and completion together. All arrays have the length of `tokens`; entry i belongs to
 * the prediction of `tokens[i]` from the tokens before it, so entry 0 and all prompt entries have weight 0.
 */
export interface Datum {
  readonly tokens: readonly number[];
  /** Loss weight of each token; carries the loss aggregation. 0 masks a token. */
  readonly weights: readonly number[];
  /** Log-probabilities under the policy that sampled the tokens; needed by every loss but `cross_entropy`. */
  readonly logprobs: readonly number[];
  readonly advantages: readonly number[];
  /** Log-probabilities under the reference policy; needed where `klPenaltyCoef` > 0. */
  readonly referenceLogprobs?: readonly number[];
}

/** What evaluation says of one difficulty level. Fractions are 0 to 1. */
export interface LevelResult {
  readonly difficulty: number;
  /** Mean accuracy of answers sampled at temperature 1. */
  readonly passAt1: number;
  /** 95 % interval of `passAt1`, clustered by question. */
  readonly passAt1Interval: readonly [low: number, high: number];
  /** Accuracy of the most likely answer (temperature 0). */
  readonly greedy: number;
  /** Accuracy of the plurality of 16 sampled answers; a tie counts as wrong. */
  readonly majAt16: number;
  readonly questions: number;
}

export interface Evaluation {
  readonly model: string;
  readonly topic: string;
  readonly levels: readonly LevelResult[];
}

/** Name of the folder in a checkpoint that holds the proposer, where it has weights of its own. */
export const proposerFolder = "proposer";
