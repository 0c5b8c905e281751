// The hands of what explores: it says how a step's questions are asked for, asks the climb's probes, and keeps what is remembered of
// both. What the numbers mean is decided in explore/, which is pure. Nothing here is given what knows the truth.
import type { RunConfig } from "./config/config.ts";
import type { Player } from "./engine/engine.ts";
import { type Archive, archive, archiveMetrics, beginningsFrom } from "./explore/archive.ts";
import { type CellCounts, cellMetrics, cells, rarity } from "./explore/cells.ts";
import { type AskedLevel, beginClimb, type ClimbState, climbed, countSpent, levelsToAsk } from "./explore/climb.ts";
import { type Expectations, errorFall, expectationMetrics, expectations } from "./explore/expectations.ts";
import { chooseQuestions, type Lessons, lessonMetrics, lessons } from "./explore/lessons.ts";
import { isSolved } from "./guard/watch.ts";
import { askProbes, drawQuestions } from "./play/probes.ts";
import type { ProposalRequest } from "./play/propose.ts";
import { randomStream, seedFrom } from "./random.ts";
import type { QuestionGenerator, Topic } from "./topics/topic.ts";
import type { Judgement, Question } from "./types.ts";
import { verify } from "./verify/verify.ts";

/** What exploring remembers of a run, kept with every checkpoint. Plain JSON; a part that is off remembers nothing. */
export interface ExploreMemory {
  readonly cells: CellCounts;
  readonly archive: Archive;
  readonly expectations: Expectations;
  readonly lessons: Lessons;
  /** Null where nothing climbs. */
  readonly climb: ClimbState | null;
}

export const nothingExplored: ExploreMemory = {
  cells: cells.empty,
  archive: archive.empty,
  expectations: expectations.empty,
  lessons: lessons.empty,
  climb: null,
};

export interface ExploreParts {
  readonly topic: Topic;
  readonly config: RunConfig;
  readonly heldOutKeys: ReadonlySet<string>;
}

/** Probes of a level, and answers to each: three to a form where a question has three, so that one slip loses no form. */
const climbProbes = 12;
const climbAnswers = 9;

/** A topic that can be asked for levels, and that can draw probes of them. */
interface Climbable extends Topic {
  readonly levels: readonly number[];
  readonly generator: QuestionGenerator;
}

function canClimb(topic: Topic): topic is Climbable {
  const { levels, generator, verification } = topic;
  const drawn = new Set(generator?.levels);
  return verification === "vote" && levels !== undefined && levels.every((level) => drawn.has(level));
}

/** Parts that were asked for and can do nothing here, each with the reason; said before the first step. */
export function idleExploring({ topic, config }: Pick<ExploreParts, "topic" | "config">): string[] {
  const idle: string[] = [];
  if (config.climb === "on" && !canClimb(topic)) {
    idle.push(
      topic.levels === undefined
        ? `climb: the topic ${topic.name} cannot be asked for a level`
        : `climb: the topic ${topic.name} cannot draw probes of all its levels`,
    );
  }
  if (config.chooseQuestions === "teaching" && config.proposalsPerQuestion === 1) {
    idle.push("chooseQuestions: with proposalsPerQuestion 1 there is nothing to choose from");
  }
  if (config.splitReward > 0 && !config.consistentVote) {
    idle.push("splitReward: without consistentVote all answers are to one form");
  } else if (config.splitReward > 0 && topic.verification === "tests") {
    idle.push(`splitReward: programs of the topic ${topic.name} elect no winner on which forms could be split`);
  } else if (config.splitReward > 0 && topic.restatements === undefined && topic.paraphrase === undefined) {
    idle.push(
      `splitReward: the topic ${topic.name} has no restatements and no paraphrases, so its forms cannot be split`,
    );
  }
  return idle;
}

/** What the run so far remembers of questions like this one. */
export function curiosityAbout(
  { cells: counts, expectations: expected }: ExploreMemory,
  question: Question,
): { readonly rarity: number; readonly errorFall: number } {
  return { rarity: rarity(counts, question), errorFall: errorFall(expected, question) };
}

/** The memory of a run that begins: where climbing, the frontier of the model as it is. */
export async function beginExploring(parts: ExploreParts, player: Player): Promise<ExploreMemory> {
  const { topic, config } = parts;
  if (config.climb === "off" || !canClimb(topic)) return nothingExplored;
  const solved: number[] = [];
  // What lies above the first level that is not solved decides nothing.
  for (const level of topic.levels) {
    solved.push(await solvedShare(parts, topic, player, level, 0));
    const { frontier } = beginClimb(solved);
    if (frontier < solved.length) break;
  }
  return { ...nothingExplored, climb: beginClimb(solved) };
}

/** What the run must not teach: keys of the climb's probes. The same in every step. */
export function climbProbeKeys({ topic, config, heldOutKeys }: ExploreParts): ReadonlySet<string> {
  if (config.climb === "off" || !canClimb(topic)) return new Set();
  return new Set(topic.levels.flatMap((level) => probesOf(config, topic, level, heldOutKeys).map(({ key }) => key)));
}

const probesOf = (
  { seed }: RunConfig,
  { generator }: Climbable,
  level: number,
  except: ReadonlySet<string>,
): readonly Question[] => drawQuestions(generator, level, climbProbes, { seed, purpose: "climb", except });

