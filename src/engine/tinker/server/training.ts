// Training requests of the protocol as data of the engine, and results back. On the wire a sequence lacks its last token and
// its targets are shifted by one: entry i of every array is about token i + 1 of the sequence.
import type { Datum, LossFn } from "../../../types.ts";
import type { LossConfig, Policy } from "../../engine.ts";
import { rowTensor, type TrainingRequest, type WireTensor } from "../wire/training.ts";
import type { TrainingResult } from "../wire/training-result.ts";
import { ServerProblem } from "./problem.ts";

type WireDatum = TrainingRequest["data"][number];

/** A datum for the engine, and where its log-probabilities can be told. */
interface Row {
  readonly datum: Datum;
  /** Of each position: its target is the sequence's next token, so that the engine can tell its log-probability. */
  readonly known: readonly boolean[];
}

/** Data that a loss reads beside its targets; each has the length of the input. */
const inputsOf: Readonly<Record<LossFn, { readonly needed: readonly string[]; readonly optional: readonly string[] }>> =
  {
    cross_entropy: { needed: [], optional: ["weights"] },
    importance_sampling: { needed: ["logprobs", "advantages"], optional: ["weights"] },
    ppo: { needed: ["logprobs", "advantages"], optional: ["weights"] },
    cispo: { needed: ["logprobs", "advantages"], optional: ["weights"] },
  };

const refuse = (problem: string): ServerProblem => new ServerProblem(400, problem);

/**
 * One pass: with a gradient, or without where the request says so. Log-probabilities of the positions that train nothing are
 * told too: the engine leaves them out, so the beginnings that hold them are scored before, each once.
 */
export async function runPass(policy: Policy, request: TrainingRequest): Promise<TrainingResult> {
  const { lossFunctions } = policy.capabilities;
  const loss = lossFunctions.find((name) => name === request.lossFn);
  if (loss === undefined) {
    throw refuse(`This server has no loss "${request.lossFn}": use one of ${lossFunctions.join(", ")}.`);
  }
  const rows = request.data.map((datum, index) => readDatum(datum, loss, index));
  const config = readConfig(request.lossConfig, loss);
  if (request.forwardOnly) {
    const scores = await policy.score(rows.map(({ datum }) => datum.tokens));
    return resultOf(rows, scores, loss, lossOf(rows, scores, loss));
  }
  const [missing, { logprobs, metrics }] = await Promise.all([
    scoreUntrained(policy, rows),
    policy.forwardBackward(
      rows.map(({ datum }) => datum),
      loss,
      config,
    ),
  ]);
  const told = rows.map(({ datum }, index) =>
    datum.tokens.map((_, i) => (datum.weights[i] === 0 ? (missing[index][i] ?? 0) : logprobs[index][i])),
  );
  const { loss: total, tokens = 0, clipFraction } = metrics;
  return resultOf(rows, told, loss, {
    "loss:sum": total,
    "tokens:sum": tokens,
    ...(clipFraction === undefined ? {} : { "clip_fraction:mean": clipFraction }),
  });
}

function readDatum({ tokens: input, inputs }: WireDatum, loss: LossFn, index: number): Row {
  const { needed, optional } = inputsOf[loss];
  const read = (name: string): readonly number[] | null => {
    const tensor = inputs[name];
    if (tensor === undefined) return null;
    if (tensor.shape.length !== 1 || tensor.data.length !== input.length) {
      const has = `shape [${tensor.shape.join(", ")}]`;
      throw refuse(`Datum ${index} has ${input.length} input tokens but ${name} of ${has}: give one number a token.`);
    }
    return tensor.data;
  };
  const need = (name: string): readonly number[] => {
    const values = read(name);
    if (values === null) throw refuse(`Datum ${index} has no ${name}, which ${loss} needs.`);
    return values;
  };
  const unknown = Object.keys(inputs).find((name) => ![...needed, ...optional, "target_tokens"].includes(name));
  if (unknown !== undefined) {
    throw refuse(`Datum ${index} has an input "${unknown.slice(0, 40)}", which ${loss} does not read: leave it out.`);
  }
  if (input.length === 0) throw refuse(`Datum ${index} has no input tokens.`);
  const targets = need("target_tokens");
  const zeros = input.map(() => 0);
  const [logprobs, advantages] = loss === "cross_entropy" ? [zeros, zeros] : [need("logprobs"), need("advantages")];
  const given = read("weights") ?? input.map(() => 1);
  // A token without an advantage has no gradient, whatever the loss.
  const weights = loss === "cross_entropy" ? given : given.map((weight, i) => (advantages[i] === 0 ? 0 : weight));
  const tokens = [...input, Math.max(0, targets[targets.length - 1])];
  const known = targets.map((target, i) => target === tokens[i + 1]);
  const wrong = known.findIndex((same, i) => !same && weights[i] !== 0);
  if (wrong >= 0) {
    throw refuse(
      `Datum ${index} trains target ${targets[wrong]} at position ${wrong}, and its input goes on with ${tokens[wrong + 1]}: targets must be the input shifted by one.`,
    );
  }
  const shifted = (row: readonly number[]): number[] => [0, ...row];
  const datum = {
    tokens,
    weights: shifted(weights),
    logprobs: shifted(logprobs),
    advantages: shifted(advantages),
  };
  return { datum, known };
}

