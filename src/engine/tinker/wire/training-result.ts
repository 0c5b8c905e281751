// What a forward and backward pass gives, in both forms of the wire.
import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { checkMessage, readJson, readProtobuf, type WireFormat } from "./body.ts";
import { dtypeCode, dtypeOf, elementBytes, pack, unpack } from "./packed.ts";
import { ArrayRecordSchema, BatchedTensorSchema, ForwardBackwardOutputSchema } from "./tinker_pb.ts";
import { checkShape, type WireTensor } from "./training.ts";
import { forwardBackwardOutputSchema } from "./training-json.ts";
import { WireError } from "./wire-error.ts";

export interface TrainingResult {
  /** Free text. */
  readonly outputType: string;
  /** Of each datum, by name: at least `logprobs`, as long as its targets. */
  readonly outputs: readonly Readonly<Record<string, WireTensor>>[];
  /** Names are `name:reduction` (client/metrics.ts); some servers send names without. */
  readonly metrics: Readonly<Record<string, number>>;
}

const expected = "ForwardBackwardOutput";
/** As many data as nobody sends in one request, so that a number of them alone can fill no memory. */
const mostData = 1_000_000;

/** All data must have the same fields, one row each. */
export function encodeTrainingResult({ outputType, outputs, metrics }: TrainingResult, format: WireFormat): Uint8Array {
  if (format === "json") {
    const message = { loss_fn_output_type: outputType, loss_fn_outputs: outputs, metrics };
    return new TextEncoder().encode(JSON.stringify(message));
  }
  const names = Object.keys(outputs[0] ?? {});
  const message = create(ForwardBackwardOutputSchema, {
    lossFnOutputType: outputType,
    lossFnOutputs: [
      create(ArrayRecordSchema, {
        numDatums: BigInt(outputs.length),
        fields: Object.fromEntries(names.map((name) => [name, packBatch(outputs.map((output) => output[name]))])),
      }),
    ],
    metrics: { ...metrics },
  });
  return toBinary(ForwardBackwardOutputSchema, message);
}

function packBatch(tensors: readonly WireTensor[]) {
  const [{ dtype }] = tensors;
  const rows = tensors.map(({ data }) => pack(dtype, data));
  const offsets = [0];
  for (const row of rows) offsets.push(offsets[offsets.length - 1] + row.length);
  return create(BatchedTensorSchema, {
    data: Buffer.concat(rows),
    offsets: pack("int64", offsets),
    dtype: dtypeCode(dtype),
  });
}

/** Throws WireError for what is no such result, or does not fit together. */
export function decodeTrainingResult(bytes: Uint8Array, format: WireFormat): TrainingResult {
  return format === "json" ? fromJson(bytes) : fromProtobuf(bytes);
}

function fromJson(bytes: Uint8Array): TrainingResult {
  const message = checkMessage(expected, forwardBackwardOutputSchema, readJson(expected, bytes));
  const metrics = Object.entries(message.metrics ?? {}).map(([name, value]) => [name, value ?? Number.NaN]);
  return {
    outputType: message.loss_fn_output_type ?? "",
    outputs: message.loss_fn_outputs.map((output) =>
      Object.fromEntries(
        Object.entries(output).map(([name, { data, dtype, shape }]) => {
          const numbers = data.map((value) => value ?? Number.NaN);
          return [name, checkShape(name, { dtype, data: numbers, shape: shape ?? [numbers.length] }, expected)];
        }),
      ),
    ),
    metrics: Object.fromEntries(metrics),
  };
}

function fromProtobuf(bytes: Uint8Array): TrainingResult {
  const { lossFnOutputType, lossFnOutputs, metrics } = readProtobuf(ForwardBackwardOutputSchema, bytes);
  const outputs = lossFnOutputs.flatMap(({ fields, numDatums }) => {
    const columns = Object.entries(fields).map(([name, tensor]) => [name, unpackBatch(name, tensor)] as const);
    const count = Number(numDatums) || (columns[0]?.[1].length ?? 0);
    if (count < 0 || count > mostData) throw new WireError(expected, `${count} data in one record`);
    for (const [name, rows] of columns) {
      if (rows.length !== count) throw new WireError(expected, `${name} has ${rows.length} rows for ${count} data`);
    }
    return Array.from({ length: count }, (_, row) =>
      Object.fromEntries(columns.map(([name, rows]) => [name, rows[row]])),
    );
  });
  return { outputType: lossFnOutputType, outputs, metrics };
}

/** The rows of a batch: offsets are in bytes, from 0 to the end, never falling. */
function unpackBatch(name: string, tensor: MessageShape<typeof BatchedTensorSchema>): WireTensor[] {
  const dtype = dtypeOf(tensor.dtype, expected);
  const size = elementBytes(dtype);
  const offsets = unpack("int64", tensor.offsets, expected);
  const ordered = offsets.every((offset, i) => offset % size === 0 && offset >= (i === 0 ? 0 : offsets[i - 1]));
  if (!ordered || (offsets.at(-1) ?? 0) > tensor.data.length) {
    throw new WireError(expected, `the rows of ${name} are not within its ${tensor.data.length} bytes`);
  }
  const trailing = tensor.trailingShape.map(Number);
  const width = trailing.reduce((product, dimension) => product * dimension, 1);
  return offsets.slice(1).map((end, row) => {
    const data = unpack(dtype, tensor.data.subarray(offsets[row], end), expected);
    const shape = [width > 0 ? data.length / width : 0, ...trailing];
    const kind = dtype === "int64" || dtype === "int32" ? "int64" : "float32";
    return checkShape(name, { dtype: kind, data, shape }, expected);
  });
}
