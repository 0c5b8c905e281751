// The guard's hands: it asks the probes, keeps what the guard remembers, and says what is in force. What the numbers mean is decided
// in guard/, which is pure; what a return to an earlier model is, the loop knows. Nothing here is given what knows the truth.
import type { RunConfig } from "./config/config.ts";
import type { Player } from "./engine/engine.ts";
import { compareAtEnd } from "./guard/ending.ts";
import { atEase, type Posture, type Response, respond, underPosture } from "./guard/ladder.ts";
import { questionSignals } from "./guard/signals.ts";
import {
  beginWatch,
  isHonest,
  isSolved,
  leastProbes,
  type Probe,
  restartWatch,
  setUsual,
  type WatchState,
  watch,
} from "./guard/watch.ts";
import { askProbes, drawQuestions, probesByLevel } from "./play/probes.ts";
import { splitOf } from "./plurality.ts";
import { seedFrom } from "./random.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import type { Topic } from "./topics/topic.ts";
import type { Answer, Question, VerifiedGroup } from "./types.ts";
import { verify } from "./verify/verify.ts";

/** What the guard of a run remembers, kept with every checkpoint. Plain JSON. */
export interface GuardMemory {
  /** Null while the topic cannot draw and too few questions have been kept from teaching. */
  readonly watch: WatchState | null;
  /** Questions of the run itself that are to be probes. */
  readonly collected: readonly Question[];
  readonly posture: Posture;
  /** Step of the checkpoint to come back to; null where there is none. */
  readonly honest: number | null;
  /** Step of a checkpoint that was saved while all was calm: it is one to come back to if the next look still finds nothing. */
  readonly awaiting?: number | null;
}

export interface GuardParts {
  readonly topic: Topic;
  readonly sandbox?: Sandbox | undefined;
  readonly config: RunConfig;
  readonly heldOutKeys: ReadonlySet<string>;
}

/** Questions of each difficulty that are tried to see which ones the model manages. */
const triedAtLevel = 16;

/** The memory of a run that begins: probes are drawn and looked at, where the topic can draw; null where nothing is watched. */
export async function beginGuard(parts: GuardParts, player: Player): Promise<GuardMemory | null> {
  if (parts.config.guard === "off") return null;
  const memory: GuardMemory = { watch: null, collected: [], posture: atEase, honest: null };
  const { generator } = parts.topic;
  if (generator === undefined) return memory;
  const { seed, probeQuestions } = parts.config;
  const except = parts.heldOutKeys;
  const tried = generator.levels.flatMap((level) =>
    drawQuestions(generator, level, triedAtLevel, { seed, purpose: "probe-levels", except }),
  );
  const groups = await ask(parts, player, tried, "levels");
  const levels = generator.levels.map((difficulty) => {
    const ofLevel = groups.filter(({ question }) => question.difficulty === difficulty);
    return { difficulty, solved: ofLevel.filter(isSolved).length / Math.max(1, ofLevel.length) };
  });
  // Twice as many as are kept: those that the model solves are the ones that it can lose.
  const candidates = [...probesByLevel(levels, 2 * probeQuestions)].flatMap(([level, count]) =>
    drawQuestions(generator, level, count, { seed, purpose: "probes", except }),
  );
  return { ...memory, watch: await firstLooks(parts, player, candidates) };
}

/** What the run must not teach: keys of the probes. */
export function probeKeys(memory: GuardMemory | null): ReadonlySet<string> {
  return new Set(
    [...(memory?.collected ?? []), ...(memory?.watch?.probes ?? []).map(({ question }) => question)].map(
      ({ key }) => key,
    ),
  );
}

/** The settings with what the guard's posture makes of them. */
export function underGuard(config: RunConfig, memory: GuardMemory | null): RunConfig {
  if (memory === null) return config;
  const settings = underPosture(config, memory.posture);
  return memory.posture.skip ? { ...settings, proposerEvery: 0 } : settings;
}

/**
 * Questions of this step that are not to teach: all where the guard has the step skipped, and those that become probes, where the
 * topic cannot draw any: half of the solved ones until there are enough.
 */
export function withhold(
  { config, topic }: GuardParts,
  memory: GuardMemory | null,
  groups: readonly VerifiedGroup[],
): { readonly memory: GuardMemory | null; readonly withheld: ReadonlySet<string> } {
  if (memory === null) return { memory, withheld: new Set() };
  if (memory.posture.skip) return { memory, withheld: new Set(groups.map(({ question }) => question.key)) };
  if (topic.generator !== undefined || memory.watch !== null) return { memory, withheld: new Set() };
  const solved = groups.filter(isSolved).map(({ question }) => question);
  const half = solved.filter((_, i) => i % 2 === 0);
  // What forms are split on is kept from teaching anyhow; a quarter of the probes may be of that, to see where the vote goes astray.
  const split = config.splitReward > 0 ? groups.filter(({ answers }) => splitOf(answers) > 0) : [];
  const astray = split.map(({ question }) => question).slice(0, Math.floor(half.length / 3));
  const kept = [...half, ...astray].slice(0, config.probeQuestions - memory.collected.length);
  return {
    memory: { ...memory, collected: [...memory.collected, ...kept] },
    withheld: new Set(kept.map(({ key }) => key)),
  };
}

