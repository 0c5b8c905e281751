// The two graphs of generation. `buildPrefillGraph` computes the keys and values of prompts. `buildDecodeGraph` is a whole
// stretch of generation in one graph: a Loop that computes one position for every row, chooses the next tokens with given
// random numbers and goes on until few rows are left. Both read the live weights in Hugging Face layout.
// Scheduling (which sequence sits in which row, and when) is in sampler.ts.
import {
  argMax,
  cachedAttention,
  compress,
  cumulativeSum,
  gatherInto,
  lastColumn,
  loop,
  mergeHeads,
  padTo,
  splitHeads,
  topK,
  vectorMaximum,
} from "./graph/decode-operators.ts";
import { type Dimension, Graph, type Value } from "./graph/graph.ts";
import {
  add,
  cast,
  concatenate,
  divide,
  greater,
  less,
  logSoftmax,
  matMul,
  maximum,
  multiply,
  pickFromRows,
  reduceSum,
  reshape,
  rmsNorm,
  sigmoid,
  softmax,
  subtract,
  transpose,
  unsqueeze,
  where,
} from "./graph/operators.ts";
import { type ModelConfig, parameterSpecs } from "./model-config.ts";

/** How the next token is chosen: the most likely one, from the whole distribution, or from its top-k / top-p part. */
export type Choice = "greedy" | "full" | "truncated";

/** Names of the keys and values of a layer, for inputs and outputs alike. */
export const cacheNames = (prefix: string, layer: number): { keys: string; values: string } => ({
  keys: `${prefix}_keys_${layer}`,
  values: `${prefix}_values_${layer}`,
});

/**
 * Inputs: the weights; `tokens` int64 [prompts · time] (prompts padded on the right with any token), `last_positions`
 * int32 [prompts], all time − 1; `total` int32 [1], time; `cosines` and `sines`.
 * Outputs: `prefix_keys_n`, `prefix_values_n` [prompts, keyValueHeads, time, headSize], keys rotated, of each layer.
 * Attention is causal, so what stands in the padding does not reach the positions before it.
 */
export function buildPrefillGraph(config: ModelConfig): Graph {
  const graph = Graph.create();
  const weights = weightInputs(graph, config);
  const tokens = graph.input("tokens", ["prompts", "time"], "int64");
  const rotary = rotaryInputs(graph, config);
  const position = {
    lastPositions: graph.input("last_positions", ["prompts"], "int32"),
    total: graph.input("total", [1], "int32"),
    presentSize: "time",
  };
  let hidden = gatherInto(tokens, weights.plain("model.embed_tokens.weight"));
  for (let layer = 0; layer < config.layers; layer++) {
    const block = transformerBlock(config, weights, layer, hidden, (query, key, value) =>
      cachedAttention(query, key, value, { ...config, ...rotary, ...position, past: null }),
    );
    const names = cacheNames("prefix", layer);
    graph.output(names.keys, block.keys);
    graph.output(names.values, block.values);
    hidden = block.hidden;
  }
  return graph;
}

/**
 * Inputs, for `rows` sequences: the weights; `cosines`, `sines`;
 * - `sources` int64 [rows]: where the cached positions of each row come from, counting first through the rows of
 *   `kept_keys_n` / `kept_values_n` [kept, keyValueHeads, keptTime, headSize], then through those of `prefix_…`;
 * - `cache_size` int64 [1]: the cached positions to begin with, at least the greatest of `lengths`, of keptTime and of
 *   prefixTime;
 * - `last_tokens` int64 [rows], each row's token that is not in its cache yet; `lengths` int32 [rows], its cached positions;
 * - `remaining` int32 [rows], tokens that it may still generate, ≥ 1; `max_trips` int64 [];
 * - `leave_at` int32 []: the loop ends when no more rows than this are unfinished;
 * - `unstopped` int32 [vocabulary]: 0 for tokens that end a sequence, else 1;
 * - `uniforms` float32 [max_trips, rows], in [0, 1 − 2⁻²³]; `temperature` float32 []; `top_p` float32 []; `top_k` int64 [1]
 *   (not for "greedy"; the last two only for "truncated").
 * Outputs: `tokens` int64 and `logprobs` float32 [trips, rows]; what a row gives after its end has no meaning. For the
 * unfinished rows in order, `kept_keys_n_next`, `kept_values_n_next`.
 */