/** Thresholds are absolute ratios; where they are not given, 0.8 and 1.2. */
function readConfig(config: TrainingRequest["lossConfig"], loss: LossFn): LossConfig {
  const clips = loss === "ppo" || loss === "cispo";
  const names = clips ? ["clip_low_threshold", "clip_high_threshold"] : [];
  for (const [name, value] of Object.entries(config)) {
    if (!names.includes(name)) throw refuse(`${loss} has no setting "${name.slice(0, 40)}" here: leave it out.`);
    if (typeof value !== "number" || !Number.isFinite(value)) throw refuse(`${name} must be a number.`);
  }
  if (!clips) return {};
  const { clip_low_threshold: low = 0.8, clip_high_threshold: high = 1.2 } = config as Readonly<Record<string, number>>;
  if (!(low >= 0 && low <= 1 && high >= 1)) {
    throw refuse(
      `${loss} clips ratios from ${low} to ${high}: give a lower threshold up to 1 and an upper one from 1 on.`,
    );
  }
  return { clipLow: 1 - low, clipHigh: high - 1 };
}

/** Log-probabilities, as far as the last position that trains nothing; nothing for rows of which all positions train. */
async function scoreUntrained(policy: Policy, rows: readonly Row[]): Promise<readonly (readonly number[])[]> {
  const beginnings = rows.map(({ datum: { tokens, weights }, known }) => {
    const last = known.findLastIndex((told, i) => told && weights[i + 1] === 0);
    return tokens.slice(0, last + 2);
  });
  const distinct = new Map<string, readonly number[]>();
  for (const tokens of beginnings) if (tokens.length > 1) distinct.set(tokens.join(), tokens);
  if (distinct.size === 0) return rows.map(() => []);
  const scores = await policy.score([...distinct.values()]);
  const byKey = new Map([...distinct.keys()].map((key, i) => [key, scores[i]]));
  return beginnings.map((tokens) => byKey.get(tokens.join()) ?? []);
}

/** What a pass without a gradient can tell of its loss: that of a cross-entropy. */
function lossOf(rows: readonly Row[], logprobs: readonly (readonly number[])[], loss: LossFn): Record<string, number> {
  if (loss !== "cross_entropy") return {};
  const total = rows.reduce(
    (sum, { datum: { weights } }, index) =>
      sum - weights.reduce((part, weight, i) => part + weight * logprobs[index][i], 0),
    0,
  );
  return { "loss:sum": total };
}

function resultOf(
  rows: readonly Row[],
  logprobs: readonly (readonly number[])[],
  loss: LossFn,
  metrics: Readonly<Record<string, number>>,
): TrainingResult {
  const outputs = rows.map(({ datum: { weights }, known }, index): Record<string, WireTensor> => {
    const told = known.map((same, i) => (same ? logprobs[index][i + 1] : 0));
    const row = rowTensor("float32", told);
    if (loss !== "cross_entropy") return { logprobs: row };
    const elements = told.map((logprob, i) => 0 - weights[i + 1] * logprob);
    return { logprobs: row, elementwise_loss: rowTensor("float32", elements) };
  });
  return { outputType: loss, outputs, metrics };
}
