// Writes a Graph as the bytes of an ONNX model. Field numbers are those of onnx.proto (github.com/onnx/onnx).
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type Attribute,
  type Dimension,
  type ElementType,
  type ExternalConstant,
  elementTypeCode,
  Graph,
  type GraphNode,
  type Initializer,
  microsoftDomain,
  type Value,
} from "./graph.ts";

const irVersion = 10;
const opsetVersion = 21;
/** Name of the file that holds the external constants of a graph, beside the model or where the session is told to look. */
export const externalFile = "constants.bin";
/** Name of the first output of every model, an empty sequence; runtime.ts says what for. */
export const notATensor = "not_a_tensor";
/** External constants begin at multiples of this, so that the file can be mapped. */
const externalAlignment = 4096;

/** Where each external constant of a graph stands in its file, and how long the file is. */
export function placeExternals({ externals }: Graph): { readonly offsets: readonly number[]; readonly bytes: number } {
  let end = 0;
  const offsets = externals.map(({ bytes }) => {
    const offset = Math.ceil(end / externalAlignment) * externalAlignment;
    end = offset + bytes;
    return offset;
  });
  return { offsets, bytes: end };
}

/** The serialised ModelProto of a graph. */
export function encodeModel(graph: Graph): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(irVersion);
  // What a model gives out is asked for by name, so every output that has another gets a node that names it.
  const named = graph.outputs.map(({ name, value }) => ({ name, value, renamed: name !== value.name }));
  message(writer, 7, (w) => writeGraph(w, graph, named, true));
  for (const [domain, version] of [
    ["", opsetVersion],
    [microsoftDomain, 1],
  ] as const) {
    message(writer, 8, (w) => text(w, 1, domain).tag(2, WireType.Varint).int64(version));
  }
  return writer.finish();
}

interface EncodedOutput {
  readonly name: string;
  readonly value: Value;
  /** Whether the output is a copy under another name. */
  readonly renamed: boolean;
}

/**
 * Outputs of a body, whose names nobody uses. A copy costs time in every trip of a loop, and is made only where it must be: an
 * output must come from a node of this graph, and each only once.
 */
function bodyOutputs(graph: Graph): EncodedOutput[] {
  const free = new Set(graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  return graph.outputs.map(({ name, value }) =>
    free.delete(value.name) ? { name: value.name, value, renamed: false } : { name, value, renamed: true },
  );
}

function writeGraph(writer: BinaryWriter, graph: Graph, outputs: readonly EncodedOutput[], marked = false): void {
  for (const node of graph.nodes) message(writer, 1, (w) => writeNode(w, node));
  if (marked) message(writer, 1, (w) => text(text(w, 2, notATensor), 4, "SequenceEmpty"));
  for (const { name, value, renamed } of outputs) {
    if (renamed) message(writer, 1, (w) => text(text(text(w, 1, value.name), 2, name), 4, "Identity"));
  }
  text(writer, 2, "graph");
  for (const initializer of graph.initializers) message(writer, 5, (w) => writeTensor(w, initializer));
  const { offsets } = placeExternals(graph);
  for (const [i, external] of graph.externals.entries()) {
    if (external.value.graph === graph) message(writer, 5, (w) => writeExternal(w, external, offsets[i]));
  }
  for (const { name, shape, type } of graph.inputs) message(writer, 11, (w) => writeValueInfo(w, name, type, shape));
  if (marked) message(writer, 12, (w) => text(w, 1, notATensor));
  for (const { name, value } of outputs) {
    message(writer, 12, (w) => writeValueInfo(w, name, value.type, value.shape));
  }
}

function writeNode(writer: BinaryWriter, node: GraphNode): void {
  for (const input of node.inputs) text(writer, 1, input?.name ?? "");
  for (const output of node.outputs) text(writer, 2, output.name);
  text(writer, 4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message(writer, 5, (w) => writeAttribute(w, name, attribute));
  }
  if (node.domain !== "") text(writer, 7, node.domain);
}

function writeAttribute(writer: BinaryWriter, name: string, attribute: Attribute): void {
  text(writer, 1, name);
  const type = (code: number) => writer.tag(20, WireType.Varint).int32(code);
  if (typeof attribute === "number") {
    writer.tag(3, WireType.Varint).int64(attribute);
    type(2);
  } else if (typeof attribute === "string") {
    text(writer, 4, attribute);
    type(3);
  } else if (attribute instanceof Graph) {
    message(writer, 6, (w) => writeGraph(w, attribute, bodyOutputs(attribute)));
    type(5);
  } else if ("float" in attribute) {
    writer.tag(2, WireType.Bit32).float(attribute.float);
    type(1);
  } else {
    for (const integer of attribute) writer.tag(8, WireType.Varint).int64(integer);
    type(7);
  }
}

function writeTensor(writer: BinaryWriter, { value, data }: Initializer): void {
  for (const dimension of value.shape) writer.tag(1, WireType.Varint).int64(Number(dimension));
  writer.tag(2, WireType.Varint).int32(elementTypeCode[value.type]);
  text(writer, 8, value.name);
  writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeExternal(writer: BinaryWriter, { value, bytes }: ExternalConstant, offset: number): void {
  for (const dimension of value.shape) writer.tag(1, WireType.Varint).int64(Number(dimension));
  writer.tag(2, WireType.Varint).int32(elementTypeCode[value.type]);
  text(writer, 8, value.name);
  for (const [key, entry] of Object.entries({ location: externalFile, offset, length: bytes })) {
    message(writer, 13, (w) => text(text(w, 1, key), 2, String(entry)));
  }
  // data_location: EXTERNAL
  writer.tag(14, WireType.Varint).int32(1);
}

function writeValueInfo(writer: BinaryWriter, name: string, type: ElementType, shape: readonly Dimension[]): void {
  text(writer, 1, name);
  message(writer, 2, (typeWriter) =>
    message(typeWriter, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(elementTypeCode[type]);
      message(tensor, 2, (shapeWriter) => {
        for (const dimension of shape) {
          message(shapeWriter, 1, (w) =>
            typeof dimension === "number" ? w.tag(1, WireType.Varint).int64(dimension) : text(w, 2, dimension),
          );
        }
      });
    }),
  );
}

function text(writer: BinaryWriter, field: number, value: string): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).string(value);
}

function message(writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}