export function buildDecodeGraph(config: ModelConfig, choice: Choice): Graph {
  const graph = Graph.create();
  const weights = weightInputs(graph, config);
  const rotary = rotaryInputs(graph, config);
  const sources = graph.input("sources", ["rows"], "int64");
  const cacheSize = graph.input("cache_size", [1], "int64");
  const unstopped = graph.input("unstopped", [config.vocabSize], "int32");
  const leaveAt = graph.input("leave_at", [], "int32");
  const choose = tokenChoice(graph, choice);
  const start: Record<string, Value> = {
    token: graph.input("last_tokens", ["rows"], "int64"),
    length: graph.input("lengths", ["rows"], "int32"),
    remaining: graph.input("remaining", ["rows"], "int32"),
    size: cast(cacheSize, "int32"),
  };
  const shapes: Record<string, Dimension[]> = {};
  for (let layer = 0; layer < config.layers; layer++) {
    for (const kind of ["keys", "values"] as const) {
      const name = cacheNames("", layer)[kind];
      const from = (origin: string): Value => {
        const shape = [origin, config.keyValueHeads, `${origin}_time`, config.headSize];
        return padTo(graph.input(cacheNames(origin, layer)[kind], shape), 2, cacheSize, "start_time");
      };
      start[name] = gatherInto(sources, concatenate([from("kept"), from("prefix")], 0));
      shapes[name] = ["rows", config.keyValueHeads, "past_time", config.headSize];
    }
  }
  const { carried, scanned } = loop(
    graph,
    {
      maxTrips: graph.input("max_trips", [], "int64"),
      carried: start,
      carriedShapes: shapes,
      trips: "trips",
    },
    (body, trip, { token, length, remaining, size, ...cache }) => {
      const one = body.scalar(1, "int32");
      const total = maximum(size, add(vectorMaximum(length), one));
      let hidden = unsqueeze(gatherInto(token, weights.plain("model.embed_tokens.weight")), 1);
      const nextCache: Record<string, Value> = {};
      for (let layer = 0; layer < config.layers; layer++) {
        const names = cacheNames("", layer);
        const past = { keys: cache[names.keys], values: cache[names.values] };
        const block = transformerBlock(config, weights, layer, hidden, (query, key, value) =>
          cachedAttention(query, key, value, {
            ...config,
            ...rotary,
            lastPositions: length,
            total,
            past,
            presentSize: "present_time",
          }),
        );
        nextCache[names.keys] = block.keys;
        nextCache[names.values] = block.values;
        hidden = block.hidden;
      }
      const rows = reshape(hidden, ["rows", config.hiddenSize]);
      const normed = rmsNorm(rows, weights.plain("model.norm.weight"), config.normEps);
      const head = config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
      const logits = matMul(normed, weights.transposed(head));
      const next = choose(logits, trip);
      const left = multiply(maximum(subtract(remaining, one), body.scalar(0, "int32")), gatherInto(next, unstopped));
      const unfinished = cast(greater(left, body.scalar(0, "int32")), "int32");
      return {
        again: greater(reduceSum(unfinished, [0], false), leaveAt),
        carried: {
          token: next,
          // A finished row writes its last position again and again, so that the cache need not grow for it.
          length: add(length, unfinished),
          remaining: left,
          size: total,
          ...nextCache,
        },
        scanned: { tokens: next, logprobs: pickFromRows(logSoftmax(logits), next) },
      };
    },
  );
  graph.output("tokens", scanned["tokens"]);
  graph.output("logprobs", scanned["logprobs"]);
  const unfinished = greater(carried["remaining"], graph.scalar(0, "int32"));
  for (let layer = 0; layer < config.layers; layer++) {
    for (const kind of ["keys", "values"] as const) {
      const name = cacheNames("", layer)[kind];
      graph.output(`${cacheNames("kept", layer)[kind]}_next`, compress(carried[name], unfinished, "kept_next"));
    }
  }
  return graph;
}

