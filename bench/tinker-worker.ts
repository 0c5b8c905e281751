// A server for the bench of the Tinker client, in a thread of its own: it computes nothing, keeps every sample until as many as
// are wanted are under way, and answers what the protocol asks for.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import { mediaTypes } from "../src/engine/tinker/wire/body.ts";
import { apiRoot, endpoints } from "../src/engine/tinker/wire/messages.ts";
import { encodeSampleResult } from "../src/engine/tinker/wire/sampling.ts";
import { decodeTrainingRequest, rowTensor } from "../src/engine/tinker/wire/training.ts";
import { encodeTrainingResult } from "../src/engine/tinker/wire/training-result.ts";

/** How many samples are to be under way before any is done. */
let wanted = 1;
let requests = 0;
parentPort!.on("message", (message: "requests" | { readonly wanted: number }) => {
  if (message === "requests") parentPort!.postMessage(requests);
  else wanted = message.wanted;
});

const tokens = [3, 4, 5, 6, 7, 8, 9, 1];
const results = new Map<string, { readonly type: string; readonly bytes: Uint8Array }>();
/** Of each sampling session, what is done, in the order in which it was. */
const finished = new Map<string, string[]>();
const waiting: { readonly session: string; readonly id: string }[] = [];
let [count, samplers] = [0, 0];
const finishedOf = (session: string): string[] => {
  const known = finished.get(session);
  if (known !== undefined) return known;
  const made: string[] = [];
  finished.set(session, made);
  return made;
};

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
function promise(bytes: Uint8Array, type: string = mediaTypes.json): Uint8Array {
  const id = String(++count);
  results.set(id, { type, bytes });
  return json({ request_id: id });
}
/** A session of its own, as servers make them: each knows what was asked of it alone. */
const newSampler = (): string => `sampler-${++samplers}`;
const samples = new Map<number, Uint8Array>();
function samplesOf(number: number): Uint8Array {
  const known = samples.get(number);
  if (known !== undefined) return known;
  const sequences = Array.from({ length: number }, () => ({
    tokens,
    logprobs: tokens.map(() => -1),
    stopReason: "stop" as const,
  }));
  const made = encodeSampleResult({ sequences }, "protobuf");
  samples.set(number, made);
  return made;
}

async function answer(path: string, body: Buffer): Promise<{ readonly type: string; readonly bytes: Uint8Array }> {
  const message = (): Record<string, never> => JSON.parse(body.toString("utf8"));
  const plain = (bytes: Uint8Array) => ({ type: mediaTypes.json, bytes });
  switch (path) {
    case endpoints.capabilities.path: {
      const sqlm = { loss_functions: ["importance_sampling", "cross_entropy"], top_p: true, top_k: true };
      return plain(json({ supported_models: [{ model_name: "bench", max_context_length: 64 }], sqlm }));
    }
    case endpoints.clientConfig.path:
      return plain(
        json({
          sample_max_concurrent_requests: 10_000,
          sample_use_retrieve_futures: true,
          sample_dispatch_bytes_semaphore_size: 2 ** 30,
        }),
      );
    case endpoints.createSession.path:
      return plain(json({ session_id: "session" }));
    case endpoints.createModel.path:
      return plain(promise(json({ model_id: "model" })));
    case endpoints.createSamplingSession.path:
      return plain(json({ sampling_session_id: newSampler() }));
    case endpoints.saveWeightsForSampler.path:
      return plain(promise(json({ sampling_session_id: newSampler() })));
    case endpoints.optimStep.path:
      return plain(promise(json({ metrics: { grad_norm: 1 } })));
    case endpoints.forwardBackward.path: {
      const { data } = decodeTrainingRequest(body, "protobuf");
      const outputs = data.map((datum) => ({
        logprobs: rowTensor(
          "float32",
          datum.tokens.map(() => -1),
        ),
      }));
      return plain(
        promise(encodeTrainingResult({ outputType: "", outputs, metrics: {} }, "protobuf"), mediaTypes.protobuf),
      );
    }
    case endpoints.sample.path: {
      const { num_samples: samples, sampling_session_id: session } = message();
      const made = promise(samplesOf(samples), mediaTypes.protobuf);
      waiting.push({ session, id: String(count) });
      if (waiting.length >= wanted) for (const { session, id } of waiting.splice(0)) finishedOf(session).push(id);
      return plain(made);
    }
    case endpoints.retrieveFutures.path: {
      const { target, prev_cursor: from, with_results: inline } = JSON.parse(body.toString("utf8"));
      const done = finishedOf(target.sampling_session_id);
      const end = performance.now() + 2000;
      while (done.length <= from && performance.now() < end) await new Promise((go) => setTimeout(go, 2));
      const completions = done.slice(from).map((request_id) => {
        const result = inline === true ? results.get(request_id) : undefined;
        if (result === undefined) return { state: "finished", request_id };
        results.delete(request_id);
        return { state: "finished", request_id, result: Buffer.from(result.bytes).toString("base64") };
      });
      return plain(json({ completions, cursor: done.length }));
    }
    case endpoints.retrieveFuture.path: {
      const id: string = message()["request_id"];
      const result = results.get(id) ?? plain(json({ error: "gone" }));
      results.delete(id);
      return result;
    }
    default:
      return plain(json({}));
  }
}

const server = createServer(async (request, response) => {
  requests += 1;
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  const { type, bytes } = await answer((request.url ?? "").replace(apiRoot, ""), Buffer.concat(pieces));
  response.writeHead(200, { "content-type": type, "content-length": bytes.length });
  response.end(bytes);
});
server.listen(0, "127.0.0.1", () => parentPort!.postMessage((server.address() as AddressInfo).port));
