// The messages of the protocol: recorded exchanges read as server and as client and written again, what is refused, and
// messages that nobody meant.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkMessage, readJson } from "../../../src/engine/tinker/wire/body.ts";
import { futureMessage, problemOf, readFutureAnswer } from "../../../src/engine/tinker/wire/futures.ts";
import { endpoints, results } from "../../../src/engine/tinker/wire/messages.ts";
import { pack, unpack } from "../../../src/engine/tinker/wire/packed.ts";
import { decodeSampleResult, encodeSampleResult, type SampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import {
  decodeTrainingRequest,
  encodeTrainingRequest,
  rowTensor,
  type TrainingRequest,
} from "../../../src/engine/tinker/wire/training.ts";
import {
  decodeTrainingResult,
  encodeTrainingResult,
  type TrainingResult,
} from "../../../src/engine/tinker/wire/training-result.ts";
import { WireError } from "../../../src/engine/tinker/wire/wire-error.ts";
import { bytesOf, captures, type Exchange, endpointOf } from "./captures.ts";
import { fuzz } from "./fuzz.ts";

const jsonOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** A message without its nulls and without what this package does not read of it. */
function without(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(without);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, without(item)]])),
  );
}

const resultOf = {
  CreateModel: results.createModel,
  OptimStep: results.optimStep,
  SaveWeights: results.saveWeights,
  SaveWeightsForSampler: results.saveWeightsForSampler,
  LoadWeights: results.loadWeights,
  UnloadModel: results.unloadModel,
} as const;

