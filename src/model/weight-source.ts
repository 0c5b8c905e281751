// Weights on disk, whatever the format: read tensor by tensor into float32, so that a model is never in memory twice.

export interface WeightSource extends Disposable {
  /** The file or folder, for errors. */
  readonly path: string;
  /** Shape of a weight under its Hugging Face name, matrices [out, in]; null where it is not stored. */
  shapeOf(name: string): readonly number[] | null;
  /**
   * The whole tensor, row-major. `into`, of exactly its size, is filled and returned where it is given. Throws FileFormatError
   * where the tensor is not stored or the file is damaged.
   */
  readTensor(name: string, into?: Float32Array): Float32Array;
  /** Fills `into`, whole rows, with the rows from `firstRow` on. */
  readRows(name: string, firstRow: number, into: Float32Array): void;
}

/** Number of values in a tensor of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Values in one row: those that one index of the first axis holds. */
export function rowLength(shape: readonly number[]): number {
  return elementCount(shape.slice(1));
}

/** Whether two stored tensors of one shape hold the same values, compared some rows at a time. */
export function sameValues(source: WeightSource, a: string, b: string): boolean {
  const [shape, other] = [source.shapeOf(a), source.shapeOf(b)];
  if (shape === null || other === null || shape.join() !== other.join()) return false;
  const width = rowLength(shape);
  const step = Math.max(1, Math.floor(2 ** 20 / Math.max(1, width)));
  for (let row = 0; row < shape[0]; row += step) {
    const values = Math.min(step, shape[0] - row) * width;
    const [left, right] = [new Float32Array(values), new Float32Array(values)];
    source.readRows(a, row, left);
    source.readRows(b, row, right);
    if (left.some((value, i) => value !== right[i])) return false;
  }
  return true;
}
