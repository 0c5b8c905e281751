// `sqlm check`: a dry run of a topic on a few replies, given or sampled, with what was read and why not.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { RunConfig } from "../../config/config.ts";
import type { Player } from "../../engine/engine.ts";
import { describeThrown, UsageError } from "../../errors.ts";
import { decodeCompletion, encodePrompt, sample } from "../../play/prompts.ts";
import { cutOff } from "../../play/read-answer.ts";
import { seedFrom } from "../../random.ts";
import type { DefinedTopic } from "../../topics/define-topic.ts";
import type { Prompt } from "../../types.ts";
import { exitCodes, makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { resolveWithTopic } from "../config-options.ts";
import {
  type DryRun,
  type DryRunSource,
  dryRun,
  type GivenAnswer,
  type GivenReply,
  type TriedAnswer,
} from "../dry-run.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import { oneLine } from "../format.ts";
import { openTopicFor } from "../open-topic.ts";
import type { Parts } from "../parts.ts";
import type { Terminal } from "../terminal.ts";

interface CheckOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly reply: readonly string[];
  readonly answer: readonly string[];
  readonly replies?: string;
  readonly model?: string;
  readonly count: string;
  readonly seed: string;
}

/** Answers sampled to each question. */
const sampledAnswers = 4;

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function checkCommand(parts: Parts): Command {
  const command = makeCommand("check", "Try a topic on a few replies, without a run: what it reads, and why not.", [
    "sqlm check ./my-topic.ts                                     replies sampled from its model",
    'sqlm check ./my-topic.ts --reply "12+34=" --answer 64        replies of your own',
    "sqlm check ./my-topic.ts --replies replies.jsonl --json",
  ]);
  return withWorkspace(command)
    .argument("<topic>", "Path of a topic file, or topic name.")
    .option("--reply <text>", "What a proposer might write; may be given again.", collect, [])
    .option("--answer <text>", "What a solver might write to each question; may be given again.", collect, [])
    .option("--replies <file>", 'Replies of proposers, one a line: plain text, or JSON: "text" or { reply, answers }.')
    .option("--model <folder>", "Model to sample from where no replies are given (default: the topic's own).")
    .option("--count <count>", "Replies to sample.", "8")
    .option("--seed <count>", "Seed of the sampling.", "1")
    .action(async (name: string, options: CheckOptions) => {
      const terminal = terminalOf(options);
      const [count, seed] = [readCount("--count", options.count, 1), readCount("--seed", options.seed)];
      const flags = { topic: name, ...(options.model && { model: options.model }) };
      const { config, model } = await resolveWithTopic({ flags }, options.workspace);
      const given = [...options.reply.map((reply) => ({ reply })), ...readReplies(options.replies)];
      const { workspace } = options;
      // A model is needed, and downloaded, only where replies are sampled.
      const at = model ?? (given.length > 0 ? null : await fetchWithProgress({ ...config, workspace }, terminal));
      const topic = await openTopicFor(name, at, config);
      const own = { replies: async () => given, answers: async () => options.answer.map((reply) => ({ reply })) };
      if (given.length > 0) return report(terminal, topic, await dryRun(topic, own));
      await using engine = await parts.openEngine({ ...config, workspace: options.workspace });
      await using player = await engine.openPolicy();
      const source = sampled(player, topic, config, count, seed);
      const answers: DryRunSource["answers"] = async (question, prompt) => [
        ...options.answer.map((reply) => ({ reply })),
        ...(await source.answers(question, prompt)),
      ];
      report(terminal, topic, await dryRun(topic, { ...source, answers }));
    });
}

