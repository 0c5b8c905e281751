// The small messages, which are JSON: what is sent to each endpoint and what it answers. Those about samples and training,
// which have a binary form too, are in sampling.ts and training.ts. Names of fields are those of the wire.
import { z } from "zod";
import { sampleRequestSchema } from "./sampling.ts";
import { forwardBackwardRequestSchema, forwardRequestSchema } from "./training-json.ts";

const text = z.string();
const count = z.number().int().min(0);
/** `seq_id`, from 1; samples count from 0. */
const sequence = z.number().int().min(0);
const flag = z.boolean();

/** Every request that is carried out later is answered by this at once. */
const promise = z.object({
  request_id: text,
  model_id: text.nullish(),
  /** Since SDK 0.26, of samples: a name for each. */
  sample_sequence_ids: z.array(text).nullish(),
});

/** What a server wants of its clients. Flags that it does not send have these values (SDK 0.25). */
const clientConfig = z.object({
  pjwt_auth_enabled: flag.default(false),
  sample_dispatch_bytes_semaphore_size: count.default(10_485_760),
  inflight_response_bytes_semaphore_size: count.default(52_428_800),
  parallel_fwdbwd_chunks: flag.default(true),
  proto_compress_fwdbwd: flag.default(false),
  fwdbwd_max_chunk_len: z.number().int().min(1).default(1024),
  fwdbwd_max_chunk_bytes_count: z.number().int().min(1).default(5_000_000),
  fwdbwd_dispatch_bytes_semaphore_size: count.default(50_000_000),
  billing_exception_max_pause_duration_sec: z.number().min(0).default(3600),
  sample_max_concurrent_requests: z.number().int().min(1).default(2000),
  create_model_via_load_weights: flag.default(false),
  sample_use_retrieve_futures: flag.default(false),
});

const loraConfig = z.object({
  rank: z.number().int().min(1),
  seed: z.number().int().nullish(),
  train_unembed: flag.nullish(),
  train_mlp: flag.nullish(),
  train_attn: flag.nullish(),
});

const adamParams = z.object({
  learning_rate: z.number().default(1e-4),
  beta1: z.number().default(0.9),
  beta2: z.number().default(0.95),
  eps: z.number().default(1e-12),
  /** Decoupled. */
  weight_decay: z.number().default(0),
  /** 0: none. */
  grad_clip_norm: z.number().default(0),
});

/** `adamw`, or another one; what else it says is not read. */
const optimizerConfig = z.object({ type: text });

const checkpoint = z.object({
  checkpoint_id: text,
  checkpoint_type: text,
  time: text.nullish(),
  tinker_path: text,
});

/**
 * What a server of this package says of itself, beyond the protocol. It takes `first_sample` of `asample`; a sample's draws are
 * those of the engine's own ask (seed, first sample); and it answers a training request that is sent twice with one promise.
 */
const ownFeatures = z.object({
  loss_functions: z.array(text),
  top_p: flag,
  top_k: flag,
  /** Of the adapters: whatever rank a client asks for. */
  lora_alpha: z.number().nullish(),
  /** The one rank of its adapters; none where all weights train. */
  lora_rank: count.nullish(),
  /** Log-probabilities of samples differ from those of training by more than rounding. */
  coarse_sampling: flag.nullish(),
});

interface Endpoint<Request extends z.ZodType, Response extends z.ZodType> {
  readonly method: "GET" | "POST";
  /** Below `/api/v1/`; `{…}` stands for a value. */
  readonly path: string;
  readonly request: Request;
  readonly response: Response;
}

const post = <Request extends z.ZodType, Response extends z.ZodType>(
  path: string,
  request: Request,
  response: Response,
): Endpoint<Request, Response> => ({ method: "POST", path, request, response });

const get = <Response extends z.ZodType>(path: string, response: Response): Endpoint<z.ZodUndefined, Response> => ({
  method: "GET",
  path,
  request: z.undefined(),
  response,
});

/** Root of all paths. */
export const apiRoot = "/api/v1/";

