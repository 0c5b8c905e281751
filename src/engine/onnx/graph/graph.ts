// A typed builder of ONNX graphs. A Graph records nodes in the order in which they are emitted, which is a valid order of
// execution; operators.ts adds the operators, gradients.ts walks the record backwards, encode.ts writes the bytes.
// It leaves out everything that a language model does not need: sequences, maps, strings.

export type ElementType = "float32" | "int64" | "int32" | "int8" | "uint8" | "bool";

/** TensorProto.DataType of onnx.proto. */
export const elementTypeCode: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
};

/** A size, or the name of a size that is known only when the graph runs. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];
export type TensorData = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

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
  /** Where it is not what the operator's rule says. */
  readonly gradient: OwnGradient | null;
}

/** Leads from the gradient of a node's first output to those of `inputs`: the node's own, or values further up that it is a function of. */
export interface OwnGradient {
  readonly inputs: readonly (Value | null)[];
  readonly backwards: (dy: Value) => readonly (Value | null)[];
}

export interface Initializer {
  readonly value: Value;
  readonly data: TensorData;
}

/** A constant whose numbers stay outside of the model's bytes, in a file that the runtime maps (runtime.ts). */
export interface ExternalConstant {
  readonly value: Value;
  readonly bytes: number;
  /** The numbers, little-endian; called once for each session that is made. */
  readonly read: () => Uint8Array | Promise<Uint8Array>;
}

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
  /** See `GraphNode.gradient`. */
  readonly gradient?: OwnGradient;
}

/** Operators that ONNX Runtime adds to the standard ones. */
export const microsoftDomain = "com.microsoft";

export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: { readonly name: string; readonly value: Value }[] = [];
  readonly nodes: GraphNode[] = [];
  readonly initializers: Initializer[] = [];
  /** Of this graph and of every body in it. */
  readonly externals: ExternalConstant[];
  readonly #constants = new Map<string, Value>();
  readonly #names: { next: number };

  private constructor(names: { next: number }, externals: ExternalConstant[]) {
    this.#names = names;
    this.externals = externals;
  }

  static create(): Graph {
    return new Graph({ next: 0 }, []);
  }

  /** A graph for the body of a Loop or If. Its nodes may use values of this graph; names stay unique across both. */
  createBody(): Graph {
    return new Graph(this.#names, this.externals);
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

  /**
   * A large constant: a weight that no run of the graph changes. It must be one of the graph whose nodes use it: the runtime packs
   * weights for the kernels of their own graph and of the bodies right below it, not of those further in.
   */
  external(
    name: string,
    shape: readonly number[],
    type: ElementType,
    bytes: number,
    read: ExternalConstant["read"],
  ): Value {
    const known = this.externals.find(({ value }) => value.graph === this && value.name === name);
    if (known !== undefined) return known.value;
    const value = { graph: this, name, shape, type };
    this.externals.push({ value, bytes, read });
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
    { attributes = {}, domain = "", gradient }: EmitOptions = {},
  ): Value[] {
    const values = outputs.map(({ shape, type = "float32" }) => ({
      graph: this,
      name: this.#freshName(op),
      shape,
      type,
    }));
    this.nodes.push({ op, domain, inputs, outputs: values, attributes, gradient: gradient ?? null });
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
    case "int8":
      return Int8Array.from(data);
    case "uint8":
    case "bool":
      return Uint8Array.from(data);
  }
}
