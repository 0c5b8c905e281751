// Requests as JSON lines in, one answer line each out, in order. Answers are written as soon as they are known, so a
// client may wait for one before it sends the next. A line that cannot be read gets an answer with the reason.

export type AnswerRequest = (request: Readonly<Record<string, unknown>>) => object | Promise<object>;

export interface JsonLinesOptions {
  /** Requests worked on at once. */
  readonly concurrency?: number;
  /** Longest line that is read, in bytes; what is longer is skipped to its end and refused. */
  readonly maxBytes?: number;
  /** Reads the text of a line; throws SyntaxError for what is not JSON. `JSON.parse` where not given. */
  readonly parse?: (text: string) => unknown;
  /** The answer to a line that cannot be read or answered. */
  readonly refuse?: (reason: string) => object;
}

type Line = { readonly bytes: Uint8Array } | { readonly tooLong: true };

/** Answers every line of `input`; resolves when the last answer has been written. */
export async function answerLines(
  input: AsyncIterable<Uint8Array>,
  write: (line: string) => void | Promise<void>,
  answer: AnswerRequest,
  options: JsonLinesOptions = {},
): Promise<void> {
  const { concurrency = 1, maxBytes = 32 * 2 ** 20 } = options;
  const inWork: Promise<void>[] = [];
  let written: Promise<void> = Promise.resolve();
  for await (const line of splitLines(input, maxBytes)) {
    while (inWork.length >= concurrency) await inWork.shift();
    const result = answerLine(line, answer, { ...options, maxBytes });
    written = written.then(async () => write(JSON.stringify(await result)));
    // Waiting for the writing too keeps memory flat where the reader of our output is slow.
    inWork.push(written);
    // A failed write is thrown by the waits above and below, not by the event loop in between.
    written.catch(() => {});
  }
  await written;
}

async function answerLine(
  line: Line,
  answer: AnswerRequest,
  { maxBytes, parse = JSON.parse, refuse = (error) => ({ error }) }: JsonLinesOptions,
): Promise<object> {
  if ("tooLong" in line) return refuse(`the line is longer than ${maxBytes} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(line.bytes);
  } catch {
    return refuse("the line is not valid UTF-8");
  }
  try {
    const request = parse(text);
    if (typeof request !== "object" || request === null || Array.isArray(request)) {
      return refuse("the line is not a JSON object");
    }
    return await answer(request as Readonly<Record<string, unknown>>);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return refuse(error instanceof SyntaxError ? `the line is not JSON: ${message}` : message);
  }
}

/**
 * Lines as bytes, split at `\n` only: JSON strings may hold other line separators. The last line may lack its end; an
 * empty rest after the last end is no line.
 */
async function* splitLines(input: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Line => {
    const line: Line = length > maxBytes ? { tooLong: true } : { bytes: Buffer.concat(parts) };
    parts = [];
    length = 0;
    return line;
  };
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length <= maxBytes) parts.push(part);
    else parts = [];
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      yield take();
    }
    keep(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
