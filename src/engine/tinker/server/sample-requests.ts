// Requests for samples, and what came of promises.
import type { z } from "zod";
import { type FutureAnswer, futureMessage } from "../wire/futures.ts";
import type { endpoints } from "../wire/messages.ts";
import { decodeSampleResult, encodeSampleResult } from "../wire/sampling.ts";
import { decodeTrainingResult, encodeTrainingResult } from "../wire/training-result.ts";
import { ServerProblem } from "./problem.ts";
import type { Payload } from "./promises.ts";
import { planSample, sampleResult } from "./sampling.ts";
import type { Service } from "./service.ts";
import type { Sampler } from "./sessions.ts";

type Message<Name extends keyof typeof endpoints> = z.output<(typeof endpoints)[Name]["request"]>;

export function createSamplingSession(
  service: Service,
  message: Message<"createSamplingSession">,
  digest: string,
): { readonly type: string; readonly sampling_session_id: string } {
  const { session_id, sampling_session_seq_id: number } = message;
  const session = service.sessions.find(session_id);
  const source = sourceOf(service, message);
  return session.once("sampling session", number, digest, () => ({
    type: "create_sampling_session",
    sampling_session_id: service.sessions.addSampler({ ...source, session }).id,
  }));
}

/** Of the weights that a request names. */
function sourceOf(
  service: Service,
  { base_model, model_path }: { base_model?: string | null | undefined; model_path?: string | null | undefined },
): Pick<Sampler, "source" | "save"> {
  if (base_model != null) service.checkBase(base_model);
  if (model_path != null) {
    const save = service.saves.find(model_path);
    return { source: service.samplers.saved(save), save };
  }
  if (base_model != null) return { source: service.samplers.base, save: null };
  throw new ServerProblem(400, "The request names no weights: send base_model or model_path.");
}

/** Bytes that a token of a prompt takes while it waits. */
const bytesPerToken = 8;
/** Numbers of a client's copies of a sampler begin at a multiple of this. */
const cloneStep = 1_000_000_000;

export function sample(service: Service, message: Message<"sample">, digest: string) {
  const { sampling_session_id, seq_id: number } = message;
  const { promises, queue, engine } = service;
  const sampler = sampling_session_id == null ? null : service.sessions.findSampler(sampling_session_id);
  const { source } = sampler ?? sourceOf(service, message);
  const known = number == null ? undefined : sampler?.requests.get(number);
  if (known !== undefined && known.digest !== digest) {
    throw new ServerProblem(409, `Request ${number} of this sampler was another one: number every request anew.`);
  }
  if (known !== undefined) return answerOf(known.promise, message.num_samples);
  const plan = planSample(message, engine);
  const bytes = plan.ask.promptTokens.length * bytesPerToken;
  if (service.waitingBytes + bytes > service.mostWaitingBytes && queue.waiting > 0) {
    const busy = `${queue.waiting} requests are waiting already, as many as there is room for: send it again later.`;
    throw new ServerProblem(429, busy, { "Retry-After": "1" });
  }
  service.waitingBytes += bytes;
  const promise = promises.open({
    line: sampler === null ? null : lineOf(sampler.id, Math.floor((number ?? 0) / cloneStep)),
    touch: sampler?.session?.touch ?? (() => undefined),
    onDropped: () => {
      if (number != null && sampler?.requests.get(number)?.promise === promise) sampler.requests.delete(number);
    },
  });
  if (number != null) sampler?.requests.set(number, { digest, promise });
  const settle = (settled: Payload | ReturnType<Service["failureOf"]>): void => {
    service.waitingBytes -= bytes;
    promises.settle(promise, settled);
  };
  queue.add({
    source,
    ask: plan.ask,
    options: plan.options,
    scorePrompt: plan.promptLogprobs > 0,
    done: (sampled) => {
      const result = sampleResult(plan, sampled, engine.tokenizer);
      settle({ form: "sample", bytes: encodeSampleResult(result, "protobuf") });
    },
    failed: (error) => settle(service.failureOf(error)),
  });
  return answerOf(promise, message.num_samples);
}

/** SDKs since 0.26 want a name for each sample. */
const answerOf = (promise: string, samples: number) => ({
  request_id: promise,
  sample_sequence_ids: Array.from({ length: samples }, (_, i) => `${promise}-${i}`),
});

const lineOf = (sampler: string, clone: number): string => `${sampler} ${clone}`;

