// Every error a user can meet: a class with fields, the cause, and a sentence that says what to do next.
// Bad questions, answers and programs are not errors; they are data with a reason (see types.ts).

/** Base of all errors that this package throws on purpose. `hint` says what to do next. */
export class SqlmError extends Error {
  readonly hint: string;
  /** Process exit code that the command line gives for this error. */
  readonly exitCode: number = 1;

  constructor(message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.hint = hint;
  }
}

/** Something the user gave cannot be used: an unknown name, option, file or value. Nothing has been done yet. */
export class UsageError extends SqlmError {
  override readonly exitCode = 2;
}

/** A file is not what its name says: truncated, corrupt, of another shape or version. */
export class FileFormatError extends SqlmError {
  readonly path: string;

  constructor(path: string, problem: string, hint: string, options?: { cause?: unknown }) {
    super(`${path}: ${problem}`, hint, options);
    this.path = path;
  }
}

/** An engine, topic or sandbox was asked for something that it cannot honour. */
export class UnsupportedError extends SqlmError {
  override readonly exitCode = 2;
}

/** The run stopped safely (full disk, NaN loss, lost server); the last good checkpoint is whole. */
export class RunStoppedError extends SqlmError {
  override readonly exitCode = 3;

  /**
   * True where what was computed since the last save is gone or in doubt, elsewhere and through nobody's fault here: a loop whose engine
   * can be renewed goes on from its last checkpoint.
   */
  get stateLost(): boolean {
    return false;
  }
}

/**
 * A function of a topic threw, or returned what a topic may not return: a mistake in the topic, not in a reply. The
 * message names the topic's file, the function, what came and what should have come.
 */
export class TopicError extends UsageError {
  /** The topic's file, or its name where it is not from a file. */
  readonly topic: string;
  /** The function, for example `readAnswer` or `hidden.check`. */
  readonly part: string;

  constructor(topic: string, part: string, problem: string, options?: { cause?: unknown }) {
    super(
      `${topic}: ${part} ${problem}`,
      "Mend the topic: `sqlm check TOPIC` tries it on a few replies, without a run. A run that it stopped goes on with `sqlm resume RUN`.",
      options,
    );
    this.topic = topic;
    this.part = part;
  }
}

/** What was thrown, in a line: the name and message of an error, or the value itself. */
export function describeThrown(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `${typeof thrown} ${String(thrown)}`.split("\n")[0];
  const name = thrown.name === "Error" ? "" : `${thrown.name}: `;
  return `${name}${thrown.message}`.split("\n")[0];
}

/** `/folder/file.ts:12`, the first place in a file that a stack names; null where it names none. */
export function placeInStack(stack: string | undefined): string | null {
  const place = /^ +at (?:.*\()?(file:\/\/\/?[^\s)]+?|\/[^\s):]+):(\d+):\d+\)?$/m.exec(stack ?? "");
  if (place === null) return null;
  const [, file, line] = place;
  return `${file.startsWith("file:") ? decodeURI(new URL(file).pathname) : file}:${line}`;
}

/**
 * The known name nearest to `given` by edit distance, or null when nothing is near enough to be worth suggesting.
 */
export function nearestName(given: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(given.length / 2)) + 1;
  for (const name of known) {
    const distance =
      name.startsWith(given) && given.length > 1 ? 1 : editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** A sentence part such as ` Did you mean "arithmetic"?`, or an empty string. */
export function didYouMean(given: string, known: Iterable<string>): string {
  const nearest = nearestName(given, known);
  return nearest === null ? "" : ` Did you mean "${nearest}"?`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j] + 1, current[j - 1] + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length];
}

/** What helps a run whose loss or gradient is no longer finite. Resuming repeats it: a run keeps its settings. */
export const notFiniteHint =
  "A resumed run keeps its settings and would end here again. Start a new run from the last checkpoint, which `sqlm show RUN` " +
  "names, with smaller updates: `sqlm run TOPIC --model CHECKPOINT --learning-rate SMALLER`; --grad-clip-norm limits them too.";
