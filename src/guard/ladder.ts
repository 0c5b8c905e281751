// What is done about alarms: a ladder whose rungs cost more and undo more. Pure: it says what to do, the loop does it.

/** Rungs in order. `roll-back` and `stop` also slow down; `note` changes nothing. */
export const rungs = ["note", "slow", "teacher", "roll-back", "stop"] as const;
export type Rung = (typeof rungs)[number];

/** A detector that fired. */
export interface Alarm {
  readonly detector: string;
  /** What was seen, as a sentence without an end. */
  readonly message: string;
  /** The lowest rung that is of use against it. */
  readonly rung: Rung;
  /** The highest that it may climb to, however often it comes. */
  readonly highest: Rung;
}

/** What is in force after the alarms so far, plain JSON. */
export interface Posture {
  /** Highest rung that was climbed since all was calm. */
  readonly rung: Rung;
  /** Looks in a row without an alarm. */
  readonly calm: number;
  /** Halvings of the learning rate that end when all is calm. */
  readonly slowed: number;
  readonly rollbacks: number;
  /** An earlier model votes. */
  readonly taught: boolean;
  /** The next step plays and does not learn. */
  readonly skip: boolean;
  readonly stopped: boolean;
}

export const atEase: Posture = {
  rung: "note",
  calm: 0,
  slowed: 0,
  rollbacks: 0,
  taught: false,
  skip: false,
  stopped: false,
};

/** Looks without an alarm after which rungs below `roll-back` are taken back. */
const calmLooks = 10;

/**
 * Halvings of the rate under which what a run forgets for a while comes back. What still alarms at a sixteenth of it is lost: so little
 * is learned by then that nothing heals, so even an alarm that a teacher would meet leads to a return.
 */
const passingHalvings = 4;

/** A third collapse from the same start is not met a third time in the same way. */
const mostRollbacks = 2;

/** What the run has to act with. */
export interface Means {
  /** False where nothing but notes is asked for. */
  readonly act: boolean;
  /** An earlier model can vote. */
  readonly teacher: boolean;
}

/** An alarm with what was done about it. */
export interface Response extends Alarm {
  readonly action: Rung;
}

/**
 * The posture after a look, and what was done about each alarm. An alarm climbs one rung above the highest that is in force, or to
 * its own where that is higher, and not above its highest. Alarms of one look are met together, by the highest of their rungs.
 */
export function respond(
  before: Posture,
  alarms: readonly Alarm[],
  means: Means,
): { readonly posture: Posture; readonly responses: readonly Response[] } {
  const isActedOn = ({ rung }: Alarm): boolean => means.act && rung !== "note";
  const lasting = before.slowed >= passingHalvings && before.rollbacks < mostRollbacks;
  const acting = alarms
    .filter(isActedOn)
    .map((alarm) => (lasting && alarm.highest === "teacher" ? { ...alarm, highest: "roll-back" as const } : alarm));
  const notes = alarms.filter((alarm) => !isActedOn(alarm)).map((alarm): Response => ({ ...alarm, action: "note" }));
  if (acting.length === 0) return { posture: calmer(before), responses: notes };

  const next = rungs.indexOf(before.rung) + 1;
  const wanted = acting.map(({ rung, highest }) =>
    Math.min(rungs.indexOf(highest), Math.max(next, rungs.indexOf(rung))),
  );
  const mayReturn = acting.some(({ highest }) => rungs.indexOf(highest) >= rungs.indexOf("roll-back"));
  const action = possible(rungs[Math.max(...wanted)], before, { ...means, mayReturn });
  const restored = action === "roll-back" || action === "stop";
  const posture: Posture = {
    // What comes again after a return comes from the same cause: only another return helps.
    rung: restored ? "teacher" : rungs[Math.max(rungs.indexOf(before.rung), rungs.indexOf(action))],
    calm: 0,
    slowed: restored ? 0 : before.slowed + 1,
    rollbacks: before.rollbacks + (action === "roll-back" ? 1 : 0),
    taught: !restored && (before.taught || action === "teacher"),
    skip: !restored,
    stopped: action === "stop",
  };
  return { posture, responses: [...notes, ...acting.map((alarm): Response => ({ ...alarm, action }))] };
}

function possible(asked: Rung, { rollbacks }: Posture, { teacher, mayReturn }: Means & { mayReturn: boolean }): Rung {
  const wanted = asked !== "teacher" || teacher ? asked : mayReturn ? "roll-back" : "slow";
  return wanted === "roll-back" && rollbacks >= mostRollbacks ? "stop" : wanted;
}

function calmer(before: Posture): Posture {
  const calm = before.calm + 1;
  const over = calm >= calmLooks;
  return over ? { ...before, calm, rung: "note", slowed: 0, taught: false } : { ...before, calm };
}

/** What posture makes of settings: the learning rate halves with each `slow` and each return, and votes must agree more. */
export function underPosture<Settings extends { readonly learningRate: number; readonly minAgreement: number }>(
  settings: Settings,
  { slowed, rollbacks }: Posture,
): Settings {
  if (slowed + rollbacks === 0) return settings;
  return {
    ...settings,
    learningRate: settings.learningRate * 0.5 ** (slowed + rollbacks),
    minAgreement: Math.max(settings.minAgreement, Math.min(highestAgreement, settings.minAgreement + 0.1 * slowed)),
  };
}

/** Above it hardly anything teaches. */
const highestAgreement = 0.9;