describe.each(captures)("recorded exchanges: $name", ({ name: capture, exchanges }) => {
  const newest = capture.includes("sdk-0.38");
  const of = (wanted: (exchange: Exchange) => boolean): Exchange[] => exchanges.filter(wanted);
  const succeeded = ({ response }: Exchange): boolean => response.status < 300;

  it("reads every request that was carried out, as a server does", () => {
    const seen = of(succeeded).flatMap((exchange): unknown[] => {
      const name = endpointOf(exchange);
      if (name === null || exchange.request.body === null) return [];
      const { body } = exchange.request;
      if (name === "forwardBackward" || name === "forward") {
        return [decodeTrainingRequest(bytesOf(body), "json" in body ? "json" : "protobuf")];
      }
      const message = checkMessage(name, endpoints[name].request, readJson(name, bytesOf(body)));
      if ("json" in body) expect(without(body.json)).toMatchObject(without(jsonOf(message)) as object);
      return [message];
    });
    expect(seen.length).toBeGreaterThan(25);
  });

  it("writes training requests as they were sent, as a client does", () => {
    const training = of((exchange) => ["forwardBackward", "forward"].includes(endpointOf(exchange) ?? ""));
    expect(training.length).toBeGreaterThan(7);
    for (const { request } of training) {
      const { body } = request;
      if (body === null) throw new Error("no body");
      const format = "json" in body ? "json" : "protobuf";
      const decoded = decodeTrainingRequest(bytesOf(body), format);
      const written = encodeTrainingRequest(decoded, format);
      if ("json" in body) expect(readJson("", written)).toEqual(body.json);
      // Maps have no order in protobuf, so equal messages may be other bytes. SDKs before 0.27 send settings in one map alone.
      else if (newest || Object.keys(decoded.lossConfig).length === 0)
        expect(written.length).toBe(bytesOf(body).length);
      expect(decodeTrainingRequest(written, format)).toEqual(decoded);
    }
  });

  it("reads every answer, as a client does, and writes it as a server does", () => {
    const kinds = new Set<string>();
    for (const exchange of of(succeeded)) {
      const name = endpointOf(exchange);
      const { body, headers } = exchange.response;
      if (name === null || body === null) continue;
      if (name !== "retrieveFuture") {
        const message = checkMessage(name, endpoints[name].response, readJson(name, bytesOf(body)));
        if ("json" in body && name !== "clientConfig") {
          expect(without(body.json)).toMatchObject(without(jsonOf(message)) as object);
        }
        continue;
      }
      const type = exchange.request.headers["x-tinker-request-type"];
      const answer = readFutureAnswer(headers["content-type"], bytesOf(body));
      if (answer.kind !== "result") continue;
      kinds.add(type);
      const { bytes, format } = answer;
      if (type === "Sample") {
        const result = decodeSampleResult(bytes, format);
        const written = encodeSampleResult(result, format);
        if (format === "protobuf") expect(Buffer.from(written)).toEqual(Buffer.from(bytes));
        expect(decodeSampleResult(written, format)).toEqual(result);
      } else if (type === "ForwardBackward" || type === "Forward") {
        const result = decodeTrainingResult(bytes, format);
        expect(result.outputs.length).toBeGreaterThan(0);
        expect(decodeTrainingResult(encodeTrainingResult(result, format), format)).toEqual(result);
      } else {
        checkMessage(type, resultOf[type as keyof typeof resultOf], readJson(type, bytes));
      }
    }
    expect([...kinds]).toEqual(expect.arrayContaining(["CreateModel", "ForwardBackward", "OptimStep", "Sample"]));
  });

  it("reads why a server refused", () => {
    const refused = of(
      ({ response, path }) => response.status >= 400 && response.status < 500 && !path.includes("dynamic"),
    );
    expect(refused.length).toBeGreaterThan(0);
    for (const { response } of refused) {
      const problem = problemOf(bytesOf(response.body));
      expect(problem.length).toBeGreaterThan(5);
      expect(problem).not.toMatch(/^[{[]/);
    }
  });
});

const finite = fc.float({ noNaN: true, noDefaultInfinity: true });
const token = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const name = fc.constantFrom("logprobs", "elementwise_loss", "values");

describe("messages written and read", () => {
  it("training requests", () => {
    const tensor = fc.oneof(
      fc.array(finite, { maxLength: 6 }).map((row) => rowTensor("float32", row)),
      fc.array(fc.maxSafeInteger(), { maxLength: 6 }).map((row) => rowTensor("int64", row)),
    );
    const request: fc.Arbitrary<TrainingRequest> = fc.record({
      modelId: fc.string(),
      seqId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      data: fc.array(
        fc.record({ tokens: fc.array(token), inputs: fc.dictionary(name, tensor, { noNullPrototype: true }) }),
      ),
      lossFn: fc.string(),
      lossConfig: fc.dictionary(name, fc.oneof(finite, fc.string()), { noNullPrototype: true }),
      forwardOnly: fc.boolean(),
    });
    fc.assert(
      fc.property(request, fc.constantFrom("json", "protobuf"), (sent, format) => {
        expect(plain(decodeTrainingRequest(encodeTrainingRequest(sent, format), format))).toEqual(plain(sent));
      }),
    );
  });

  it("training results and samples", () => {
    const rows = fc.array(fc.array(finite, { minLength: 1, maxLength: 5 }), { maxLength: 4 });
    const result: fc.Arbitrary<TrainingResult> = fc.record({
      outputType: fc.string(),
      outputs: rows.map((all) => all.map((row) => ({ logprobs: rowTensor("float32", row) }))),
      metrics: fc.dictionary(fc.constantFrom("loss:sum", "tokens:sum"), finite, { noNullPrototype: true }),
    });
    const sampled: fc.Arbitrary<SampleResult> = fc.record(
      {
        sequences: fc.array(
          fc.array(fc.tuple(token, finite), { minLength: 1 }).chain((pairs) =>
            fc.record({
              tokens: fc.constant(pairs.map(([id]) => id)),
              logprobs: fc.constant(pairs.map(([, logprob]) => logprob)),
              stopReason: fc.constantFrom("stop" as const, "length" as const),
            }),
          ),
        ),
        promptLogprobs: fc.array(fc.option(finite)),
        topkPromptLogprobs: fc.array(fc.tuple(fc.tuple(token, finite), fc.tuple(token, finite))),
      },
      { requiredKeys: ["sequences"] },
    );
    fc.assert(
      fc.property(result, sampled, fc.constantFrom("json", "protobuf"), (training, sample, format) => {
        expect(plain(decodeTrainingResult(encodeTrainingResult(training, format), format))).toEqual(plain(training));
        expect(plain(decodeSampleResult(encodeSampleResult(sample, format), format))).toEqual(plain(sample));
      }),
    );
  });

  it("how a future stands", () => {
    for (const answer of [
      { kind: "waiting", queueState: "paused_capacity", reason: "no room" },
      { kind: "large", bytes: 70_000_000 },
      { kind: "failed", error: "no such loss", category: "user" },
    ] as const) {
      const bytes = new TextEncoder().encode(JSON.stringify(futureMessage("1", answer)));
      expect(readFutureAnswer("application/json", bytes)).toEqual(answer);
    }
  });
});

describe("what is no message", () => {
  it("is refused in one sentence that says what it was meant to be", () => {
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const result = (change: object): Uint8Array =>
      text({ loss_fn_outputs: [{ logprobs: { data: [1, 2], dtype: "float32", shape: [2], ...change } }], metrics: {} });
    for (const [read, says] of [
      [() => decodeSampleResult(text({ sequences: [{ tokens: [1], stop_reason: "tired" }] }), "json"), /stop_reason/],
      [
        () => decodeSampleResult(text({ sequences: [{ tokens: [1, 2], logprobs: [0], stop_reason: "stop" }] }), "json"),
        /2 tokens but 1/,
      ],
      [() => decodeSampleResult(new TextEncoder().encode("<html>502"), "json"), /no JSON but "<html>502"/],
      [() => decodeSampleResult(new Uint8Array([0x0a, 0xff]), "protobuf"), /2 bytes that are no such message/],
      [() => decodeTrainingResult(result({ shape: [3] }), "json"), /2 numbers in the shape \[3\]/],
      [() => decodeTrainingRequest(text({ model_id: "m" }), "json"), /forward_backward_input/],
      [() => checkMessage("CreateSession", endpoints.createSession.response, {}), /session_id/],
    ] as const) {
      expect(read).toThrow(WireError);
      expect(read).toThrow(says);
    }
  });

  it("gives a typed error or a message, whatever the bytes are", () => {
    const { read, refused } = fuzz(4000);
    // Both happen, or the messages say nothing.
    expect(read).toBeGreaterThan(300);
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("packed numbers", () => {
  it("are little-endian, and read back", () => {
    expect([...pack("int32", [1, -2])]).toEqual([1, 0, 0, 0, 254, 255, 255, 255]);
    expect([...pack("float32", [1])]).toEqual([0, 0, 128, 63]);
    expect(unpack("bfloat16", new Uint8Array([0x80, 0x3f, 0x20, 0xc1]), "")).toEqual([1, -10]);
    expect(() => unpack("int64", new Uint8Array(12), "Tensor")).toThrow("12 bytes are no whole number of int64");
    expect(() => unpack("int64", new Uint8Array(8).fill(0x7f), "Tensor")).toThrow("beyond 2^53");
  });
});

/** Without absent keys, and with one zero. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
