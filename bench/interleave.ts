// Times several pieces of work in turn, round after round, so that a busy machine slows all of them alike.

/** Median seconds of each piece of work, by name, after one round of warm-up, or none where all of it is warm. */
export async function interleave<Name extends string>(
  work: Readonly<Record<Name, () => Promise<unknown>>>,
  rounds: number,
  warmUps = 1,
): Promise<Record<Name, number>> {
  const names = Object.keys(work) as Name[];
  const seconds = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const name of names) {
      const start = performance.now();
      await work[name]();
      if (round >= warmUps) seconds.get(name)?.push((performance.now() - start) / 1000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(seconds.get(name) ?? [])])) as Record<Name, number>;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
