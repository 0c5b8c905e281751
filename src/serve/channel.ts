// What is made at one time and taken at another, in its order.

/** A list that grows while it is read; reading waits for what comes, up to its close. For one reader. */
export class Channel<Item> implements AsyncIterable<Item> {
  readonly #items: Item[] = [];
  #closed = false;
  #wake = Promise.withResolvers<void>();

  push(item: Item): void {
    this.#items.push(item);
    this.#wake.resolve();
  }

  /** No more will come. */
  close(): void {
    this.#closed = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    while (true) {
      yield* this.#items.splice(0);
      if (this.#items.length > 0) continue;
      if (this.#closed) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}
