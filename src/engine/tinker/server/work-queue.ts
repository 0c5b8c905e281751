// What the engine is to do, in the order in which it was asked for. Samples that wait for one player with the same options
// are drawn together: an ask's completions depend on nothing beside it, so nobody can tell whom it was sampled with.
import { setImmediate } from "node:timers/promises";
import type { Completion } from "../../../types.ts";
import type { Ask, Player, SampleOptions } from "../../engine.ts";

/** Where a player is had from, when its turn has come: it may have to be opened. */
export interface PlayerSource {
  player(): Promise<Player>;
}

export interface Sampled {
  readonly completions: readonly Completion[];
  /** Of the prompt's tokens, 0 for the first; null where they were not asked for. */
  readonly promptLogprobs: readonly number[] | null;
}

export interface SampleJob {
  readonly source: PlayerSource;
  readonly ask: Ask;
  readonly options: SampleOptions;
  readonly scorePrompt: boolean;
  readonly done: (sampled: Sampled) => void;
  readonly failed: (error: unknown) => void;
}

/** Anything else. */
interface OtherJob {
  readonly run: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

type Job = SampleJob | OtherJob;

/** Completions that are sampled together: the engine works on as many at once. A single request may ask for more. */
const mostTogether = 256;

const isSample = (job: Job): job is SampleJob => "ask" in job;

/** Owns the order of the engine's calls; disposed of, it refuses what waits and ends with what is under way. */
export class WorkQueue implements AsyncDisposable {
  readonly #ending: () => unknown;
  #waiting: Job[] = [];
  #working: Promise<void> | null = null;
  #closed = false;

  /** @param ending makes the error for what can no longer be done */
  constructor(ending: () => unknown) {
    this.#ending = ending;
  }

  /** Jobs that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(job: Job): void {
    if (this.#closed) job.failed(this.#ending());
    else {
      this.#waiting.push(job);
      this.#working ??= this.#work();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const job of this.#waiting.splice(0)) job.failed(this.#ending());
    await this.#working;
  }

  async #work(): Promise<void> {
    // What arrives with the first request is taken along.
    await setImmediate();
    while (this.#waiting.length > 0) {
      const [job] = this.#waiting;
      if (isSample(job)) await sampleTogether(this.#takeBatch(job));
      else {
        this.#waiting.shift();
        await job.run().catch(job.failed);
      }
      // Requests that have come in the meantime are read before the next batch is chosen.
      await setImmediate();
    }
    this.#working = null;
  }

  /** The sample that has waited longest, and those that can be drawn with it. */
  #takeBatch(first: SampleJob): readonly [SampleJob, ...SampleJob[]] {
    const batch: [SampleJob, ...SampleJob[]] = [first];
    const left: Job[] = [];
    let together = first.ask.numSamples;
    for (const job of this.#waiting.slice(1)) {
      const fits = isSample(job) && together + job.ask.numSamples <= mostTogether && alike(job, first);
      if (!fits) left.push(job);
      else {
        together += job.ask.numSamples;
        batch.push(job);
      }
    }
    this.#waiting = left;
    return batch;
  }
}

function alike(a: SampleJob, b: SampleJob): boolean {
  const [one, other] = [a.options, b.options];
  return (
    a.source === b.source &&
    one.maxTokens === other.maxTokens &&
    one.temperature === other.temperature &&
    one.topP === other.topP &&
    one.topK === other.topK &&
    one.stop.join() === other.stop.join()
  );
}

/** One that cannot be honoured fails for itself: those beside it are tried alone. */
async function sampleTogether(batch: readonly [SampleJob, ...SampleJob[]]): Promise<void> {
  try {
    const player = await batch[0].source.player();
    const scored = batch.filter(({ scorePrompt }) => scorePrompt);
    const asks = batch.map(({ ask }) => ask);
    const [rows, scores] = await Promise.all([
      player.sample(asks, batch[0].options),
      scored.length === 0 ? [] : player.score(scored.map(({ ask }) => ask.promptTokens)),
    ]);
    let next = 0;
    for (const [index, { scorePrompt, done }] of batch.entries()) {
      done({ completions: rows[index], promptLogprobs: scorePrompt ? scores[next++] : null });
    }
  } catch (error) {
    if (batch.length === 1) batch[0].failed(error);
    else for (const job of batch) await sampleTogether([job]);
  }
}
