// Messages that nobody meant: recorded ones with bytes changed, cut out, doubled or put in, and bytes of nothing.

import { checkMessage, readJson, type WireFormat } from "../../../src/engine/tinker/wire/body.ts";
import { problemOf, readFutureAnswer, readQueueState } from "../../../src/engine/tinker/wire/futures.ts";
import { endpoints } from "../../../src/engine/tinker/wire/messages.ts";
import { decodeSampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import { decodeTrainingRequest } from "../../../src/engine/tinker/wire/training.ts";
import { decodeTrainingResult } from "../../../src/engine/tinker/wire/training-result.ts";
import { WireError } from "../../../src/engine/tinker/wire/wire-error.ts";
import { type Random, randomStream } from "../../../src/random.ts";
import { bytesOf, captures, type EndpointName, endpointOf } from "./captures.ts";

interface Seed {
  readonly bytes: Uint8Array;
  readonly read: (bytes: Uint8Array) => unknown;
}

const readers = {
  ForwardBackwardRequest: decodeTrainingRequest,
  ForwardBackwardOutput: decodeTrainingResult,
  SampleResponse: decodeSampleResult,
} as const;

/** Every recorded message with what reads it. */
function seeds(): Seed[] {
  return captures.flatMap(({ exchanges }) =>
    exchanges.flatMap(({ method, path, request, response }) => {
      const name = endpointOf({ method, path });
      if (name === null) return [];
      return [
        ...(request.body === null ? [] : [{ bytes: bytesOf(request.body), read: requestReader(name, request.body) }]),
        ...(response.body === null ? [] : [{ bytes: bytesOf(response.body), read: answerReader(name, response.body) }]),
      ];
    }),
  );
}

type Body = NonNullable<Parameters<typeof bytesOf>[0]>;

function requestReader(name: EndpointName, body: Body): Seed["read"] {
  const format: WireFormat = "json" in body ? "json" : "protobuf";
  if (name === "forwardBackward" || name === "forward") return (bytes) => decodeTrainingRequest(bytes, format);
  return (bytes) => checkMessage(name, endpoints[name].request, readJson(name, bytes));
}

function answerReader(name: EndpointName, body: Body): Seed["read"] {
  if ("protobuf" in body) {
    const read = readers[body.protobuf as keyof typeof readers];
    return (bytes) => read(bytes, "protobuf");
  }
  if (name !== "retrieveFuture") return (bytes) => checkMessage(name, endpoints[name].response, readJson(name, bytes));
  return (bytes) => {
    problemOf(bytes);
    readQueueState(bytes);
    return readFutureAnswer("application/json", bytes);
  };
}

export function mutate(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let changed = Buffer.from(bytes);
  for (let change = random.integer(1, 2); change > 0; change--) {
    const at = random.integer(0, Math.max(1, changed.length));
    const end = Math.min(changed.length, at + random.integer(1, 20));
    const piece = Buffer.from(Array.from({ length: random.integer(1, 9) }, () => random.integer(0, 256)));
    const from = random.integer(0, Math.max(1, other.length));
    changed = random.pick([
      () => {
        if (changed.length > 0) changed[at % changed.length] ^= 1 << random.integer(0, 8);
        return changed;
      },
      () => changed.subarray(0, at),
      () => Buffer.concat([changed.subarray(0, at), changed.subarray(end)]),
      () => Buffer.concat([changed.subarray(0, end), changed.subarray(at)]),
      () => Buffer.concat([changed.subarray(0, at), piece, changed.subarray(at)]),
      () => Buffer.concat([changed.subarray(0, at), other.subarray(from, from + 40), changed.subarray(at)]),
      // Lengths that say more than there is.
      () =>
        Buffer.concat([changed.subarray(0, at), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]), changed.subarray(end)]),
    ])();
  }
  return new Uint8Array(changed);
}

export interface FuzzCounts {
  readonly read: number;
  readonly refused: number;
}

/** Reads `count` such messages. Throws what is no WireError. */
export function fuzz(count: number): FuzzCounts {
  const random = randomStream("tinker fuzz");
  const all = seeds();
  let [read, refused] = [0, 0];
  for (let i = 0; i < count; i++) {
    const { bytes, read: decode } = random.pick(all);
    const message =
      i % 20 === 0
        ? new Uint8Array(Array.from({ length: random.integer(0, 60) }, () => random.integer(0, 256)))
        : mutate(bytes, random, random.pick(all).bytes);
    try {
      decode(message);
      read += 1;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      refused += 1;
    }
  }
  return { read, refused };
}