export const endpoints = {
  healthz: get("healthz", z.object({ status: text })),
  capabilities: get(
    "get_server_capabilities",
    z.object({
      supported_models: z.array(z.object({ model_name: text.nullish(), max_context_length: count.nullish() })),
      sqlm: ownFeatures.nullish(),
    }),
  ),
  clientConfig: post("client/config", z.object({ sdk_version: text.nullish() }), clientConfig),
  authToken: post("auth/token", z.object({}), z.object({ jwt: text })),
  createSession: post(
    "create_session",
    z.object({
      tags: z.array(text).nullish(),
      user_metadata: z.record(text, text).nullish(),
      sdk_version: text.nullish(),
    }),
    z.object({
      session_id: text,
      info_message: text.nullish(),
      warning_message: text.nullish(),
      error_message: text.nullish(),
    }),
  ),
  heartbeat: post("session_heartbeat", z.object({ session_id: text }), z.object({})),
  createModel: post(
    "create_model",
    z.object({
      session_id: text,
      model_seq_id: sequence,
      base_model: text,
      user_metadata: z.record(text, text).nullish(),
      lora_config: loraConfig.nullish(),
      /** Since SDK 0.30. */
      optimizer_config: optimizerConfig.nullish(),
    }),
    promise,
  ),
  getInfo: post(
    "get_info",
    z.object({ model_id: text }),
    z.object({
      model_data: z
        .object({ arch: text.nullish(), model_name: text.nullish(), tokenizer_id: text.nullish() })
        .nullish(),
      model_id: text,
      is_lora: flag.nullish(),
      lora_rank: count.nullish(),
      model_name: text.nullish(),
    }),
  ),
  unloadModel: post("unload_model", z.object({ model_id: text }), promise),
  forwardBackward: post("forward_backward", forwardBackwardRequestSchema, promise),
  forward: post("forward", forwardRequestSchema, promise),
  optimStep: post(
    "optim_step",
    z.object({
      model_id: text,
      seq_id: sequence.nullish(),
      adam_params: adamParams.nullish(),
      optimizer_params: z.unknown().optional(),
    }),
    promise,
  ),
  saveWeights: post(
    "save_weights",
    z.object({
      model_id: text,
      path: text.nullish(),
      seq_id: sequence.nullish(),
      ttl_seconds: count.nullish(),
      overwrite: flag.nullish(),
    }),
    promise,
  ),
  saveWeightsForSampler: post(
    "save_weights_for_sampler",
    z.object({
      model_id: text,
      path: text.nullish(),
      sampling_session_seq_id: sequence.nullish(),
      seq_id: sequence.nullish(),
      ttl_seconds: count.nullish(),
      kind: text.nullish(),
    }),
    promise,
  ),
  /** Since SDK 0.28: in the form of `transformers` and PEFT. */
  saveExternal: post(
    "save_weights_external",
    z.object({
      model_id: text,
      path: text.nullish(),
      seq_id: sequence.nullish(),
      ttl_seconds: count.nullish(),
    }),
    promise,
  ),
  /** Without `model_id` (SDK 0.38) it makes the model too, under `session_id` and `model_seq_id`. */
  loadWeights: post(
    "load_weights",
    z.object({
      model_id: text.nullish(),
      session_id: text.nullish(),
      model_seq_id: sequence.nullish(),
      seq_id: sequence.nullish(),
      path: text,
      optimizer: flag.nullish(),
      base_model: text.nullish(),
      optimizer_config: optimizerConfig.nullish(),
    }),
    promise,
  ),
  weightsInfo: post(
    "weights_info",
    z.object({ tinker_path: text }),
    z.object({ base_model: text, is_lora: flag.nullish(), lora_rank: count.nullish() }),
  ),
  createSamplingSession: post(
    "create_sampling_session",
    z.object({
      session_id: text,
      sampling_session_seq_id: sequence,
      base_model: text.nullish(),
      model_path: text.nullish(),
    }),
    z.object({ sampling_session_id: text }),
  ),
  sample: post("asample", sampleRequestSchema, promise),
  retrieveFuture: post(
    "retrieve_future",
    z.object({ request_id: text, allow_metadata_only: flag.nullish() }),
    z.unknown(),
  ),
  /** Since SDK 0.27, where the config says `sample_use_retrieve_futures`: which of a session's samples are done. */
  retrieveFutures: post(
    "retrieve_futures",
    z.object({
      target: z.object({
        type: text,
        sampling_session_id: text,
        cloned_sampler_id: count.nullish(),
      }),
      prev_cursor: count.nullish(),
      timeout: z.number().nullish(),
      /** Since SDK 0.36: results that have arrived, and need not be kept. */
      retrieved_request_ids: z.array(text).nullish(),
      /** Of this package: small results may come with the news. */
      with_results: flag.nullish(),
    }),
    z.object({
      completions: z.array(
        z.object({
          state: z.enum(["finished", "failed"]),
          request_id: text,
          response_payload_uncompressed_size: count.nullish(),
          /** Of this package: the protobuf of the samples, base64. */
          result: text.nullish(),
        }),
      ),
      cursor: count,
    }),
  ),
  sampler: get("samplers/{sampler}", z.object({ sampler_id: text, base_model: text, model_path: text.nullish() })),
  runCheckpoints: get("training_runs/{run}/checkpoints", z.object({ checkpoints: z.array(checkpoint) })),
  archive: get(
    "training_runs/{run}/checkpoints/{checkpoint}/archive",
    z.object({ url: text, expires: text.nullish() }),
  ),
  /** Since SDK 0.28: the files of a checkpoint one by one. */
  externalWeights: get(
    "training_runs/{run}/checkpoints/{checkpoint}/external_weights_urls",
    z.object({ urls: z.record(text, text), expires: text.nullish() }),
  ),
} as const;

/** Results of futures that are JSON alone. */
export const results = {
  createModel: z.object({ model_id: text.nullish() }),
  optimStep: z.object({ metrics: z.record(text, z.number().nullable()).nullish() }),
  saveWeights: z.object({ path: text.nullish() }),
  saveWeightsForSampler: z.object({ path: text.nullish(), sampling_session_id: text.nullish() }),
  loadWeights: z.object({ path: text.nullish(), model_id: text.nullish() }),
  unloadModel: z.object({ model_id: text.nullish() }),
} as const;
