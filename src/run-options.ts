// What self-play is handed, and what is refused of it before any work.
import type { RunConfig } from "./config/config.ts";
import { checkSupport } from "./engine/checks.ts";
import type { Engine, EngineCapabilities } from "./engine/engine.ts";
import { UnsupportedError, UsageError } from "./errors.ts";
import type { Control } from "./evaluate/controls.ts";
import { encodePrompt } from "./play/prompts.ts";
import { randomStream } from "./random.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import type { RunStore, SavedCheckpoint } from "./store/store.ts";
import type { DefinedTopic } from "./topics/define-topic.ts";
import type { Topic } from "./topics/topic.ts";
import type { Prompt, Tokenizer } from "./types.ts";

export interface SelfPlayOptions {
  readonly topic: DefinedTopic;
  /** The model that plays; policies on it are opened and closed by self-play. */
  readonly engine: Engine;
  readonly store: RunStore;
  readonly config: RunConfig;
  /** Runs programs; needed by topics that verify by tests. */
  readonly sandbox?: Sandbox;
  /** Only experiments pass one: the one that the store says this run is under. */
  readonly control?: Control;
  /** What the store gave as its newest checkpoint, where the caller has asked already; else the loop asks. */
  readonly checkpoint?: SavedCheckpoint | null;
  /** When it fires, the run ends after the current step with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** Refuses, before any work, what could only fail later. Throws UnsupportedError. */
export function checkFit({ engine, topic: { topic }, config, sandbox }: Omit<SelfPlayOptions, "store">): void {
  const { capabilities } = engine;
  const refuse = (problem: string, hint: string): never => {
    throw new UnsupportedError(problem, hint);
  };
  checkSupport(capabilities, config);
  if (topic.verification === "tests" && sandbox === undefined) {
    refuse(`The topic ${topic.name} runs programs and needs a sandbox.`, "Run `sqlm doctor` to see why there is none.");
  }
  checkPrompts(engine.tokenizer, capabilities, topic);
}

/**
 * Refuses a topic whose prompts or replies are no matter for this model: too long, not in its vocabulary, or refused by its chat
 * template. Known before its weights are read. Throws UnsupportedError.
 */
export function checkPrompts(
  tokenizer: Tokenizer,
  { maxSequenceTokens }: Pick<EngineCapabilities, "maxSequenceTokens">,
  topic: Topic,
): void {
  if (Math.max(topic.maxTokens.propose, topic.maxTokens.solve) > maxSequenceTokens) {
    throw new UnsupportedError(
      `The topic ${topic.name} needs longer replies than the model's ${maxSequenceTokens} tokens.`,
      "Use a model with more positions, or ask for shorter replies: --max-answer-tokens, --max-question-tokens.",
    );
  }
  checkProposer(tokenizer, maxSequenceTokens, topic);
  checkTemplate(tokenizer, topic);
}

/** Refuses a topic whose proposer cannot be prompted on this model. A topic may draw its prompts: this is one of them. */
function checkProposer(tokenizer: Tokenizer, maxSequenceTokens: number, topic: Topic): void {
  const prompt = topic.proposePrompt({ random: randomStream("prompts"), recent: [] });
  const { length } = encodePrompt(tokenizer, prompt);
  const { propose } = topic.maxTokens;
  if (length > 0 && length + propose <= maxSequenceTokens) return;
  throw new UnsupportedError(
    length === 0
      ? `The model knows no character of the prompt that topic ${topic.name} gives its proposer.`
      : `The proposer's prompt of topic ${topic.name} has ${length} tokens; with ${propose} for a reply that is more than the ` +
          `model's ${maxSequenceTokens}.`,
    "Use a model that can read it, or change proposePrompt and maxTokens in the topic.",
  );
}

/**
 * A model's chat template may refuse messages. It is asked with one prompt of each kind, so that it does so before anything
 * is recorded: UnsupportedError, in the template's words.
 */
function checkTemplate(tokenizer: Tokenizer, topic: Topic): void {
  const question = { text: "1 + 1 = ?", key: "1 + 1 = ?", difficulty: 1 };
  for (const make of [() => topic.solvePrompt(question), () => topic.paraphrase?.prompt(question)]) {
    let prompt: Prompt | undefined;
    try {
      prompt = make();
    } catch {
      // The topic has no such question: what it says of its own ones is met when they are asked.
    }
    if (Array.isArray(prompt)) tokenizer.encodeChat(prompt);
  }
}

/** A record must say under which control every one of its steps was played, so that nobody takes a control for a run. */
export function checkControl({ store, control }: SelfPlayOptions): void {
  const recorded = store.trial?.control ?? null;
  const given = control?.name ?? null;
  if (recorded === given) return;
  throw new UsageError(
    `The run ${store.run} is recorded ${under(recorded)} and cannot be played ${under(given)}.`,
    "Make a run of its own: a run stays under the control that it was made under.",
  );
}

const under = (control: string | null): string => (control === null ? "under no control" : `under control ${control}`);
