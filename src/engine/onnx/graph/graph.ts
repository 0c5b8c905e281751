// A typed builder of ONNX graphs. A Graph records nodes in the order in which they are emitted, which is a valid order of
// execution; operators.ts adds the operators, gradients.ts walks the record backwards, encode.ts writes the bytes.
// It leaves out everything that a language model does not need: sequences, maps, quantised types, strings.

export type ElementType = "float32" | "int64" | "int32" | "bool";
/** A size, or the name of a size that is known only when the graph runs. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];
export type TensorData = Float32Array | BigInt64Array | Int32Array | Uint8Array;

/** A tensor in a graph that is being built. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly shape: Shape;
  readonly type: ElementType;
}

/** Integers, `{ float }`, strings, lists of integers, or the body of a control-flow operator. */
export type Attribute = number | string | readonly number[] | { readonly float: number } | Graph;

export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  /** null stands for an optional input that is not given. */
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Initializer {
  readonly value: Value;
  readonly data: TensorData;
}

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

/** Operators that ONNX Runtime adds to the standard ones. */
export const microsoftDomain = "com.microsoft";

export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: { readonly name: string; readonly value: Value }[] = [];
  readonly nodes: GraphNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly #constants = new Map<string, Value>();
  readonly #names: { next: number };

  private constructor(names: { next: number }) {
    this.#names = names;
  }

  static create(): Graph {
    return new Graph({ next: 0 });
  }

  /** A graph for the body of a Loop or If. Its nodes may use values of this graph; names stay unique across both. */
  createBody(): Graph {
    return new Graph(this.#names);
  }

  input(name: string, shape: Shape, type: ElementType = "float32"): Value {
    const value = { graph: this, name, shape, type };
    this.inputs.push(value);
    return value;
  }

  output(name: string, value: Value): void {
    this.outputs.push({ name, value });
  }

  /** A constant tensor. Small equal constants are stored once. */
  constant(data: readonly number[] | TensorData, shape: readonly number[], type: ElementType = "float32"): Value {
    const key = data.length <= 64 ? `${type}[${shape}]${data.join(",")}` : null;
    const known = key === null ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const value = { graph: this, name: this.#freshName("constant"), shape, type };
    this.initializers.push({ value, data: toTensorData(data, type) });
    if (key !== null) this.#constants.set(key, value);
    return value;
  }

  scalar(value: number, type: ElementType = "float32"): Value {
    return this.constant([value], [], type);
  }

  /** A list of sizes or axes, as the int64 vector that many operators take. */
  integers(values: readonly number[]): Value {
    return this.constant(values, [values.length], "int64");
  }

  /** Records a node and returns its outputs. */
  emit(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { readonly shape: Shape; readonly type?: ElementType }[],
    { attributes = {}, domain = "" }: EmitOptions = {},
  ): Value[] {
    const values = outputs.map(({ shape, type = "float32" }) => ({
      graph: this,
      name: this.#freshName(op),
      shape,
      type,
    }));
    this.nodes.push({ op, domain, inputs, outputs: values, attributes });
    return values;
  }

  #freshName(prefix: string): string {
    return `${prefix}_${this.#names.next++}`;
  }
}

function toTensorData(data: readonly number[] | TensorData, type: ElementType): TensorData {
  if (!Array.isArray(data)) return data as TensorData;
  switch (type) {
    case "float32":
      return Float32Array.from(data);
    case "int64":
      return BigInt64Array.from(data, BigInt);
    case "int32":
      return Int32Array.from(data);
    case "bool":
      return Uint8Array.from(data);
  }
}
