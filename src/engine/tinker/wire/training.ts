// Forward and backward passes: request and result as plain values, and both in the two forms of the wire.
import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { checkMessage, readJson, readProtobuf, type WireFormat } from "./body.ts";
import { modelInputOf, tokensOf } from "./model-input.ts";
import { dtypeCode, dtypeOf, pack, unpack } from "./packed.ts";
import {
  ChunkSchema,
  DatumSchema,
  ForwardBackwardRequestSchema,
  LossConfigValueSchema,
  TensorSchema,
} from "./tinker_pb.ts";
import { forwardBackwardRequestSchema, forwardRequestSchema, type TrainingInput } from "./training-json.ts";
import { WireError } from "./wire-error.ts";

export interface WireTensor {
  readonly dtype: "float32" | "int64";
  readonly data: readonly number[];
  readonly shape: readonly number[];
}

/** A sequence without its last token, and what the loss needs of each position, by name. */
interface WireDatum {
  readonly tokens: readonly number[];
  readonly inputs: Readonly<Record<string, WireTensor>>;
}

export interface TrainingRequest {
  readonly modelId: string;
  /** Counts the model's requests, from 1; 0: not said. */
  readonly seqId: number;
  readonly data: readonly WireDatum[];
  readonly lossFn: string;
  readonly lossConfig: Readonly<Record<string, number | string>>;
  /** No gradient is wanted. */
  readonly forwardOnly: boolean;
}

const expected = "ForwardBackwardRequest";

/** A row of numbers, one a token. */
export const rowTensor = (dtype: WireTensor["dtype"], data: readonly number[]): WireTensor => ({
  dtype,
  data,
  shape: [data.length],
});

/** Bytes of a request. As JSON, a pass without gradient goes to an endpoint of its own, under another name. */
export function encodeTrainingRequest(request: TrainingRequest, format: WireFormat): Uint8Array {
  return format === "json" ? new TextEncoder().encode(JSON.stringify(toJson(request))) : toProtobuf(request);
}

function toJson({ modelId, seqId, data, lossFn, lossConfig, forwardOnly }: TrainingRequest): unknown {
  const input = {
    data: data.map(({ tokens, inputs }) => ({ model_input: modelInputOf(tokens), loss_fn_inputs: inputs })),
    loss_fn: lossFn,
    ...(Object.keys(lossConfig).length === 0 ? {} : { loss_fn_config: lossConfig }),
  };
  return { model_id: modelId, seq_id: seqId, [forwardOnly ? "forward_input" : "forward_backward_input"]: input };
}

function toProtobuf({ modelId, seqId, data, lossFn, lossConfig, forwardOnly }: TrainingRequest): Uint8Array {
  const numbers = Object.entries(lossConfig).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const message = create(ForwardBackwardRequestSchema, {
    modelId,
    seqId,
    data: data.map(({ tokens, inputs }) =>
      create(DatumSchema, {
        modelInput: [
          create(ChunkSchema, { content: { case: "encodedText", value: { tokens: pack("int32", tokens) } } }),
        ],
        lossFnInputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, packTensor(tensor)])),
      }),
    ),
    lossFn,
    lossFnConfig: Object.fromEntries(numbers),
    lossFnConfigV2: Object.fromEntries(
      Object.entries(lossConfig).map(([name, value]) => [
        name,
        create(LossConfigValueSchema, {
          value: typeof value === "number" ? { case: "number", value } : { case: "text", value },
        }),
      ]),
    ),
    forwardOnly,
  });
  return toBinary(ForwardBackwardRequestSchema, message);
}

function packTensor({ dtype, data, shape }: WireTensor) {
  return create(TensorSchema, {
    content: { case: "dense", value: pack(dtype, data) },
    dtype: dtypeCode(dtype),
    shape: shape.map(BigInt),
  });
}

