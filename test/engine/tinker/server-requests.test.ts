// What the server carries out and in which order: numbers, repeats, gaps, samplers, sessions that end, and what is refused.
import { describe, expect, test } from "vitest";
import { createScriptedEngine } from "../../../src/engine/scripted.ts";
import { codes, datumOf, prompt, type Served, served } from "./served.ts";

interface Sequence {
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly stop_reason: string;
}
interface Sampled {
  readonly sequences: Sequence[];
  readonly prompt_logprobs?: (number | null)[];
}

const text = (tokens: readonly number[]): string =>
  tokens.map((token) => (token < 0x110000 ? String.fromCodePoint(token) : "")).join("");

async function sample(server: Served, sampler: string, seq_id: number, more: object = {}): Promise<Sampled> {
  const message = {
    sampling_session_id: sampler,
    seq_id,
    num_samples: 1,
    prompt: prompt("abc"),
    sampling_params: { max_tokens: 6, seed: 1 },
    ...more,
  };
  return server.done("asample", message);
}

describe("the order of a model's requests", () => {
  test("they are carried out by number, whatever order they arrive in", async () => {
    const server = served();
    const { id } = await server.model();
    const saves: string[] = [];
    const promises = [];
    for (const number of [3, 2, 1]) {
      const body = { model_id: id, seq_id: number, path: `s${number}` };
      promises.push((await server.post<{ request_id: string }>("save_weights", body)).body.request_id);
    }
    await Promise.all(promises.map(server.result));
    for (const { name } of server.service.saves.list(id)) saves.push(name);
    // Their times may be equal; the promises were kept in order all the same.
    expect([...saves].sort()).toEqual(["s1", "s2", "s3"]);
    const updates = [];
    for (const number of [6, 5, 4]) {
      const body = { model_id: id, seq_id: number, adam_params: { learning_rate: 1e-3 } };
      updates.push((await server.post<{ request_id: string }>("optim_step", body)).body.request_id);
    }
    const steps = [];
    for (const promise of updates) {
      steps.push((await server.result<{ metrics: { step: number } }>(promise)).metrics.step);
    }
    expect(steps).toEqual([3, 2, 1]);
  });

  test("one that arrives twice is one; another of its number is refused", async () => {
    const server = served();
    const { id } = await server.model();
    const body = { model_id: id, seq_id: 1, adam_params: { learning_rate: 1e-3 } };
    const first = await server.post<{ request_id: string }>("optim_step", body);
    const again = await server.post<{ request_id: string }>("optim_step", body);
    expect(again.body.request_id).toBe(first.body.request_id);
    await server.result(first.body.request_id);
    const other = { ...body, adam_params: { learning_rate: 2e-3 } };
    expect(await server.post("optim_step", other)).toMatchObject({
      status: 409,
      body: { detail: "Request 1 of this model was another one: number every request anew." },
    });
    const { metrics } = await server.done<{ metrics: { step: number } }>("optim_step", { ...body, seq_id: 2 });
    expect(metrics.step).toBe(2);
  });

  test("a number that never comes holds the others up for a while only", async () => {
    const server = served({ gapSeconds: 0.05 });
    const { id } = await server.model();
    const { metrics } = await server.done<{ metrics: { step: number } }>("optim_step", { model_id: id, seq_id: 7 });
    expect(metrics.step).toBe(1);
    expect(await server.post("optim_step", { model_id: id, seq_id: 3 })).toMatchObject({ status: 409 });
  });

  test("a failed one fails for itself", async () => {
    const server = served();
    const { id } = await server.model();
    const wrong = await server.pass({ modelId: id, seqId: 1, data: [datumOf("ab")], lossFn: "dro" });
    const right = await server.pass({ modelId: id, seqId: 2, data: [datumOf("ab")] });
    expect(await server.result(wrong.body.request_id)).toMatchObject({
      category: "user",
      error: expect.stringContaining('no loss "dro"'),
    });
    expect(await server.result(right.body.request_id)).toMatchObject({ loss_fn_outputs: [{}] });
    expect(server.reported).toEqual([]);
  });
});