/** Weights by name; with `transposed`, a matrix as [in, out], turned once for each run of the graph. */
interface Weights {
  plain(name: string): Value;
  transposed(name: string): Value;
}

function weightInputs(graph: Graph, config: ModelConfig): Weights {
  const inputs = new Map(parameterSpecs(config).map(({ name, shape }) => [name, graph.input(name, shape)]));
  const turned = new Map<string, Value>();
  const plain = (name: string): Value => {
    const input = inputs.get(name);
    if (input === undefined) throw new Error(`The model has no weight named ${name}.`);
    return input;
  };
  return {
    plain,
    transposed: (name) => {
      const known = turned.get(name) ?? transpose(plain(name), [1, 0]);
      turned.set(name, known);
      return known;
    },
  };
}

function rotaryInputs(graph: Graph, config: ModelConfig): { cosines: Value; sines: Value } {
  const shape = ["positions", config.headSize / 2];
  return { cosines: graph.input("cosines", shape), sines: graph.input("sines", shape) };
}

/** One layer on hidden [batch, time, hiddenSize], with the attention between its projections given. */
function transformerBlock(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  hidden: Value,
  attend: (query: Value, key: Value, value: Value) => { context: Value; keys: Value; values: Value },
): { hidden: Value; keys: Value; values: Value } {
  const prefix = `model.layers.${layer}`;
  const linear = (x: Value, name: string, bias: boolean): Value => {
    const y = matMul(x, weights.transposed(`${prefix}.${name}.weight`));
    return bias ? add(y, weights.plain(`${prefix}.${name}.bias`)) : y;
  };
  const norm = (x: Value, name: string): Value => rmsNorm(x, weights.plain(`${prefix}.${name}.weight`), config.normEps);
  const normed = norm(hidden, "input_layernorm");
  const projection = (name: "q" | "k" | "v", heads: number): Value => {
    const y = linear(normed, `self_attn.${name}_proj`, config.queryKeyValueBias);
    if (!config.queryKeyNorm || name === "v") return y;
    return mergeHeads(norm(splitHeads(y, heads, config.headSize), `self_attn.${name}_norm`));
  };
  const { context, keys, values } = attend(
    projection("q", config.heads),
    projection("k", config.keyValueHeads),
    projection("v", config.keyValueHeads),
  );
  const middle = add(hidden, linear(context, "self_attn.o_proj", config.outputBias));
  const inner = norm(middle, "post_attention_layernorm");
  const gate = linear(inner, "mlp.gate_proj", config.feedForwardBias);
  const up = linear(inner, "mlp.up_proj", config.feedForwardBias);
  const activated = multiply(multiply(gate, sigmoid(gate)), up);
  return { hidden: add(middle, linear(activated, "mlp.down_proj", config.feedForwardBias)), keys, values };
}

type Chooser = (logits: Value, trip: Value) => Value;

/** Adds the inputs that a choice needs and gives the function from logits [rows, vocabulary] to tokens int64 [rows]. */
function tokenChoice(graph: Graph, choice: Choice): Chooser {
  if (choice === "greedy") return (logits) => argMax(logits);
  const temperature = graph.input("temperature", [], "float32");
  const uniforms = graph.input("uniforms", ["max_trips", "rows"]);
  const probabilities = (logits: Value): Value => softmax(divide(logits, temperature));
  // The first element at which the running sum passes a uniform part of the whole.
  const draw = (running: Value, trip: Value): Value => {
    const uniform = unsqueeze(gatherInto(trip, uniforms), 1);
    return argMax(cast(greater(running, multiply(uniform, lastColumn(running))), "int32"));
  };
  if (choice === "full") return (logits, trip) => draw(cumulativeSum(probabilities(logits)), trip);
  const topP = graph.input("top_p", []);
  const count = graph.input("top_k", [1], "int64");
  return (logits, trip) => {
    const best = topK(probabilities(logits), count, "top");
    const running = cumulativeSum(best.values);
    const before = subtract(running, best.values);
    const kept = where(less(before, multiply(lastColumn(running), topP)), best.values, logits.graph.scalar(0));
    return pickFromRows(best.columns, draw(cumulativeSum(kept), trip));
  };
}