/** What a step's look found, and what follows from it. */
export interface GuardLook {
  readonly memory: GuardMemory | null;
  readonly responses: readonly Response[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** Looks at the probes, where it is time to, with the model as it is after the step's update. */
export async function lookAround(
  parts: GuardParts,
  memory: GuardMemory | null,
  player: Player,
  { step, groups }: { readonly step: number; readonly groups: readonly VerifiedGroup[] },
): Promise<GuardLook> {
  const { config } = parts;
  if (memory === null) return { memory, responses: [], metrics: {} };
  // Skipped once, for the look before.
  const rested: GuardMemory = { ...memory, posture: { ...memory.posture, skip: false } };
  if (memory.watch === null) {
    const enough = memory.collected.length >= config.probeQuestions;
    const begun = enough ? await firstLooks(parts, player, memory.collected) : null;
    const few = begun === null ? null : tooFewSolved(begun);
    const responses: Response[] =
      few === null
        ? []
        : [{ detector: few.part, message: `idle: ${few.reason}`, rung: "note", highest: "note", action: "note" }];
    return {
      memory: { ...rested, watch: begun, collected: enough ? [] : memory.collected },
      responses,
      metrics: {},
    };
  }
  if (step % config.probeEvery !== 0 && step !== config.steps) return { memory: rested, responses: [], metrics: {} };
  const { probes } = memory.watch;
  const look = {
    groups: await ask(parts, player, questionsIn(probes), step),
    questions: questionSignals(groups),
    kl: await distance(player, probes),
  };
  const seen = watch(memory.watch, look, config);
  const means = { act: config.guard === "act" && memory.honest !== null, teacher: parts.topic.verification === "vote" };
  const { posture, responses } = respond(rested.posture, seen.alarms, means);
  const calm = posture.rung === "note" && isHonest(seen.state, config);
  const honest = calm ? (memory.awaiting ?? memory.honest) : memory.honest;
  return {
    memory: { ...rested, watch: seen.state, posture, honest, awaiting: null },
    responses,
    metrics: seen.metrics,
  };
}

/**
 * The memory when a checkpoint of this step is saved. It is not one to come back to before a look behind it has found nothing: what
 * goes wrong between two looks is seen by the second, and the checkpoint may lie between them.
 */
export function trust(memory: GuardMemory | null, step: number, config: RunConfig): GuardMemory | null {
  // What was learned since an alarm is not trusted before all is calm.
  if (memory === null || memory.posture.rung !== "note") return memory;
  if (memory.watch === null) return { ...memory, honest: step };
  if (!isHonest(memory.watch, config)) return memory;
  return memory.honest === null ? { ...memory, honest: step } : { ...memory, awaiting: step };
}

/** Step of the checkpoint that is to vote; null where the model that learns votes itself. */
export function teacherOf(memory: GuardMemory | null): number | null {
  return memory?.posture.taught === true ? memory.honest : null;
}

/** The memory after a return to the honest checkpoint. */
export function afterReturn(memory: GuardMemory): GuardMemory {
  return { ...memory, watch: memory.watch === null ? null : restartWatch(memory.watch) };
}

/** Looks at each of two models that are compared: the first says what is taken for right, the others are measured by it. */
const endLooks = 4;

/** A run that ends while an alarm is in force may end with the model that was last trusted. Null where there is nothing to decide. */
export async function lookBack(
  parts: GuardParts,
  memory: GuardMemory | null,
  last: Player,
  modelOf: (step: number) => Promise<Player | null>,
): Promise<Response | null> {
  const { guard, steps } = parts.config;
  if (guard !== "act" || memory?.watch == null || memory.honest === null || memory.posture.rung === "note") return null;
  const trusted = await modelOf(memory.honest);
  if (trusted === null) return null;
  const { probes } = memory.watch;
  const asked = async (player: Player): Promise<VerifiedGroup[][]> => {
    const looks: VerifiedGroup[][] = [];
    for (let look = 1; look <= endLooks; look++)
      looks.push(await ask(parts, player, questionsIn(probes), `end-${steps}-${look}`));
    return looks;
  };
  const found = compareAtEnd(probes, { last: await asked(last), trusted: await asked(trusted) });
  const message =
    `the run ends while an alarm is in force: of the answers to ${found.compared} probes ${share(found.trusted)} are right by the trusted ` +
    `model of step ${memory.honest}, ${share(found.last)} by that of step ${steps} (difference ± ${share(found.error)}), so the run ends with ` +
    (found.goBack ? `that of step ${memory.honest}` : "the last one");
  const rung = "roll-back";
  return { detector: "ending", message, rung, highest: rung, action: found.goBack ? rung : "note" };
}

/** Says what the guard cannot do in this run, one sentence each. */
export function idleParts(
  { topic, config }: GuardParts,
  memory: GuardMemory | null,
): readonly { readonly part: string; readonly reason: string }[] {
  if (memory === null) return [];
  const idle: { part: string; reason: string }[] = [];
  if (topic.generator === undefined) {
    const reason =
      `topic ${topic.name} cannot draw questions, so half of the first ${config.probeQuestions * 2} or so that the vote is sure of become probes ` +
      "instead of teaching; what happens before that is not seen";
    idle.push({ part: "probes", reason });
  }
  if (topic.verification === "vote" && topic.restatements === undefined && topic.paraphrase === undefined) {
    const reason = `topic ${topic.name} has no restatements and no paraphrases: the forms of a question cannot come apart`;
    idle.push({ part: "restatement, parting-gap and confident-split", reason });
  }
  if (topic.verification === "tests") {
    idle.push({ part: "first-answer and top-answer", reason: "programs have no winner that could be compared" });
  }
  const few = memory.watch === null ? null : tooFewSolved(memory.watch);
  if (few !== null) idle.push(few);
  return idle;
}

/** Null where there are enough solved probes for the tests. */
function tooFewSolved({ probes }: WatchState): { readonly part: string; readonly reason: string } | null {
  const solved = probes.filter((probe) => probe.solved).length;
  if (solved >= leastProbes) return null;
  const reason = `the vote is sure of ${solved} of ${probes.length} probes at the start; a test needs ${leastProbes} that could be lost`;
  return { part: "restatement and first-answer", reason };
}

/** Three looks at the model of the start: the first says what it solves, the others how often that is lost by chance. */
async function firstLooks(parts: GuardParts, player: Player, questions: readonly Question[]): Promise<WatchState> {
  const groups = mostlySolved(await ask(parts, player, questions, "first"), parts.config.probeQuestions);
  const answers = groups.map(({ answers: [answer] }) => answer);
  const scores = scored(player) ? await scoreSaid(player, answers) : null;
  const probes = groups.map((group, i): Probe => {
    const { promptTokens, tokens } = answers[i];
    const { question, verdict } = group;
    const said = scores === null ? null : { promptTokens, tokens, logprob: sum(scores[i].slice(promptTokens.length)) };
    return { question, winner: verdict.winner, solved: isSolved(group), said };
  });
  const kept = questionsIn(probes);
  const usual = [await ask(parts, player, kept, "second"), await ask(parts, player, kept, "third")];
  return setUsual(beginWatch(probes), usual);
}

/** `count` of the groups, three in four of them solved where there are so many: what is not solved shows where a vote goes astray. */
function mostlySolved(groups: readonly VerifiedGroup[], count: number): VerifiedGroup[] {
  const [solved, others] = [groups.filter(isSolved), groups.filter((group) => !isSolved(group))];
  const most = Math.max(Math.ceil(0.75 * count), count - others.length);
  const kept = solved.slice(0, most);
  return [...kept, ...others.slice(0, count - kept.length)];
}

/** Asks probes as training asks, and takes for a label what it takes for one. Every look draws anew: what is the same at two looks is the model's. */
async function ask(
  { topic, sandbox, config, heldOutKeys }: GuardParts,
  player: Player,
  questions: readonly Question[],
  look: string | number,
): Promise<VerifiedGroup[]> {
  const { temperature, topP, topK, truncatedReplies, probeAnswers, seed } = config;
  const sampling = { temperature, topP, topK, truncatedReplies, probeAnswers, heldOutKeys };
  const groups = await askProbes(player, topic, questions, { ...sampling, seed: seedFrom(seed, "probe", look) });
  return verify(topic, groups, { sandbox, consistentVote: true, labelRule: config.labelRule });
}

/** Mean of log π_start − log π, in nats a token, over what was said at the start: an estimate of KL(start ‖ now) on the probes. */
async function distance(player: Player, probes: readonly Probe[]): Promise<number | null> {
  const said = probes.flatMap(({ said: one }) => (one === null ? [] : [one]));
  if (said.length === 0) return null;
  const scores = await scoreSaid(player, said);
  const now = said.map(({ promptTokens }, i) => sum(scores[i].slice(promptTokens.length)));
  return sum(said.map(({ logprob }, i) => logprob - now[i])) / sum(said.map(({ tokens }) => tokens.length));
}

/** Log-probabilities of what was said behind each prompt. */
const scoreSaid = (player: Player, said: readonly Pick<Answer, "promptTokens" | "tokens">[]): Promise<number[][]> =>
  player.score(
    said.map(({ promptTokens, tokens }) => [...promptTokens, ...tokens]),
    said.map(({ promptTokens }) => promptTokens.length),
  );

const scored = ({ capabilities }: Player): boolean => capabilities.scores !== false;

const share = (value: number): string => value.toFixed(3);

const questionsIn = (probes: readonly Probe[]): Question[] => probes.map(({ question }) => question);

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