describe("passes", () => {
  test("tell log-probabilities of every position, also of those that train nothing", async () => {
    const server = served();
    const { id } = await server.model();
    const policy = await server.engine.openPolicy();
    const expected = (await policy.score([codes("hello")]))[0].slice(1);
    for (const [forwardOnly, untrained] of [
      [false, 3],
      [false, 0],
      [false, 4],
      [true, 2],
    ] as const) {
      const { body } = await server.pass({ modelId: id, data: [datumOf("hello", untrained)], forwardOnly });
      const result = await server.result<{ loss_fn_outputs: { logprobs: { data: number[] } }[] }>(body.request_id);
      const told = result.loss_fn_outputs[0].logprobs.data;
      expect(told).toHaveLength(4);
      for (const [i, logprob] of told.entries()) expect(logprob).toBeCloseTo(expected[i], 6);
    }
  });

  test.each<[string, object, string]>([
    ["no targets", { target_tokens: undefined }, "has no target_tokens"],
    ["targets of another length", { target_tokens: { dtype: "int64", data: [98], shape: [1] } }, "one number a token"],
    [
      "targets that are not the input shifted",
      { target_tokens: { dtype: "int64", data: [99, 99], shape: [2] } },
      "shifted by one",
    ],
    ["an input that nothing reads", { mask: { dtype: "float32", data: [1, 1], shape: [2] } }, 'an input "mask"'],
  ])("refuse %s", async (_, change, says) => {
    const server = served();
    const { id } = await server.model();
    const { tokens, inputs } = datumOf("abc");
    const all = Object.entries({ ...inputs, ...change }).filter(([, tensor]) => tensor !== undefined);
    const { body } = await server.pass({ modelId: id, data: [{ tokens, inputs: Object.fromEntries(all) as never }] });
    expect(await server.result(body.request_id)).toMatchObject({
      category: "user",
      error: expect.stringContaining(says),
    });
  });

  test("targets that train nothing may stand for nothing", async () => {
    const server = served();
    const { id } = await server.model();
    const { tokens, inputs } = datumOf("abcd", 2);
    const target_tokens = { ...inputs.target_tokens, data: [-100, -100, inputs.target_tokens.data[2]] };
    const { body } = await server.pass({ modelId: id, data: [{ tokens, inputs: { ...inputs, target_tokens } }] });
    const result = await server.result<{ loss_fn_outputs: { logprobs: { data: number[] } }[] }>(body.request_id);
    const [first, second, third] = result.loss_fn_outputs[0].logprobs.data;
    expect([first, second]).toEqual([0, 0]);
    expect(third).toBeLessThan(0);
  });

  test.each<[string, object, string]>([
    ["thresholds that are no ratios", { clip_low_threshold: 1.1 }, "clips ratios"],
    ["a setting that nothing reads", { beta: 0.1 }, 'no setting "beta"'],
    ["a text for a number", { clip_high_threshold: "wide" }, "must be a number"],
  ])("refuse %s", async (_, lossConfig, says) => {
    const server = served();
    const { id } = await server.model();
    const { body } = await server.pass({ modelId: id, data: [], lossFn: "ppo", lossConfig: lossConfig as never });
    expect(await server.result(body.request_id)).toMatchObject({ error: expect.stringContaining(says) });
  });
});

