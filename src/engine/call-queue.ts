// The order of an engine's calls: the contract promises that they are carried out as they were made, awaited or not, and
// hardly any call is one piece of work that nothing can come between.

/** Carries calls out one after another. One that fails rejects for its caller and holds up no other. */
export class CallQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins `call` when every call before it has ended. */
  run<Result>(call: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(call);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
