// `sqlm ask`: put a question to a model many times and let its answers vote, as in training.
import type { Command } from "commander";
import { describeThrown, TopicError, UnsupportedError, UsageError } from "../../errors.ts";
import { chanceRight, type VoteChance } from "../../evaluate/vote-chance.ts";
import { runOfFolder } from "../../model/checkpoint-folder.ts";
import { type AskedForm, askVote } from "../../play/ask-vote.ts";
import { openReader } from "../../store/queries.ts";
import { judgedVotes } from "../../store/view-votes.ts";
import type { Topic } from "../../topics/topic.ts";
import type { Question, VoteVerdict } from "../../types.ts";
import { vote } from "../../verify/vote.ts";
import { chooseModel } from "../checkpoint-of.ts";
import { exitCodes, makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { engineProgress, sayWeights } from "../engine-progress.ts";
import { showFirstAnswer } from "../first-answer.ts";
import { bar, formatShare, formatTable, oneLine } from "../format.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { type ModelCommandOptions, modelSettings, openedAs, withModelOptions } from "../model-options.ts";
import { openTopicFor } from "../open-topic.ts";
import type { Parts } from "../parts.ts";
import type { Terminal } from "../terminal.ts";

interface AskOptions extends ModelCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly topic?: string;
  readonly votes: string;
  readonly allVotes?: boolean;
  readonly seed: string;
  readonly threads: string;
}

export function askCommand(parts: Parts): Command {
  const command = makeCommand("ask", "Ask a model a question; its answers vote.", [
    `sqlm ask models/arithmetic "123+456=" --votes 16`,
    `sqlm ask RUN "98*7=" --json                  the newest checkpoint of a run`,
  ]);
  return withModelOptions(withWorkspace(command))
    .argument("<model>", "Folder in Hugging Face layout, GGUF file, hub id ORG/NAME[@REVISION], or the name of a run.")
    .argument("<question>", "The question, as the topic writes it.")
    .option("--votes <count>", "Answers to sample, split over the question's equivalent forms.", "16")
    .option("--all-votes", "Sample all votes, also when fewer have decided the winner.")
    .option("--topic <name>", "Topic name or path of a topic file (default: the one that the model was trained on).")
    .option("--seed <count>", "Seed of the sampling.", "1")
    .option("--threads <count>", "Threads of the engine; 0 measures and chooses.", "0")
    .action(async (model: string, text: string, options: AskOptions) => {
      const terminal = terminalOf(options);
      const votes = readCount("--votes", options.votes, 1);
      const seed = readCount("--seed", options.seed);
      const threads = readCount("--threads", options.threads);
      const chosen = await chooseModel(model, options, terminal);
      const { topic } = await openTopicFor(chosen.topic, chosen.folder, { ...chosen.settings, evalFile: "none" });
      if (topic.verification !== "vote") {
        throw new UnsupportedError(
          `Answers to topic ${topic.name} are programs, which do not vote.`,
          "Ask in a topic with a vote.",
        );
      }
      const question = readQuestion(topic, text);
      if (chosen.note !== null) terminal.note(chosen.note);
      using interrupt = listenForInterrupt(terminal, "Ending.");
      const { signal } = interrupt;
      const onProgress = engineProgress(terminal);
      terminal.status(`opening ${model}`);
      const { folder, adapter } = await openedAs(chosen.folder, options, terminal);
      const { weights } = options;
      await using engine = await parts.openEngine({
        model: folder,
        threads,
        ...modelSettings({ weights, ...(adapter === undefined ? {} : { adapter }) }),
        onProgress,
      });
      sayWeights(terminal, engine.capabilities);
      // Disposed of first, it finishes what is under way: an engine's thread that is stopped within native code aborts the process.
      await using player = await engine.openPolicy();
      terminal.status(`sampling ${votes} answers`);
      const { truncatedReplies = "refuse" } = topic.settings ?? {};
      const { tellsTokens = false } = engine.capabilities;
      const forms = await askVote(player, topic, question, {
        votes,
        seed,
        stop: options.allVotes !== true,
        truncatedReplies,
        signal,
        // Where answers come whole they come all at once, and there is nothing to show before the vote.
        ...(tellsTokens ? { onPiece: showFirstAnswer(terminal, player.tokenizer, votes) } : {}),
      });
      terminal.status(null);
      if (signal.aborted) {
        process.exitCode = exitCodes.interrupted;
        return;
      }
      const verdict = vote(forms.flatMap(({ values }, form) => values.map((value) => ({ form, value }))));
      sayVote(terminal, text, votes, forms, verdict);
      // The share of a vote that stopped early is too high to be compared with those of a run.
      const whole = verdict.groupSize === votes && verdict.winner !== null;
      const chance = whole && chosen.note === null ? chanceOf(chosen.folder, verdict) : null;
      if (chance !== null) terminal.say(describeChance(chance, verdict.consistent));
      terminal.result({ model, topic: chosen.topic, question: text, verdict, forms, chance });
    });
}