describe("samples", () => {
  test("by seed, with log-probabilities of the prompt, none for its first token", async () => {
    const server = served({ reply: ({ random }) => String(random.integer(1000, 9999)) });
    const sampler = await server.sampler();
    const one = await sample(server, sampler, 0, { num_samples: 3, prompt_logprobs: true });
    const other = await sample(server, sampler, 1, { num_samples: 3 });
    expect(other.sequences).toEqual(one.sequences);
    expect(new Set(one.sequences.map(({ tokens }) => text(tokens))).size).toBe(3);
    // The same ask from its second sample on.
    const rest = await sample(server, sampler, 2, { num_samples: 2, first_sample: 1 });
    expect(rest.sequences).toEqual(one.sequences.slice(1));
    const [score] = await (await server.engine.openPolicy()).score([codes("abc")]);
    expect(one.prompt_logprobs?.[0]).toBeNull();
    expect(one.prompt_logprobs?.slice(1)).toEqual(score.slice(1).map((logprob) => expect.closeTo(logprob, 6)));
    const last = await sample(server, sampler, 3, { prompt_logprobs: true, prompt_logprobs_last_n: 1 });
    expect(last.prompt_logprobs).toEqual([expect.closeTo(score[2], 6)]);
  });

  test("stop as the protocol says", async () => {
    const server = served({ reply: () => "one, two, three" });
    const sampler = await server.sampler();
    const params = { max_tokens: 40, seed: 1 };
    let number = 0;
    const said = async (stop?: unknown): Promise<readonly [string, string]> => {
      const sampling_params = stop === undefined ? params : { ...params, stop };
      const { sequences } = await sample(server, sampler, number++, { sampling_params });
      const [{ tokens, logprobs, stop_reason }] = sequences;
      expect(logprobs).toHaveLength(tokens.length);
      return [text(tokens), stop_reason];
    };
    expect(await said()).toEqual(["one, two, three", "stop"]);
    expect(await said(["two"])).toEqual(["one, two", "stop"]);
    expect(await said("two")).toEqual(["one, two", "stop"]);
    expect(await said(["never", ","])).toEqual(["one,", "stop"]);
    expect(await said(["four"])).toEqual(["one, two, three", "stop"]);
    expect(await said(codes("w"))).toEqual(["one, tw", "stop"]);
    expect((await said([]))[1]).toBe("length");
    const { status, body } = await server.post("asample", {
      sampling_session_id: sampler,
      seq_id: number,
      prompt: prompt("abc"),
      sampling_params: { ...params, stop: [""] },
    });
    expect([status, body]).toEqual([400, { detail: expect.stringContaining("empty stop text") }]);
  });

  test("without a length they go on to the end of the context", async () => {
    const server = served({ reply: () => "x" });
    const sampler = await server.sampler();
    const { sequences } = await sample(server, sampler, 0, { sampling_params: { stop: [] } });
    expect(sequences[0].tokens).toHaveLength(61);
  });

  test.each([
    ["topk_prompt_logprobs", 2],
    ["topk_sample_logprobs", 1],
    ["prompt_alt_tokens_k", 3],
    ["target_prompt_logprobs", { data: [1], dtype: "int64" }],
    ["num_samples", 1_000_000_000],
  ])("refuse what the engine does not tell, or nobody means: %s", async (name, value) => {
    const server = served();
    const message = { base_model: "tiny", prompt: prompt("a"), sampling_params: { max_tokens: 2 }, [name]: value };
    const { status, body } = await server.post("asample", message);
    expect([status, body]).toEqual([
      400,
      { detail: expect.stringContaining(name === "num_samples" ? "10000 samples" : name) },
    ]);
  });

  test("one that cannot be honoured fails for itself, not for those beside it", async () => {
    const server = served();
    const sampler = await server.sampler();
    const long = { prompt: prompt("x".repeat(80)) };
    const [good, bad, also] = await Promise.all([
      sample(server, sampler, 0),
      sample(server, sampler, 1, long),
      sample(server, sampler, 2),
    ]);
    expect(bad).toMatchObject({ category: "user", error: expect.stringContaining("at most 64 tokens") });
    expect(good.sequences).toEqual(also.sequences);
  });

  test("a request that arrives twice is one, and samples have names", async () => {
    const server = served();
    const sampler = await server.sampler();
    const message = {
      sampling_session_id: sampler,
      seq_id: 4,
      num_samples: 2,
      prompt: prompt("a"),
      sampling_params: {},
    };
    const first = await server.post<{ request_id: string; sample_sequence_ids: string[] }>("asample", message);
    expect(first.body.sample_sequence_ids).toHaveLength(2);
    expect((await server.post("asample", message)).body).toEqual(first.body);
    expect(await server.post("asample", { ...message, num_samples: 3 })).toMatchObject({ status: 409 });
  });

  test("too many that wait are told to come later", async () => {
    const gate = Promise.withResolvers<void>();
    const engine = createScriptedEngine({ reply: () => "x", maxSequenceTokens: 64 });
    const held = {
      ...engine,
      openPolicy: async () => {
        await gate.promise;
        return engine.openPolicy();
      },
    };
    const server = served({ engine: held, mostWaitingBytes: 60 });
    const sampler = await server.sampler();
    const message = { sampling_session_id: sampler, prompt: prompt("abc"), sampling_params: { max_tokens: 1 } };
    const answers: { readonly status: number; readonly headers: Headers; readonly body: { request_id: string } }[] = [];
    for (let seq_id = 0; seq_id < 4; seq_id++)
      answers.push(await server.post<{ request_id: string }>("asample", { ...message, seq_id }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
    expect(answers[3].headers.get("retry-after")).toBe("1");
    gate.resolve();
    await server.result(answers[0].body.request_id);
    await server.result(answers[1].body.request_id);
    expect((await server.post("asample", { ...message, seq_id: 2 })).status).toBe(200);
  });
});

describe("samplers", () => {
  test("of a model's weights stay as they were; those without a name are kept as long as they are among the latest used", async () => {
    const server = served({ reply: ({ updates }) => `after ${updates}` });
    const { session, id } = await server.model();
    const samplers: string[] = [];
    let number = 0;
    const next = () => ({ model_id: id, seq_id: ++number });
    for (let i = 0; i < 10; i++) {
      await server.done("optim_step", { ...next(), adam_params: { learning_rate: 1e-3 } });
      const saved = await server.done<{ sampling_session_id: string }>("save_weights_for_sampler", {
        ...next(),
        sampling_session_seq_id: i,
      });
      samplers.push(saved.sampling_session_id);
      // The first is used all the time.
      const { sequences } = await sample(server, samplers[0], i, { sampling_params: { max_tokens: 20 } });
      expect(text(sequences[0].tokens)).toBe("after 1");
    }
    const said = await Promise.all(
      samplers.map((sampler) => sample(server, sampler, 50, { sampling_params: { max_tokens: 20 } })),
    );
    expect(said.map((one) => (one.sequences === undefined ? "gone" : text(one.sequences[0].tokens)))).toEqual([
      "after 1",
      "gone",
      "gone",
      ...Array.from({ length: 7 }, (_, i) => `after ${i + 4}`),
    ]);
    expect(said[1]).toMatchObject({ category: "user", error: expect.stringContaining("Save them with a name") });
    expect((await server.post("session_heartbeat", { session_id: session })).status).toBe(200);
  });

  test("of names are found again, and say what they are", async () => {
    const server = served({ reply: ({ updates }) => `after ${updates}` });
    const { id } = await server.model();
    await server.done("optim_step", { model_id: id, seq_id: 1 });
    const { path } = await server.done<{ path: string }>("save_weights_for_sampler", {
      model_id: id,
      seq_id: 2,
      path: "a",
    });
    expect(path).toBe(`tinker://${id}/sampler_weights/a`);
    await server.done("optim_step", { model_id: id, seq_id: 3 });
    const sampler = await server.sampler({ model_path: path });
    const { sequences } = await sample(server, sampler, 0, { sampling_params: { max_tokens: 20 } });
    expect(text(sequences[0].tokens)).toBe("after 1");
    expect((await server.get(`samplers/${sampler}`)).body).toEqual({
      sampler_id: sampler,
      base_model: "tiny",
      model_path: path,
    });
    const twice = await server.done("save_weights_for_sampler", { model_id: id, seq_id: 4, path: "a" });
    expect(twice).toMatchObject({ category: "user", error: expect.stringContaining("already") });
  });
});

describe("sessions", () => {
  test("end when nothing is heard of them, with what they had", async () => {
    let now = 0;
    const server = served({ now: () => now, silentSeconds: 300 });
    const { session, id } = await server.model();
    const sampler = await server.sampler();
    now += 200_000;
    expect((await server.post("session_heartbeat", { session_id: session })).status).toBe(200);
    now += 200_000;
    server.service.sessions.sweep();
    expect((await server.post("session_heartbeat", { session_id: session })).status).toBe(200);
    expect(
      await server.post("asample", { sampling_session_id: sampler, prompt: prompt("a"), sampling_params: {} }),
    ).toMatchObject({ status: 404, body: { detail: expect.stringContaining("ended with its session") } });
    now += 301_000;
    server.service.sessions.sweep();
    expect(await server.post("session_heartbeat", { session_id: session })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining("Begin another one") },
    });
    expect(await server.post("optim_step", { model_id: id })).toMatchObject({ status: 404 });
  });

  test("give back every player that they have had, also samplers of models that were unloaded", async () => {
    const engine = createScriptedEngine({ reply: () => "x" });
    let open = 0;
    const counted = <One extends AsyncDisposable>(one: One): One => {
      open += 1;
      const dispose = async (): Promise<void> => {
        open -= 1;
        await one[Symbol.asyncDispose]();
      };
      return { ...one, [Symbol.asyncDispose]: dispose };
    };
    const openPolicy = async () => {
      const policy = await engine.openPolicy();
      return { ...counted(policy), freeze: async () => counted(await policy.freeze()) };
    };
    let now = 0;
    const server = served({ engine: { ...engine, openPolicy }, now: () => now });
    const { session, id } = await server.model();
    await server.done("save_weights_for_sampler", { model_id: id, seq_id: 1, sampling_session_seq_id: 0 });
    await server.done("unload_model", { model_id: id });
    const message = { session_id: session, model_seq_id: 1, base_model: "tiny" };
    await server.done("create_model", message);
    expect(open).toBe(2);
    now += 301_000;
    server.service.sessions.sweep();
    // Behind what gives them back.
    const other = await server.model();
    await server.done("unload_model", { model_id: other.id });
    await server.model();
    expect(open).toBe(1);
  });

  test("what is made under a number is made once", async () => {
    const server = served({ mostModels: 2 });
    const key = { "x-idempotency-key": "k1" };
    const begin = () => server.post<{ session_id: string }>("create_session", { tags: [] }, key);
    const [{ body: one }, { body: same }] = [await begin(), await begin()];
    expect(same.session_id).toBe(one.session_id);
    const message = { session_id: one.session_id, model_seq_id: 0, base_model: "models/tiny" };
    const made = await server.post<{ model_id: string }>("create_model", message);
    expect(made.body.model_id).toBe(`${one.session_id}:train:0`);
    expect((await server.post("create_model", message)).body).toEqual(made.body);
    expect(await server.post("create_model", { ...message, base_model: "tiny" })).toMatchObject({ status: 409 });
    expect(await server.post("create_model", { ...message, model_seq_id: 1 })).toMatchObject({ status: 200 });
    expect(await server.post("create_model", { ...message, model_seq_id: 2 })).toMatchObject({ status: 503 });
    await server.done("unload_model", { model_id: made.body.model_id });
    expect(await server.post("create_model", { ...message, model_seq_id: 3 })).toMatchObject({ status: 200 });
    expect(await server.post("optim_step", { model_id: made.body.model_id })).toMatchObject({ status: 404 });
  });
});

