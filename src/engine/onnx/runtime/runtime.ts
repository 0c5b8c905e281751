// The one door to ONNX Runtime: makes sessions from graphs and tensors from numbers.
// It leaves out what the graphs compute and when they run. `run` computes on the calling thread and blocks it: whoever
// calls this belongs in a worker thread.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as OnnxRuntime from "onnxruntime-common";
import { encodeModel, externalFile, notATensor, placeExternals } from "../graph/encode.ts";
import type { Graph } from "../graph/graph.ts";
import { InferenceSession, Tensor } from "./binding.ts";

export { Tensor };

export type Tensors = Readonly<Record<string, Tensor>>;

export interface SessionOptions {
  /** Threads that share one operator's work; 1 computes on the calling thread alone. */
  readonly threads: number;
  /**
   * Keep the memory of earlier runs for later ones (the default); a session then stays as large as its largest run. Sessions of large
   * models take theirs from the process and give it back, so that the next one has it.
   */
  readonly keepMemory?: boolean;
}

/** Idle threads spin for so many microseconds, which spans the gaps between operators, and then sleep: others share the machine's cores. */
const spinMicroseconds = 50;

/** A graph made ready to run. Owns native memory until `dispose`. */
export interface Session {
  /**
   * Computes the graph. Without `outputs` every output is copied into a new tensor, with a list of names only those.
   * With tensors only the named outputs are computed, each written into the given tensor, which may be one of the feeds:
   * that is how weights change in place.
   */
  run(feeds: Tensors, outputs?: Tensors | readonly string[]): Promise<Tensors>;
  dispose(): Promise<void>;
}

/**
 * Encodes and optimises a graph. Small models take some tens of milliseconds: cache what comes back. External constants are
 * written to a temporary file that the runtime maps while it packs them for its kernels, so that they are not copied on the way.
 */
export async function createSession(graph: Graph, options: SessionOptions): Promise<Session> {
  if (graph.externals.length === 0) return openSession(graph, options, null);
  const folder = mkdtempSync(join(tmpdir(), "sqlm-constants-"));
  try {
    await writeExternals(graph, join(folder, externalFile));
    return await openSession(graph, options, folder);
  } finally {
    // What is still mapped stays readable.
    removeQuietly(folder);
  }
}

/** Windows refuses to remove what is mapped; it is in the folder of temporary files all the same. */
function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (process.platform !== "win32") throw error;
  }
}

async function writeExternals(graph: Graph, path: string): Promise<void> {
  const { offsets } = placeExternals(graph);
  const file = openSync(path, "w");
  try {
    for (const [i, { read, bytes }] of graph.externals.entries()) {
      const data = await read();
      if (data.byteLength !== bytes)
        throw new Error(`An external constant has ${data.byteLength} bytes, not ${bytes}.`);
      for (let done = 0; done < bytes; ) done += writeSync(file, data, done, bytes - done, offsets[i] + done);
    }
  } finally {
    closeSync(file);
  }
}

async function openSession(
  graph: Graph,
  { threads, keepMemory = true }: SessionOptions,
  externals: string | null,
): Promise<Session> {
  if (!keepMemory) keepFreedMemory();
  const session = await InferenceSession.create(encodeModel(graph), {
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    interOpNumThreads: 1,
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    // A plan of all memory up front makes every session a third larger and none faster.
    enableMemPattern: false,
    enableCpuMemArena: keepMemory,
    extra: {
      session: {
        intra_op: { allow_spinning: "1", spin_duration_us: String(spinMicroseconds) },
        ...(externals === null ? {} : { model_external_initializers_file_folder_path: externals }),
      },
    },
  });
  const names = session.outputNames.filter((name) => name !== notATensor);
  return {
    run: async (feeds, outputs) => {
      if (outputs === undefined) return (await session.run(feeds, names)) as Tensors;
      if (isList(outputs)) return (await session.run(feeds, outputs)) as Tensors;
      await runInPlace(session, feeds, outputs);
      return outputs;
    },
    dispose: () => session.release(),
  };
}

let keepsFreed = false;

/**
 * glibc returns a block to the system as soon as it is freed if it is larger than a threshold, 128 kB at first, and fetches new pages for
 * the next one: up to a fifth of a run's time. When such a block is freed the threshold rises to its size, up to 32 MiB (mallopt(3)), so
 * one of nearly that size is freed before the first run. It takes no memory: nobody writes to it. Elsewhere nothing happens.
 */
function keepFreedMemory(): void {
  if (keepsFreed) return;
  keepsFreed = true;
  new ArrayBuffer(2 ** 25 - 2 ** 16).transfer(0);
}

const isList = (outputs: Tensors | readonly string[]): outputs is readonly string[] => Array.isArray(outputs);

/** What onnxruntime-node says where an output is no tensor. */
const refusal = "Non tensor type";

/**
 * Once the graph has run, the binding copies every output into an array of its own, also those that were written where they were
 * asked for: a millisecond for each megabyte, most of it for new pages. It stops at an output that is no tensor, so every model has one,
 * and it comes first.
 */
async function runInPlace(session: OnnxRuntime.InferenceSession, feeds: Tensors, outputs: Tensors): Promise<void> {
  try {
    await session.run(feeds, { ...outputs, [notATensor]: null });
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith(refusal))) throw error;
  }
}

/** A float32 tensor over `data`, or of zeros; the memory is shared, not copied. */
export function float32Tensor(
  shape: readonly number[],
  data: Float32Array = new Float32Array(elementCount(shape)),
): Tensor {
  return new Tensor("float32", data as Float32Array<ArrayBuffer>, shape);
}

export function int32Tensor(shape: readonly number[], data: Int32Array | readonly number[]): Tensor {
  return new Tensor("int32", data instanceof Int32Array ? data : Int32Array.from(data), shape);
}

export function int8Tensor(shape: readonly number[], data: Int8Array): Tensor {
  return new Tensor("int8", data, shape);
}

export function boolTensor(shape: readonly number[], data: readonly boolean[]): Tensor {
  return new Tensor("bool", Uint8Array.from(data, Number), shape);
}

/** An int64 tensor of safe integers. */
export function int64Tensor(shape: readonly number[], data: BigInt64Array | readonly number[]): Tensor {
  return new Tensor("int64", data instanceof BigInt64Array ? data : BigInt64Array.from(data, BigInt), shape);
}

/** The numbers of a float32 tensor, without a copy. */
export function float32Data(tensor: Tensor): Float32Array {
  return tensor.data as Float32Array;
}

/** Entries `from` to before `to` along the first axis, over the same memory. */
export function tensorRows({ type, data, dims }: Tensor, from: number, to: number): Tensor {
  const width = elementCount(dims.slice(1));
  const rows = (data as Float32Array<ArrayBuffer>).subarray(from * width, to * width);
  return new Tensor(type as "float32", rows, [to - from, ...dims.slice(1)]);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