/** Throws WireError for what is no such request, or holds what is not taken: pictures, sound, sparse tensors. */
export function decodeTrainingRequest(bytes: Uint8Array, format: WireFormat): TrainingRequest {
  return format === "json" ? fromJson(readJson(expected, bytes)) : fromProtobuf(bytes);
}

function fromJson(value: unknown): TrainingRequest {
  const forwardOnly = typeof value === "object" && value !== null && "forward_input" in value;
  const request = forwardOnly
    ? checkMessage(expected, forwardRequestSchema, value)
    : checkMessage(expected, forwardBackwardRequestSchema, value);
  const input: TrainingInput = "forward_input" in request ? request.forward_input : request.forward_backward_input;
  return {
    modelId: request.model_id,
    seqId: request.seq_id ?? 0,
    data: input.data.map(({ model_input, loss_fn_inputs }) => ({
      tokens: tokensOf(model_input, expected),
      inputs: Object.fromEntries(
        Object.entries(loss_fn_inputs).map(([name, { data, dtype, shape, sparse_crow_indices }]) => {
          if (sparse_crow_indices != null) throw sparse(name);
          const numbers = data.map((number) => number ?? Number.NaN);
          return [name, checkShape(name, { dtype, data: numbers, shape: shape ?? [numbers.length] })];
        }),
      ),
    })),
    lossFn: input.loss_fn,
    lossConfig: input.loss_fn_config ?? {},
    forwardOnly,
  };
}

function fromProtobuf(bytes: Uint8Array): TrainingRequest {
  const message = readProtobuf(ForwardBackwardRequestSchema, bytes);
  if (message.seqId < 0) throw new WireError(expected, `the sequence number ${message.seqId}`);
  return {
    modelId: message.modelId,
    seqId: message.seqId,
    data: message.data.map(({ modelInput, lossFnInputs }) => ({
      tokens: modelInput.flatMap(({ content }) => {
        if (content.case !== "encodedText") {
          throw new WireError(expected, `a chunk of type ${content.case ?? "unknown"}; only text is taken`);
        }
        const tokens = unpack("int32", content.value.tokens, expected);
        if (tokens.some((token) => token < 0)) throw new WireError(expected, "a token is below 0");
        return tokens;
      }),
      inputs: Object.fromEntries(
        Object.entries(lossFnInputs).map(([name, tensor]) => [name, unpackTensor(name, tensor)]),
      ),
    })),
    lossFn: message.lossFn,
    lossConfig: { ...message.lossFnConfig, ...readConfig(message.lossFnConfigV2) },
    forwardOnly: message.forwardOnly,
  };
}

function readConfig(config: MessageShape<typeof ForwardBackwardRequestSchema>["lossFnConfigV2"]) {
  return Object.fromEntries(
    Object.entries(config).map(([name, { value }]) => {
      if (value.case === undefined) throw new WireError(expected, `loss_fn_config.${name} has no value`);
      return [name, value.value];
    }),
  );
}

function unpackTensor(name: string, { content, dtype, shape }: MessageShape<typeof TensorSchema>): WireTensor {
  if (content.case === "sparseCsr") throw sparse(name);
  const type = dtypeOf(dtype, expected);
  const data = unpack(type, content.value ?? new Uint8Array(), expected);
  const dimensions = shape.length === 0 ? [data.length] : shape.map(Number);
  return checkShape(name, {
    dtype: type === "int64" || type === "int32" ? "int64" : "float32",
    data,
    shape: dimensions,
  });
}

/** Throws WireError unless a tensor has as many numbers as its shape says. */
export function checkShape(name: string, tensor: WireTensor, message = expected): WireTensor {
  const size = tensor.shape.reduce((product, dimension) => product * dimension, 1);
  if (size === tensor.data.length && tensor.shape.every((dimension) => dimension >= 0)) return tensor;
  throw new WireError(message, `${name} has ${tensor.data.length} numbers in the shape [${tensor.shape.join(", ")}]`);
}

const sparse = (name: string): WireError => new WireError(expected, `${name} is a sparse tensor, which is not taken`);