describe("what is refused of models", () => {
  const shape = { rank: 8, alpha: 32, targets: ["q_proj", "v_proj"] };
  const withAdapter = () => {
    const engine = createScriptedEngine({ reply: () => "x" });
    return served({ engine: { ...engine, capabilities: { ...engine.capabilities, adapter: shape } } });
  };
  test.each<[object, string]>([
    [{ base_model: "other" }, 'no base model "other": ask for "tiny"'],
    [{ lora_config: { rank: 4 } }, "adapters of rank 8, not 4: ask for rank 8, or start it with --lora-rank 4"],
    [{ lora_config: { rank: 8, train_mlp: true } }, "train_mlp=true"],
    [{ lora_config: { rank: 8, train_mlp: false, train_attn: false } }, "train_attn=false"],
    [{ optimizer_config: { type: "dimuon" } }, 'no optimizer "dimuon": use adamw'],
    [{ session_id: "none" }, "no session none"],
  ])("%j", async (change, says) => {
    const server = withAdapter();
    const session_id = await server.session();
    const lora_config = { rank: 8, train_mlp: false, train_unembed: true };
    const message = { session_id, model_seq_id: 0, base_model: "tiny", lora_config };
    const { status, body } = await server.post<{ detail: string }>("create_model", { ...message, ...change });
    expect(status).toBe("session_id" in change ? 404 : 400);
    expect(body.detail).toContain(says);
    expect((await server.post("create_model", message)).status).toBe(200);
  });

  test("what of a client's wishes changes nothing is said when it begins", async () => {
    const { body } = await withAdapter().post<{ info_message: string }>("create_session", { tags: [] });
    expect(body.info_message).toContain("rank 8 and alpha 32 on q_proj, v_proj; none is on the unembedding");
    const all = await served().post<{ info_message: string }>("create_session", { tags: [] });
    expect(all.body.info_message).toContain("trains all weights");
  });
});
