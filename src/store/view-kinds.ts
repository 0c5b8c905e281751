// What a run asks: its questions by kind over its steps. Records do not say the kind of a question, so it is read off
// the text as training reads it where a topic does not say: digits are taken for each other.
import { eachRow } from "./database.ts";
import { idOf, type Reader } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";

export interface QuestionKind {
  /** The text with every run of digits as `#`. */
  readonly kind: string;
  readonly questions: number;
  readonly trained: number;
  /** Groups with a label that the hidden checker has judged, and how many of these labels are right. */
  readonly labelled: number;
  readonly right: number;
  readonly agreement: number;
  readonly lowestDifficulty: number;
  readonly highestDifficulty: number;
  readonly firstStep: number;
  readonly lastStep: number;
  /** Questions of this kind in each column. */
  readonly counts: readonly number[];
  /** The last question of this kind. */
  readonly example: { readonly step: number; readonly position: number; readonly text: string };
}

export interface KindMap {
  /** First and last step of each column. */
  readonly columns: readonly (readonly [from: number, to: number])[];
  /** All questions in each column. */
  readonly asked: readonly number[];
  /** The most common kinds, most questions first. */
  readonly kinds: readonly QuestionKind[];
  /** Kinds that are not among them, and their questions. */
  readonly otherKinds: number;
  readonly otherQuestions: number;
}

/** Longest name of a kind. */
const longestKind = 80;

/** The kind of a question by its text. */
export function kindOf(text: string): string {
  const kind = text.slice(0, 400).replaceAll(/\d+/g, "#").replaceAll(/\s+/g, " ").trim();
  return kind.length <= longestKind ? kind : `${kind.slice(0, longestKind - 1)}…`;
}

interface Tally {
  questions: number;
  trained: number;
  labelled: number;
  right: number;
  agreement: number;
  lowestDifficulty: number;
  highestDifficulty: number;
  firstStep: number;
  lastStep: number;
  readonly counts: number[];
  example: QuestionKind["example"];
}

interface Row {
  readonly step: number;
  readonly position: number;
  readonly question: string;
  readonly difficulty: number;
  readonly agreement: number;
  readonly trained: number;
  readonly label_right: number | null;
}

/** The `most` most common kinds of questions that a run asked. Throws UsageError for an unknown run. */
export function kindMap(reader: Reader, run: string, { most = 24, columns = 30 } = {}): KindMap {
  const runId = idOf(reader, run);
  return readAtOnce(reader, () => {
    const rows = reader.database.prepare(
      `SELECT step, position, question, difficulty, agreement, signal = 'trained' AS trained, label_right
         FROM questions WHERE run_id = ? AND superseded = 0 ORDER BY step, position`,
    );
    const last = Number(
      reader.database.prepare("SELECT max(step) AS step FROM steps WHERE run_id = ? AND superseded = 0").get(runId)?.[
        "step"
      ] ?? 0,
    );
    const every = Math.max(1, Math.ceil(last / columns));
    const width = Math.ceil(last / every);
    const asked = Array.from({ length: width }, () => 0);
    const tallies = new Map<string, Tally>();
    for (const row of eachRow<Row>(rows, runId)) {
      const column = Math.floor((row.step - 1) / every);
      asked[column]++;
      const kind = kindOf(row.question);
      let tally = tallies.get(kind);
      if (tally === undefined) {
        tally = emptyTally(row, width);
        tallies.set(kind, tally);
      }
      count(tally, row, column);
    }
    const sorted = [...tallies].sort(([a, one], [b, other]) => other.questions - one.questions || (a < b ? -1 : 1));
    const rest = sorted.slice(most);
    return {
      columns: asked.map((_, i) => [i * every + 1, Math.min(last, (i + 1) * every)]),
      asked,
      kinds: sorted
        .slice(0, most)
        .map(([kind, tally]) => ({ kind, ...tally, agreement: tally.agreement / tally.questions })),
      otherKinds: rest.length,
      otherQuestions: rest.reduce((sum, [, { questions }]) => sum + questions, 0),
    };
  });
}

function emptyTally({ step, difficulty }: Row, columns: number): Tally {
  return {
    ...{ questions: 0, trained: 0, labelled: 0, right: 0, agreement: 0 },
    ...{ lowestDifficulty: difficulty, highestDifficulty: difficulty, firstStep: step, lastStep: step },
    counts: Array.from({ length: columns }, () => 0),
    example: { step, position: 0, text: "" },
  };
}

function count(tally: Tally, row: Row, column: number): void {
  tally.questions++;
  tally.trained += row.trained;
  tally.agreement += row.agreement;
  if (row.label_right !== null) {
    tally.labelled++;
    tally.right += row.label_right;
  }
  tally.lowestDifficulty = Math.min(tally.lowestDifficulty, row.difficulty);
  tally.highestDifficulty = Math.max(tally.highestDifficulty, row.difficulty);
  tally.lastStep = row.step;
  tally.counts[column]++;
  tally.example = { step: row.step, position: row.position, text: row.question };
}