function sayVote(
  terminal: Terminal,
  question: string,
  votes: number,
  forms: readonly AskedForm[],
  verdict: VoteVerdict,
): void {
  const outcome = verdict.winner ?? (verdict.tie ? "no winner: a tie" : "no readable answer");
  terminal.say(`${oneLine(question, 200)} → ${outcome}`);
  if (verdict.groupSize < votes) {
    terminal.note(`decided by ${verdict.groupSize} of up to ${votes} answers; --all-votes samples all of them`);
  }
  terminal.say(voteTable(verdict, terminal.tableColumns));
  if (forms.length === 1) return;
  const rows = forms.map((form, i) => [
    oneLine(form.question, 60),
    verdict.formWinners[i] ?? "-",
    String(form.values.length),
  ]);
  terminal.say(`\n${formatTable(["form of the question", "its winner", "answers"], rows, terminal.tableColumns)}`);
  terminal.say(verdict.consistent ? "All forms agree." : "The forms do not agree: training would not use this vote.");
}

/** The question as solvers get it. Only its text is known: nobody proposed it, so its place on the scale is not asked for. */
function readQuestion(topic: Topic, text: string): Question {
  const question = { text, key: text, difficulty: 0 };
  try {
    topic.solvePrompt(question);
  } catch (cause) {
    if (cause instanceof UsageError && !(cause instanceof TopicError)) throw cause;
    const problem = describeThrown(cause instanceof TopicError && cause.cause !== undefined ? cause.cause : cause);
    throw new UsageError(
      `Topic ${topic.name} cannot ask this question: ${problem}`,
      "`sqlm questions RUN` shows questions of the topic.",
      { cause },
    );
  }
  return question;
}

/** Votes of a run that its chance is taken from: the newest, since a model that learns is another one later. */
const votesLookedAt = 4000;

/** How likely the winner is right, from votes of the run that the model is of; null for any other model, or with too few. */
function chanceOf(folder: string, verdict: VoteVerdict): VoteChance | null {
  const found = runOfFolder(folder);
  if (found === null) return null;
  using reader = openReader(found.workspace);
  return chanceRight(verdict, judgedVotes(reader, found.run, votesLookedAt));
}

function describeChance({ probability, interval, of, right, from, to }: VoteChance, consistent: boolean): string {
  const share = from === to ? formatShare(from) : `${formatShare(from)} to ${formatShare(to)}`;
  const sort = consistent ? "all forms agreeing" : "forms not agreeing";
  return (
    `Right with a chance of ${formatShare(probability)} (${formatShare(interval[0])} to ${formatShare(interval[1])}): of this run's own votes with ${sort} ` +
    `and ${share} of the answers, ${right} of ${of} were.`
  );
}

function voteTable(verdict: VoteVerdict, columns: number): string {
  const { counts, unreadable, groupSize } = verdict;
  const rows = [...counts.slice(0, 10), ...(unreadable > 0 ? [["(unreadable)", unreadable] as const] : [])];
  return formatTable(
    ["answer", "votes", "share", ""],
    rows.map(([value, votes]) => [
      oneLine(value, 40),
      String(votes),
      formatShare(votes / groupSize),
      bar(votes / groupSize),
    ]),
    columns,
  );
}
