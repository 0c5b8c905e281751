// From this package's training data to the wire's, and results back. On the wire a sequence lacks its last token, targets are
// shifted by one, masks and weights are part of the advantages, and every loss is a sum over tokens.
import type { Datum, LossFn } from "../../../types.ts";
import type { LossConfig } from "../../engine.ts";
import { lossDefaults } from "../../losses.ts";
import { rowTensor, type TrainingRequest, type WireTensor } from "../wire/training.ts";
import type { TrainingResult } from "../wire/training-result.ts";
import { WireError } from "../wire/wire-error.ts";

export type WireData = TrainingRequest["data"];

/** A datum with a token that something precedes: others are not sent. */
export const isSent = ({ tokens }: Pick<Datum, "tokens">): boolean => tokens.length > 1;

const shifted = (row: readonly number[]): WireTensor => rowTensor("float32", row.slice(1));

/**
 * Data of a loss. Weights are folded into advantages, which is the same for every loss that is linear in the advantage: for all
 * of them where no weight is below 0 (`ppo` takes the smaller of two products).
 */
export function wireData(data: readonly Datum[], loss: LossFn): WireData {
  return data.map(({ tokens, weights, logprobs, advantages }) => ({
    tokens: tokens.slice(0, -1),
    inputs: {
      target_tokens: rowTensor("int64", tokens.slice(1)),
      ...(loss === "cross_entropy"
        ? { weights: shifted(weights) }
        : {
            logprobs: shifted(logprobs),
            advantages: shifted(advantages.map((advantage, i) => (weights[i] === 0 ? 0 : advantage * weights[i]))),
          }),
    },
  }));
}

/** Data of a pass that gives log-probabilities and no gradient. */
export const scoringData = (sequences: readonly (readonly number[])[]): WireData =>
  sequences.map((tokens) => ({
    tokens: tokens.slice(0, -1),
    inputs: {
      target_tokens: rowTensor("int64", tokens.slice(1)),
      weights: rowTensor("float32", tokens.slice(1).fill(0)),
    },
  }));

/** Data whose cross-entropy has the gradient `gradients`, d loss / d logprob in the shape of the data: −Σ w·lp with w = −gradient. */
export const gradientData = (data: readonly Datum[], gradients: readonly (readonly number[])[]): WireData =>
  data.map(({ tokens }, row) => ({
    tokens: tokens.slice(0, -1),
    inputs: {
      target_tokens: rowTensor("int64", tokens.slice(1)),
      weights: shifted(gradients[row].map((gradient) => 0 - gradient)),
    },
  }));

/** What a loss is told beside its data. Thresholds are sent always: defaults differ from server to server. */
export function wireLossConfig(loss: LossFn, { clipLow, clipHigh }: LossConfig): Readonly<Record<string, number>> {
  if (loss !== "ppo" && loss !== "cispo") return {};
  return {
    clip_low_threshold: 1 - (clipLow ?? lossDefaults.clipLow),
    clip_high_threshold: 1 + (clipHigh ?? lossDefaults.clipHigh),
  };
}

/** Bytes of a datum on the wire, about. */
function bytesOf({ tokens, inputs }: WireData[number]): number {
  const rows = Object.values(inputs).map(({ dtype, data }) => data.length * (dtype === "int64" ? 8 : 4));
  return rows.reduce((sum, bytes) => sum + bytes, 4 * tokens.length + 100);
}

/** Splits data into requests of at most so many data and bytes, in order; a datum that is larger goes alone. */
export function splitData(data: WireData, most: { readonly data: number; readonly bytes: number }): WireData[] {
  const chunks: WireData[number][][] = [];
  let bytes = 0;
  for (const datum of data) {
    const size = bytesOf(datum);
    const last = chunks.at(-1);
    if (last === undefined || last.length >= most.data || bytes + size > most.bytes) {
      chunks.push([datum]);
      bytes = size;
    } else {
      last.push(datum);
      bytes += size;
    }
  }
  return chunks;
}

/**
 * The log-probabilities in the results of a call's requests, in the shape of the sequences: an entry for each token, 0 for the
 * first. Throws WireError where the server gives none, or too few.
 */
export function logprobsOf(
  sequences: readonly (readonly number[])[],
  results: readonly Pick<TrainingResult, "outputs">[],
): number[][] {
  const rows = results.flatMap(({ outputs }) => outputs.map(({ logprobs }) => logprobs?.data));
  const sent = sequences.filter((tokens) => isSent({ tokens })).length;
  if (rows.length !== sent) {
    throw new WireError("ForwardBackwardOutput", `${rows.length} results for ${sent} data`);
  }
  let next = 0;
  return sequences.map((tokens) => {
    if (!isSent({ tokens })) return tokens.map(() => 0);
    const row = rows[next++];
    if (row?.length !== tokens.length - 1) {
      throw new WireError(
        "ForwardBackwardOutput",
        `${row?.length ?? "no"} log-probabilities for ${tokens.length - 1} targets`,
      );
    }
    return [0, ...row];
  });
}

/** The norm of the gradient among what an update reports, under whatever name; null where it is not told. */
export function gradientNormOf(metrics: Readonly<Record<string, number | null>>): number | null {
  const found = Object.entries(metrics).find(([name]) => /(^|[/._])grad(ient)?_?norm(:|$)/i.test(name));
  return found === undefined ? null : (found[1] ?? Number.NaN);
}
