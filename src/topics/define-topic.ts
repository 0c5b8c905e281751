// The one extension point: a topic says what to ask about, how to read questions and answers, and how to verify.
// What knows the truth (`hidden`) is kept apart from what training sees (`topic`): the loop's reward path is typed to
// receive a Topic only, so a checker cannot reach a reward.
import type { Random } from "../random.ts";
import type { Prompt, Question, Reading, Restatement } from "../types.ts";

export interface ProposeRequest {
  readonly random: Random;
  /** Questions of earlier steps, newest last; a topic may show some to the proposer. */
  readonly recent: readonly Question[];
}

/** Everything that training may see of a topic. */
export interface Topic {
  readonly name: string;
  /** One sentence for people. */
  readonly description: string;
  /** `vote`: the most frequent answer is taken for right. `tests`: the proposer's unit tests judge programs. */
  readonly verification: "vote" | "tests";
  /** Longest completion for each role, in tokens. */
  readonly maxTokens: { readonly propose: number; readonly solve: number };
  proposePrompt(request: ProposeRequest): Prompt;
  /** Reads the proposer's reply strictly; anything but a well-formed question is refused with a reason. */
  readQuestion(reply: string): Reading<Question>;
  solvePrompt(question: Question): Prompt;
  /** Reads the solver's reply into a canonical answer: equal answers must give equal strings. */
  readAnswer(reply: string, question: Question): Reading<string>;
  /** Equivalent forms of the question, without the original; the consistent vote splits a group over them. */
  restatements?(question: Question): readonly Restatement[];
  /** Asks the model itself for a paraphrase, where the topic cannot make one by rule. */
  paraphrase?: {
    prompt(question: Question): Prompt;
    read(reply: string, question: Question): Reading<Question>;
  };
  /** For `tests`: the language of the programs. */
  readonly language?: "python" | "javascript";
}

/** What knows the truth. Feeds diagnostics and evaluation only. */
export interface HiddenTruth {
  /** True when the canonical answer is right. */
  check(question: Question, answer: string): boolean;
  /** Difficulties that evaluation reports, ascending. */
  readonly levels: readonly number[];
  /** The difficulty at which the shipped seed model is half right. */
  readonly frontier: number;
  /** `count` different questions of exactly this difficulty, the same for the same stream; all keys differ. */
  heldOut(difficulty: number, count: number, random: Random): readonly Question[];
}

export interface TopicDefinition extends Topic {
  readonly hidden?: HiddenTruth;
}

/** A topic with the truth taken out of it. */
export interface DefinedTopic {
  readonly topic: Topic;
  readonly hidden: HiddenTruth | null;
}