export function samplerInfo(service: Service, id: string) {
  const { save } = service.sessions.findSampler(id);
  return { sampler_id: id, base_model: service.model.names[0], model_path: save?.path ?? null };
}

/** Results that are larger are told by their size first, where the client wants that. */
const largeBytes = 2 ** 20;

export interface RetrievedAnswer {
  /** 408 where it is to be asked again: with 200 the official SDK says so to its user each time. */
  readonly status: 200 | 408;
  readonly protobuf: boolean;
  readonly bytes: Uint8Array;
}

/** What came of a promise, after some waiting where it is not done yet. */
export async function retrieve(
  service: Service,
  { request_id: id, allow_metadata_only: sizeFirst }: Message<"retrieveFuture">,
  { protobuf, signal }: { readonly protobuf: boolean; readonly signal: AbortSignal },
): Promise<RetrievedAnswer> {
  const { promises, queue, holdSeconds } = service;
  const standing = promises.standing(id);
  if (standing === "unknown") {
    throw new ServerProblem(
      404,
      `There is no request ${id.slice(0, 60)} here: it was made of another server, or of the one before this.`,
    );
  }
  const gone = new ServerProblem(410, `The result of request ${id} is no longer kept: make the request again.`);
  if (standing === "gone") throw gone;
  const settled = await promises.wait(id, holdSeconds * 1000, signal);
  const say = (answer: Exclude<FutureAnswer, { kind: "result" }>): RetrievedAnswer => ({
    status: answer.kind === "waiting" ? 408 : 200,
    protobuf: false,
    bytes: new TextEncoder().encode(JSON.stringify(futureMessage(id, answer))),
  });
  if (settled === null) {
    if (promises.standing(id) !== "known") throw gone;
    const reason = queue.waiting > 0 ? `${queue.waiting} requests are waiting for the model` : null;
    return say({ kind: "waiting", queueState: "active", reason });
  }
  if ("error" in settled) {
    promises.fetched(id);
    return say({ kind: "failed", error: settled.error, category: settled.category });
  }
  if (sizeFirst === true && settled.bytes.length > largeBytes) {
    return say({ kind: "large", bytes: settled.bytes.length });
  }
  promises.fetched(id);
  return inForm(settled, protobuf);
}

function inForm({ form, bytes }: Payload, protobuf: boolean): RetrievedAnswer {
  const status = 200;
  if (form === "json") return { status, protobuf: false, bytes };
  if (protobuf) return { status, protobuf: true, bytes };
  const json =
    form === "sample"
      ? encodeSampleResult(decodeSampleResult(bytes, "protobuf"), "json")
      : encodeTrainingResult(decodeTrainingResult(bytes, "protobuf"), "json");
  return { status, protobuf: false, bytes: json };
}

/** Of results that come with the news, together and each: who has larger ones asks for them one by one, as there is room. */
const mostInlineBytes = 2 ** 22;
const mostResultBytes = 2 ** 16;

/** Which of a sampling session's requests are done: one request for all of them. */
export async function retrieveMany(service: Service, message: Message<"retrieveFutures">, signal: AbortSignal) {
  const { target, prev_cursor: after, timeout, retrieved_request_ids: retrieved, with_results: inline } = message;
  if (target.type !== "sampling_session") {
    throw new ServerProblem(400, `There are no targets of type "${target.type.slice(0, 40)}": use sampling_session.`);
  }
  const { id } = service.sessions.findSampler(target.sampling_session_id);
  const line = lineOf(id, target.cloned_sampler_id ?? 0);
  service.promises.release(line, retrieved ?? []);
  const seconds = Math.min(service.holdSeconds, Math.max(0, timeout ?? service.holdSeconds));
  const { completions, cursor } = await service.promises.news(line, after ?? 0, seconds * 1000, signal);
  service.sessions.findSampler(id);
  let room = inline === true ? mostInlineBytes : 0;
  const resultOf = (completion: { readonly id: string; readonly bytes: number }): { result?: string } => {
    if (completion.bytes > Math.min(room, mostResultBytes)) return {};
    const bytes = service.promises.samplesOf(completion.id);
    if (bytes === null) return {};
    room -= bytes.length;
    return { result: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
  };
  return {
    completions: completions.map((completion) =>
      completion.failed
        ? { state: "failed", request_id: completion.id }
        : {
            state: "finished",
            request_id: completion.id,
            response_payload_uncompressed_size: completion.bytes,
            ...resultOf(completion),
          },
    ),
    cursor,
  };
}
