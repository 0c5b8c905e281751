// What became of promises: held open, kept, gone, told one by one and for a whole sampling session.
import { describe, expect, test } from "vitest";
import { PromiseBook } from "../../../src/engine/tinker/server/promises.ts";
import { decodeSampleResult, encodeSampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import { codes, datumOf, prompt, served } from "./served.ts";

const payload = (bytes: number) => ({ form: "json" as const, bytes: new Uint8Array(bytes) });

function book(change: object = {}) {
  const clock = { now: 0 };
  return { clock, promises: new PromiseBook({ now: () => clock.now, ...change }) };
}

describe("a book of promises", () => {
  test("waits for what is not done yet, as long as it may", async () => {
    using promises = book().promises;
    const id = promises.open();
    expect(await promises.wait(id, 5)).toBeNull();
    const waiting = promises.wait(id, 10_000);
    promises.settle(id, payload(3));
    expect(await waiting).toEqual(payload(3));
    expect(await promises.wait(id, 0)).toEqual(payload(3));
  });

  test("knows what it has kept from what was never its own", () => {
    const { promises, clock } = book();
    const id = promises.open();
    promises.settle(id, payload(1));
    promises.fetched(id);
    clock.now = 59_000;
    promises.sweep();
    expect(promises.standing(id)).toBe("known");
    clock.now = 61_000;
    promises.sweep();
    expect(promises.standing(id)).toBe("gone");
    for (const unknown of ["", "x", `${id}0`, "abcdefabcdef-1", "-1"]) {
      expect(promises.standing(unknown), unknown).toBe("unknown");
    }
    promises[Symbol.dispose]();
  });

  test("keeps what nobody has asked for longer, and drops what was fetched first where room is short", () => {
    const dropped: string[] = [];
    const { promises, clock } = book({ mostBytes: 100, unclaimedSeconds: 3600 });
    const open = (name: string, line: string | null = null) =>
      promises.open({ line, onDropped: () => dropped.push(name) });
    const [taught, sampled, fetched, waiting] = [
      open("taught"),
      open("sampled", "s 0"),
      open("fetched"),
      open("waiting"),
    ];
    promises.settle(taught, payload(30));
    promises.settle(sampled, payload(30));
    promises.settle(fetched, payload(30));
    promises.fetched(fetched);
    clock.now = 3_000_000;
    promises.sweep();
    expect(dropped).toEqual(["fetched"]);
    const more = open("more");
    promises.settle(more, payload(80));
    expect(dropped).toEqual(["fetched", "sampled", "taught", "more"]);
    expect(promises.standing(waiting)).toBe("known");
    promises[Symbol.dispose]();
  });

  test("tells a line what is done of it, once, in order, from before its first poll on", async () => {
    using promises = book().promises;
    const ids = Array.from({ length: 4 }, () => promises.open({ line: "a 0" }));
    promises.open({ line: "b 0" });
    promises.settle(ids[2], payload(5));
    promises.settle(ids[0], { error: "no", category: "user" });
    const first = await promises.news("a 0", 0, 1000);
    expect(first.completions).toEqual([
      { id: ids[2], failed: false, bytes: 5 },
      { id: ids[0], failed: true, bytes: 2 },
    ]);
    // Asked again from the same place it says the same: the answer may have been lost.
    expect(await promises.news("a 0", 0, 1000)).toEqual(first);
    const next = promises.news("a 0", first.cursor, 10_000);
    promises.settle(ids[1], payload(1));
    expect((await next).completions.map(({ id }) => id)).toEqual([ids[1]]);
    expect((await promises.news("a 0", (await next).cursor, 5)).completions).toEqual([]);
    promises.release("a 0", [ids[2], ids[3], "nonsense"]);
    expect(promises.standing(ids[2])).toBe("gone");
    expect(promises.standing(ids[3])).toBe("known");
  });
});

describe("results", () => {
  test("are protobuf or JSON, as is wanted, and say the same", async () => {
    const server = served();
    const { id } = await server.model();
    const { body } = await server.pass({ modelId: id, data: [datumOf("abc")] });
    const ask = (accept: string) =>
      server.send("POST", "retrieve_future", JSON.stringify({ request_id: body.request_id }), { accept });
    const json = (await (await ask("application/json")).json()) as { loss_fn_outputs: object[] };
    expect(json).toMatchObject({ loss_fn_outputs: [{ logprobs: { data: expect.any(Array) } }], metrics: {} });
    const binary = await ask("application/x-protobuf, application/json");
    expect(binary.headers.get("content-type")).toBe("application/x-protobuf");
    const { decodeTrainingResult } = await import("../../../src/engine/tinker/wire/training-result.ts");
    const read = decodeTrainingResult(new Uint8Array(await binary.arrayBuffer()), "protobuf");
    expect(JSON.parse(JSON.stringify(read.outputs))).toEqual(json.loss_fn_outputs);
  });

  test("that are not there yet are waited for; those that nobody knows, or no longer, are said to be so", async () => {
    const server = served({ holdSeconds: 0.05, gapSeconds: 60 });
    const { id } = await server.model();
    // It waits for its predecessor, which does not come.
    const { body } = await server.post<{ request_id: string }>("optim_step", { model_id: id, seq_id: 2 });
    expect(await server.result(body.request_id)).toMatchObject({
      type: "try_again",
      request_id: body.request_id,
      queue_state: "active",
    });
    expect(await server.post("retrieve_future", { request_id: "other-1" })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining("no request other-1") },
    });
  });

  test("that are large are told by their size first, where that is wanted", async () => {
    const server = served({ reply: () => "abcdefghij" });
    const sampler = await server.sampler();
    const message = {
      sampling_session_id: sampler,
      seq_id: 0,
      num_samples: 3000,
      prompt: { chunks: [{ tokens: codes("a") }] },
      sampling_params: { max_tokens: 60, stop: [] },
    };
    const { body } = await server.post<{ request_id: string }>("asample", message);
    const ask = (allow_metadata_only: boolean) =>
      server.post<{ status?: string; response_payload_size?: number; sequences?: unknown[] }>("retrieve_future", {
        request_id: body.request_id,
        allow_metadata_only,
      });
    const size = await ask(true);
    expect(size.body).toEqual({ status: "complete_metadata", response_payload_size: expect.any(Number) });
    expect(size.body.response_payload_size).toBeGreaterThan(3000 * 60 * 8);
    expect((await ask(false)).body.sequences).toHaveLength(3000);
  });

  test("come along with the news where the client asks for it, and are kept for one that did not get them", async () => {
    const server = served();
    const sampling_session_id = await server.sampler();
    const message = {
      sampling_session_id,
      seq_id: 0,
      prompt: prompt("ab"),
      sampling_params: { max_tokens: 2 },
      num_samples: 3,
    };
    const { body } = await server.post<{ request_id: string }>("asample", message);
    const whole = await server.result(body.request_id);
    const target = { type: "sampling_session", sampling_session_id };
    type News = { readonly completions: readonly { readonly request_id: string; readonly result?: string }[] };
    for (const times of [1, 2]) {
      const { completions } = (await server.post<News>("retrieve_futures", { target, with_results: true })).body;
      expect(completions, String(times)).toHaveLength(1);
      const bytes = Buffer.from(completions[0]!.result!, "base64");
      const { sequences } = decodeSampleResult(bytes, "protobuf");
      expect(JSON.parse(Buffer.from(encodeSampleResult({ sequences }, "json")).toString())).toMatchObject({
        sequences: (whole as { sequences?: unknown }).sequences,
      });
    }
    const plain = (await server.post<News>("retrieve_futures", { target })).body.completions;
    expect(plain[0]).not.toHaveProperty("result");
  });

  test("of a sampling session are told together, by its clones apart", async () => {
    const server = served({ holdSeconds: 5 });
    const sampler = await server.sampler();
    const message = { sampling_session_id: sampler, prompt: prompt("a"), sampling_params: { max_tokens: 2 } };
    const post = async (seq_id: number, more: object = {}) =>
      (await server.post<{ request_id: string }>("asample", { ...message, seq_id, ...more })).body.request_id;
    const [one, two, clone] = [await post(0), await post(1, { prompt: prompt("x".repeat(99)) }), await post(2e9)];
    interface News {
      readonly completions: { readonly request_id: string; readonly state: string }[];
      readonly cursor: number;
    }
    const poll = async (more: object = {}) => {
      const target = { type: "sampling_session", sampling_session_id: sampler, cloned_sampler_id: 0 };
      return (await server.post<News>("retrieve_futures", { target, prev_cursor: 0, ...more })).body;
    };
    const told = new Map<string, string>();
    for (let cursor = 0; told.size < 2; ) {
      const news = await poll({ prev_cursor: cursor });
      for (const { request_id, state } of news.completions) told.set(request_id, state);
      cursor = news.cursor;
    }
    expect(told).toEqual(
      new Map([
        [one, "finished"],
        [two, "failed"],
      ]),
    );
    const target = { type: "sampling_session", sampling_session_id: sampler, cloned_sampler_id: 2 };
    expect((await poll({ target })).completions).toMatchObject([{ request_id: clone, state: "finished" }]);
    expect(await server.result(one)).toMatchObject({ sequences: [{}] });
    await poll({ timeout: 0, retrieved_request_ids: [one] });
    expect((await server.post("retrieve_future", { request_id: one })).status).toBe(410);
    // It is drawn anew when it is asked for again.
    expect(await post(0)).not.toBe(one);
  });
});