/** How each of a step's `count` proposals is asked for, in an order drawn for the step; empty where nothing explores. */
export function requestsOf(
  { topic, config }: ExploreParts,
  { archive: known, climb }: ExploreMemory,
  { step, count }: { readonly step: number; readonly count: number },
): ProposalRequest[] {
  const random = randomStream(config.seed, "explore", step);
  const levels = climb === null || topic.levels === undefined ? [] : topic.levels;
  const beginnings = beginningsFrom(known, Math.round(count * config.replayShare), random);
  const left = count - beginnings.length;
  const asked: ProposalRequest[] =
    climb === null || levels.length === 0
      ? Array.from({ length: left }, () => ({}))
      : levelsToAsk(climb, levels.length, left, random).map((level) => ({ level: levels[level - 1] }));
  // Those that come first are solved: no sort of request may stand at the end.
  return random.shuffle([...asked, ...beginnings.map((beginning) => ({ beginning }))]);
}

/** Which questions of a step are solved, if not the first; undefined where they are. */
export function choiceOf(
  { config }: Pick<ExploreParts, "config">,
  { lessons: known }: ExploreMemory,
  step: number,
): ((questions: readonly Question[], count: number) => number[]) | undefined {
  if (config.chooseQuestions === "first") return undefined;
  const random = randomStream(config.seed, "choose", step);
  return (questions, count) => chooseQuestions(known, questions, count, random);
}

/** The memory after a step, with the climb's look at the model as it is after the update. */
export async function afterStep(
  parts: ExploreParts,
  memory: ExploreMemory,
  player: Player,
  judgement: Judgement,
): Promise<{ readonly memory: ExploreMemory; readonly metrics: Readonly<Record<string, number>> }> {
  const { config, topic } = parts;
  const counting = config.rareCellBonus > 0;
  const keeping = config.replayShare > 0;
  const expecting = config.progressBonus > 0;
  const choosing = config.chooseQuestions === "teaching";
  const remembered: ExploreMemory = {
    cells: counting ? cells.after(memory.cells, judgement) : memory.cells,
    archive: keeping ? archive.after(memory.archive, judgement) : memory.archive,
    expectations: expecting ? expectations.after(memory.expectations, judgement) : memory.expectations,
    lessons: choosing ? lessons.after(memory.lessons, judgement) : memory.lessons,
    climb: memory.climb,
  };
  const metrics = {
    ...(counting && cellMetrics(remembered.cells)),
    ...(keeping && archiveMetrics(remembered.archive)),
    ...(expecting && expectationMetrics(remembered.expectations)),
    ...(choosing && lessonMetrics(remembered.lessons)),
  };
  const { climb } = memory;
  if (climb === null || !canClimb(topic)) return { memory: remembered, metrics };
  const look = async (level: number): Promise<number | null> =>
    topic.levels[level - 1] === undefined
      ? null
      : await solvedShare(parts, topic, player, topic.levels[level - 1], judgement.step);
  const at = await look(climb.frontier);
  const above = await look(climb.frontier + 1);
  const next = climbed(countSpent(climb, askedLevels(judgement, topic.levels)), { at, above });
  const seen = {
    climbFrontier: next.frontier,
    ...(at !== null && { climbAt: at }),
    ...(above !== null && { climbAbove: above }),
  };
  return { memory: { ...remembered, climb: next }, metrics: { ...metrics, ...seen } };
}

/** The questions of a step by their place in `levels`, from 1 on. */
const askedLevels = ({ proposals }: Judgement, levels: readonly number[]): AskedLevel[] =>
  proposals
    .flatMap(({ question, refusal }) => (question === null ? [] : [{ question, kind: refusal?.kind }]))
    .map(({ question, kind }) => ({
      level: levels.indexOf(question.difficulty) + 1,
      repeated: kind === "duplicate" || kind === "held-out",
    }))
    .filter(({ level }) => level > 0);

/** Share of a level's probes that the model solves: their vote is a label to the run's rule, with half of the answers or more. */
async function solvedShare(
  { config, heldOutKeys }: ExploreParts,
  topic: Climbable,
  player: Player,
  level: number,
  step: number,
): Promise<number> {
  const { temperature, topP, topK, truncatedReplies, seed } = config;
  const groups = await askProbes(player, topic, probesOf(config, topic, level, heldOutKeys), {
    ...{ temperature, topP, topK, truncatedReplies, heldOutKeys },
    probeAnswers: climbAnswers,
    seed: seedFrom(seed, "climb", step),
  });
  const verified = await verify(topic, groups, { consistentVote: true, labelRule: config.labelRule });
  return verified.filter(isSolved).length / Math.max(1, verified.length);
}

/** What a checkpoint keeps of it, by name: the parts that are on. */
export function keptExploring(
  { config }: Pick<ExploreParts, "config">,
  memory: ExploreMemory,
): Record<string, unknown> {
  return {
    ...(config.rareCellBonus > 0 && { [cells.name]: memory.cells }),
    ...(config.replayShare > 0 && { [archive.name]: memory.archive }),
    ...(config.progressBonus > 0 && { [expectations.name]: memory.expectations }),
    ...(config.chooseQuestions === "teaching" && { [lessons.name]: memory.lessons }),
    ...(memory.climb !== null && { climb: memory.climb }),
  };
}

/** What a checkpoint kept, as it was written. */
export function restoredExploring(kept: Readonly<Record<string, unknown>> = {}): ExploreMemory {
  return {
    cells: (kept[cells.name] ?? cells.empty) as CellCounts,
    archive: (kept[archive.name] ?? archive.empty) as Archive,
    expectations: (kept[expectations.name] ?? expectations.empty) as Expectations,
    lessons: (kept[lessons.name] ?? lessons.empty) as Lessons,
    climb: (kept["climb"] ?? null) as ClimbState | null,
  };
}
