// Norm, head and loss for chosen positions, some rows at a time, so that no more than a slice of the logits is ever in memory:
// a row of logits is the size of the vocabulary. The loss is a sum over tokens, so each slice has its own gradient, which is
// taken in the same trip of the loop that computed its logits.

import type { ModelConfig } from "../../../model/model-config.ts";
import type { LossFn } from "../../../types.ts";
import { loop, slice } from "../graph/decode-operators.ts";
import { gradients } from "../graph/gradients.ts";
import type { Graph, Value } from "../graph/graph.ts";
import {
  add,
  gatherRows,
  gemm,
  logSoftmax,
  multiply,
  pickFromRows,
  reduceSum,
  reshape,
  rmsNorm,
  stopGradient,
} from "../graph/operators.ts";
import { type Parameters, parameter } from "../transformer/linear.ts";
import { lossValue } from "./loss-graph.ts";

/** Values of logits that a slice may have. */
const sliceValues = 2 ** 23;

/** Rows of a slice: 64 to 128, by the size of the vocabulary. */
export function sliceRows({ vocabSize }: Pick<ModelConfig, "vocabSize">): number {
  return vocabSize * 128 <= sliceValues ? 128 : 64;
}

/** Scalars of a loss, inputs of the graph where it has them. */
const lossScalars = ["lowestRatio", "highestRatio", "klPenaltyCoef"] as const;
const lossColumns = ["weights", "advantages", "oldLogprobs", "referenceLogprobs"] as const;

export interface ChosenRows {
  readonly graph: Graph;
  /** Hidden states [picks, hiddenSize] after the last norm: the seed of the backward pass. */
  readonly normed: Value;
  readonly head: Value;
  readonly targets: Value;
  readonly slices: Value;
  readonly rows: number;
}

/**
 * The chosen positions of `hidden` [batch · time, hiddenSize]. Adds the inputs `picks`, their rows, and `targets`, both int64
 * [picks], and `slices` int64 [], picks / sliceRows.
 */
export function chooseRows(config: ModelConfig, parameters: Parameters, hidden: Value): ChosenRows {
  const { graph } = hidden;
  const chosen = gatherRows(hidden, graph.input("picks", ["picks"], "int64"));
  return {
    graph,
    normed: rmsNorm(chosen, parameter(parameters, "model.norm.weight"), config.normEps),
    head: parameter(parameters, config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"),
    targets: graph.input("targets", ["picks"], "int64"),
    slices: graph.input("slices", [], "int64"),
    rows: sliceRows(config),
  };
}

/** Log-probabilities of the targets, [picks]. */
export function slicedLogprobs(chosen: ChosenRows): Value {
  const { scanned } = overSlices(chosen, {}, {}, (_, part) => ({
    carried: {},
    scanned: { logprobs: slicedTargets(chosen, part).logprobs },
  }));
  return reshape(scanned["logprobs"], ["picks"]);
}

/**
 * Loss, log-probabilities [picks], the gradient of `chosen.normed` and, where it trains, that of the head. Adds the
 * inputs that the loss has: `weights` and as needed `advantages`, `oldLogprobs`, `referenceLogprobs` [picks], and its scalars.
 */
export function slicedLoss(
  chosen: ChosenRows,
  lossFn: LossFn,
  withKl: boolean,
  headTrains: boolean,
): { loss: Value; logprobs: Value; normedGradient: Value; headGradient: Value | null } {
  const { graph, head, normed } = chosen;
  const columns = usedColumns(lossFn, withKl).map((name) => [name, graph.input(name, ["picks"])] as const);
  const scalars = new Map(usedScalars(lossFn, withKl).map((name) => [name, graph.input(name, [])]));
  const start = headTrains ? { headGradient: multiply(head, graph.scalar(0)) } : {};
  const { carried, scanned } = overSlices(chosen, Object.fromEntries(columns), start, (body, part, state) => {
    const { rows, logprobs } = slicedTargets(chosen, part);
    // Taken into the body, so that what is made of them is recorded there.
    const scalar = (name: (typeof lossScalars)[number]) => () =>
      body.emit("Identity", [scalars.get(name)!], [{ shape: [] }])[0];
    const loss = lossValue(lossFn, withKl, logprobs, {
      weights: part["weights"],
      advantages: () => part["advantages"],
      oldLogprobs: () => part["oldLogprobs"],
      referenceLogprobs: () => part["referenceLogprobs"],
      lowestRatio: scalar("lowestRatio"),
      highestRatio: scalar("highestRatio"),
      klPenaltyCoef: scalar("klPenaltyCoef"),
    });
    const [rowsGradient, headGradient] = gradients(body, loss, headTrains ? [rows, head] : [rows]);
    return {
      carried: headTrains ? { headGradient: add(state["headGradient"], headGradient!) } : {},
      scanned: { loss, logprobs, rows: rowsGradient! },
    };
  });
  return {
    loss: reduceSum(scanned["loss"], [0], false),
    logprobs: reshape(scanned["logprobs"], ["picks"]),
    normedGradient: reshape(scanned["rows"], ["picks", normed.shape[1]]),
    headGradient: headTrains ? carried["headGradient"] : null,
  };
}

function usedColumns(lossFn: LossFn, withKl: boolean): (typeof lossColumns)[number][] {
  const ratio: (typeof lossColumns)[number][] = lossFn === "cross_entropy" ? [] : ["advantages", "oldLogprobs"];
  return ["weights", ...ratio, ...(withKl ? (["referenceLogprobs"] as const) : [])];
}

function usedScalars(lossFn: LossFn, withKl: boolean): (typeof lossScalars)[number][] {
  const clips: (typeof lossScalars)[number][] =
    lossFn === "ppo" || lossFn === "cispo" ? ["lowestRatio", "highestRatio"] : [];
  return [...clips, ...(withKl ? (["klPenaltyCoef"] as const) : [])];
}

/** What one slice sees of the columns [picks]: its own rows. */
type Part = Readonly<Record<string, Value>>;

function overSlices(
  { graph, normed, targets, slices, rows }: ChosenRows,
  columns: Part,
  start: Part,
  step: (body: Graph, part: Part, state: Part) => { carried: Part; scanned: Part },
): { carried: Record<string, Value>; scanned: Record<string, Value> } {
  return loop(graph, { maxTrips: slices, carried: start, trips: "slices" }, (body, trip, state) => {
    const from = reshape(multiply(trip, body.scalar(rows, "int64")), [1]);
    const to = add(from, body.integers([rows]));
    const part = Object.fromEntries(
      Object.entries({ ...columns, targets, normed }).map(([name, value]) => [name, slice(value, 0, from, to, rows)]),
    );
    // The end is known by the number of trips.
    return { again: body.scalar(1, "bool"), ...step(body, part, state) };
  });
}

function slicedTargets({ head }: ChosenRows, { normed, targets }: Part): { rows: Value; logprobs: Value } {
  // A copy that the backward pass ends at: what leads to the rows is differentiated outside of the loop.
  const rows = stopGradient(normed);
  return { rows, logprobs: pickFromRows(logSoftmax(gemm(rows, head, { transposeB: true })), targets) };
}