/** Replies of a file, one a line; a line that is JSON is read as that. Throws UsageError. */
function readReplies(file: string | undefined): readonly GivenReply[] {
  if (file === undefined) return [];
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${describeThrown(cause)}.`, "Check the path given to --replies.", {
      cause,
    });
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new UsageError(`${path} has no replies.`, "Write one a line.");
  return lines.map((line, index) => readLine(line.replace(/\r$/, ""), `${path}:${index + 1}`));
}

function readLine(line: string, place: string): GivenReply {
  if (!/^\s*["{]/.test(line)) return { reply: line };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Text that happens to begin like JSON.
    return { reply: line };
  }
  if (typeof value === "string") return { reply: value };
  const { reply, answers = [] } = value as { readonly reply?: unknown; readonly answers?: unknown };
  const texts = Array.isArray(answers) && answers.every((one) => typeof one === "string");
  if (typeof reply === "string" && texts)
    return { reply, answers: (answers as string[]).map((text) => ({ reply: text })) };
  throw new UsageError(`${place} is no reply.`, 'Write { "reply": "12+34=", "answers": ["64"] }, or plain text.');
}

/** Replies of a model, cut off and refused as a run would. */
function sampled(
  player: Player,
  { topic }: DefinedTopic,
  { truncatedReplies }: Pick<RunConfig, "truncatedReplies">,
  count: number,
  seed: number,
): DryRunSource {
  const ask = async (prompt: Prompt | null, numSamples: number, role: "propose" | "solve", name: string) => {
    if (prompt === null) return [];
    const promptTokens = encodePrompt(player.tokenizer, prompt);
    const asks = [{ promptTokens, numSamples, seed: seedFrom(seed, "check", name), first: 0 }];
    const maxTokens = topic.maxTokens[role];
    const settings = { maxTokens, temperature: 1, topP: 1, topK: 0, stopText: topic.stopText?.[role] };
    const [completions] = await sample(player, asks, settings);
    return completions.map((completion): GivenAnswer => {
      const reply = decodeCompletion(player.tokenizer, completion);
      const cut = cutOff(completion, truncatedReplies);
      return cut === null ? { reply } : { reply, refused: cut.reason };
    });
  };
  return {
    replies: (prompt) => ask(prompt, count, "propose", "propose"),
    answers: (question, prompt) => ask(prompt, sampledAnswers, "solve", question.key),
  };
}

/** Prints the dry run; the exit code says whether the topic can be played. */
function report(terminal: Terminal, { topic }: DefinedTopic, tried: DryRun): void {
  terminal.say(`topic ${topic.name}: ${oneLine(topic.description, 200)}`);
  if (tried.proposePrompt !== null) terminal.say(`the proposer is given ${showPrompt(tried.proposePrompt)}`);
  for (const { reply, question, reason, solvePrompt, restatements, answers } of tried.replies) {
    terminal.say("");
    if (question === null) terminal.say(`${show(reply)} is no question: ${reason}`);
    else {
      const kind = question.kind === undefined ? "" : `, kind ${show(question.kind)}`;
      terminal.say(
        `${show(reply)} asks ${show(question.text)}: key ${show(question.key)}, difficulty ${question.difficulty}${kind}`,
      );
      if (reason !== null) terminal.say(`  it ${reason}`);
      if (solvePrompt !== null) terminal.say(`  the solver is given ${showPrompt(solvePrompt)}`);
      for (const form of restatements)
        terminal.say(`  or, asked another way, ${showPrompt(form.solvePrompt ?? form.text)}`);
    }
    for (const [answer, times] of counted(answers)) {
      const mapped = answer.toOriginal.map((value) => (value === null ? "nothing" : show(value))).join(", ");
      const other = answer.toOriginal.length === 0 ? "" : `; to the other forms it would be ${mapped}`;
      const right = answer.right === null ? "" : answer.right ? ", which is right" : ", which is wrong";
      const written = `${show(answer.reply)}${times === 1 ? "" : ` (${times} times)`}`;
      terminal.say(
        answer.value === null
          ? `  ${written} is no answer: ${answer.reason}`
          : `  ${written} answers ${show(answer.value)}${right}${other}`,
      );
    }
  }
  if (tried.heldOut.length > 0) terminal.say("");
  for (const { difficulty, questions, first } of tried.heldOut) {
    terminal.say(`held out at difficulty ${difficulty}: ${questions} questions, the first ${show(first)}`);
  }
  const read = tried.replies.filter(({ question }) => question !== null).length;
  terminal.say(`\n${read} of ${tried.replies.length} replies are questions.`);
  for (const mistake of tried.mistakes) terminal.note(`mistake: ${mistake}`);
  terminal.result({ topic: topic.name, ...tried });
  if (tried.mistakes.length > 0) process.exitCode = exitCodes.usage;
  else if (read === 0) process.exitCode = exitCodes.failure;
}

/** Equal replies once, with how often they came, most first. */
function counted(answers: readonly TriedAnswer[]): readonly (readonly [TriedAnswer, number])[] {
  const counts = new Map<string, [TriedAnswer, number]>();
  for (const answer of answers) {
    const known = counts.get(answer.reply);
    if (known === undefined) counts.set(answer.reply, [answer, 1]);
    else known[1]++;
  }
  return [...counts.values()].sort(([, a], [, b]) => b - a);
}

/** A text as it would be written in a program, so that spaces and line ends are seen. */
function show(text: string): string {
  return JSON.stringify(oneLine(text, 10_000) === text ? oneLine(text, 160) : text.slice(0, 160));
}

function showPrompt(prompt: Prompt): string {
  if (typeof prompt === "string") return show(prompt);
  return prompt.map(({ role, content }) => `${role}: ${show(content)}`).join(" | ");
}
