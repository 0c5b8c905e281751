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
