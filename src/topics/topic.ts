// What training sees of a topic: prompts, and how questions and answers are read. The truth is not here: define-topic.ts
// adds it for diagnostics and evaluation, and nothing on the way to a reward may import that file.
import type { RunConfigInput } from "../config/config.ts";
import type { Random } from "../random.ts";
import type { InverseCheck, Prompt, Question, Reading, Restatement } from "../types.ts";

export interface ProposeRequest {
  readonly random: Random;
  /** Questions of earlier steps, newest last; a topic may show some to the proposer. */
  readonly recent: readonly Question[];
  /** One of `levels`, where questions are asked for by level; a topic that has none is never given one. */
  readonly level?: number | undefined;
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
  /**
   * Text that ends a reply of each role as soon as it stands in one, and is part of it; the model's own end always does. It should
   * stand within one token of most models, as `?`, `}` or `</` do: what comes as several tokens ends nothing.
   */
  readonly stopText?: { readonly propose?: string; readonly solve?: string };
  /**
   * What the solver's reply goes on with where `readAnswer` refuses it, or it was cut off: the model says its answer behind it, which
   * votes and is not rewarded. Left out: such a reply stays unreadable.
   */
  readonly conclusion?: Conclusion;
  proposePrompt(request: ProposeRequest): Prompt;
  /** Levels that `proposePrompt` can be asked for, ascending; questions of a level are of that difficulty. None where left out. */
  readonly levels?: readonly number[];
  /** Reads the proposer's reply strictly; anything but a well-formed question is refused with a reason. */
  readQuestion(reply: string): Reading<Question>;
  solvePrompt(question: Question): Prompt;
  /** Reads the solver's reply into a canonical answer: equal answers must give equal strings. */
  readAnswer(reply: string, question: Question): Reading<string>;
  /** Equivalent forms of the question, without the original; the consistent vote splits a group over them. */
  restatements?(question: Question): readonly Restatement[];
  /**
   * Questions that try an answer to the question the other way round; null where there are none. Replies are read by `readAnswer`. They
   * are made from what the question and the answer say: a topic that computes here what is right would reward by the truth.
   */
  inverseCheck?(question: Question, answer: string): InverseCheck | null;
  /** Asks the model itself for a paraphrase, where the topic cannot make one by rule. */
  paraphrase?: {
    prompt(question: Question): Prompt;
    read(reply: string, question: Question): Reading<Question>;
  };
  /**
   * Draws questions of the topic, without answers. Only the guard's probes are drawn: they are asked and never taught. A topic
   * whose questions say what is right, as tests do, must leave it out.
   */
  readonly generator?: QuestionGenerator;
  /** For `tests`: the language of the programs. */
  readonly language?: "python" | "javascript";
  /**
   * Settings that suit the topic: they stand above the defaults, below a preset, a config file and flags. `model` is the one
   * that it starts from where nobody names another: a shipped one by name, or a folder, from the topic's own file on.
   */
  readonly settings?: TopicSettings;
}

/** The opening of an answer, such as ` The answer is \boxed{`, and how long what stands behind it may be. */
export interface Conclusion {
  /** Put behind the reply, without its leading space where the reply is empty or ends in one. */
  readonly text: string;
  /** Tokens behind it at most. */
  readonly maxTokens: number;
  /** As `Topic.stopText`. */
  readonly stopText?: string;
}

export interface QuestionGenerator {
  /** Difficulties that questions can be drawn of, ascending. */
  readonly levels: readonly number[];
  /** `count` different questions of exactly this difficulty, fewer where there are fewer; the same for the same stream. */
  draw(difficulty: number, count: number, random: Random): readonly Question[];
}

/** Any settings of a run but those that say which run it is. */
export type TopicSettings = Readonly<Omit<RunConfigInput, "topic" | "preset" | "seed">>;
