// How much one step of self-play asks of an engine, from a run's settings and its topic, before any model is opened.
import { needsStartingModel } from "./cast.ts";
import type { RunConfig } from "./config/config.ts";
import { learnsApart } from "./config/learn.ts";
import type { SampledWork, StepWork } from "./engine/work.ts";
import { encodePrompt } from "./play/prompts.ts";
import { randomStream } from "./random.ts";
import type { Topic } from "./topics/topic.ts";
import type { Prompt, Question, Tokenizer } from "./types.ts";

/** Tokens of a question that nobody has asked yet: most are short, whatever a topic allows. */
const questionTokens = 48;

/**
 * The longest step that these settings allow: as many questions as it takes, and every reply as long as it may be. Lengths of prompts are
 * those of two of each kind. Throws what the tokenizer throws where the model cannot read the topic's prompts.
 */
export function stepWork(config: RunConfig, topic: Topic, tokenizer: Tokenizer): StepWork {
  const { groupsPerBatch, groupSize, proposalsPerQuestion, consistentVote, proposerEvery, importanceCap } = config;
  const { propose: longestProposal, solve: longestAnswer } = topic.maxTokens;
  const encode = (prompt: Prompt): number[] => encodePrompt(tokenizer, prompt);
  const proposing = promptsOf((i) =>
    encode(topic.proposePrompt({ random: randomStream("plan", i), recent: questions })),
  );
  const question = Math.min(questionTokens, longestProposal);
  const asking = (ask: (question: Question) => Prompt): PromptLengths => {
    const lengths = promptsOf((i) => encode(ask(questions[i])));
    // A topic may refuse questions that are none of its own; its prompts are then taken to be as long as the proposer's.
    return {
      ...(lengths ?? proposing ?? unknown),
      promptTokens: (lengths ?? proposing ?? unknown).promptTokens + question,
    };
  };
  const proposals = Math.ceil(groupsPerBatch * proposalsPerQuestion);
  const { differ = false, ...ofProposer } = proposing ?? unknown;
  const propose: SampledWork = {
    stage: "propose",
    prompts: differ ? proposals : 1,
    samplesOfPrompt: differ ? 1 : proposals,
    maxTokens: longestProposal,
    ...ofProposer,
  };
  const { paraphrase } = topic;
  const paraphrases = consistentVote && paraphrase !== undefined && groupSize >= 4;
  const forms = paraphrases ? 2 : 1;
  const { differ: _, ...ofSolver } = asking((one) => topic.solvePrompt(one));
  const solve: SampledWork = {
    stage: "solve",
    prompts: groupsPerBatch * forms,
    samplesOfPrompt: groupSize / forms,
    maxTokens: longestAnswer,
    ...ofSolver,
  };
  return {
    sampled: [propose, ...(paraphrases ? [paraphraseWork()] : []), solve],
    trained: [{ ...solve, share: 1 }, ...(proposerEvery > 0 ? [{ ...propose, share: 1 / proposerEvery }] : [])],
    updates: config.numSubsteps,
    referencePasses: config.klPenaltyCoef > 0 ? 1 : 0,
    correction: importanceCap < 0 ? "coarse" : importanceCap > 0 ? "always" : "never",
    policies: learnsApart(config) ? 2 : 1,
    frozenPlayers: needsStartingModel(config) ? 1 : 0,
  };

  function paraphraseWork(): SampledWork {
    const { differ: _, ...lengths } = asking((one) => paraphrase?.prompt(one) ?? "");
    return { stage: "paraphrase", prompts: groupsPerBatch, samplesOfPrompt: 1, maxTokens: longestProposal, ...lengths };
  }
}

interface PromptLengths extends Pick<SampledWork, "promptTokens" | "sharedTokens"> {
  readonly differ: boolean;
}

const unknown: PromptLengths = { promptTokens: 64, sharedTokens: 0, differ: false };

/** Questions that most topics can be asked with; more than a topic shows its proposer, so that its choice is seen. */
const questions: readonly Question[] = [
  "12 + 34 = ?",
  "56 - 7 = ?",
  "8 * 9 = ?",
  "10 + 1 = ?",
  "3 - 2 = ?",
  "4 * 4 = ?",
].map((text) => ({ text, key: text, difficulty: 1 }));

/** Lengths of two prompts of a kind; null where a topic refuses them. */
function promptsOf(make: (i: number) => number[]): PromptLengths | null {
  try {
    const [a, b] = [make(0), make(1)];
    let shared = 0;
    while (shared < Math.min(a.length, b.length) && a[shared] === b[shared]) shared++;
    const differ = shared < Math.max(a.length, b.length);
    return { promptTokens: Math.max(a.length, b.length), sharedTokens: shared, differ };
  } catch {
    return null;
  }
}
