"""The other side of tinker-sdk.ts: the official SDK, a line for each thing that was tried. Ends with 1 where one went wrong."""
import inspect
import io
import json
import math
import sys
import tarfile
import time
import traceback
import urllib.request
import warnings

warnings.filterwarnings("ignore")
import tinker  # noqa: E402
from tinker import types  # noqa: E402

settings = json.loads(sys.argv[1])
prompts, answer, ends = settings["prompts"], settings["answer"], settings["end_tokens"]
open_prompts, liked = settings["open_prompts"], settings["liked"]
failed = []


def value_of(future):
    """Old SDKs give futures or values, new ones futures of another kind."""
    return future.result() if hasattr(future, "result") and callable(future.result) else future


def check(name, work):
    started = time.time()
    try:
        said = work()
        print(f"ok   {name} ({time.time() - started:.2f} s){'' if said is None else ': ' + str(said)}", flush=True)
    except BaseException as error:
        failed.append(name)
        print(f"FAIL {name}: {type(error).__name__}: {str(error)[:600]}", flush=True)
        traceback.print_exc()


def tensor(values, dtype="float32"):
    return types.TensorData(data=list(values), dtype=dtype, shape=[len(values)])


def supervised(prompt, completion):
    tokens = prompt + completion
    weights = [0.0] * (len(prompt) - 1) + [1.0] * len(completion)
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tensor(tokens[1:], "int64"), "weights": tensor(weights)},
    )


def reinforced(prompt, completion, logprobs, advantage):
    tokens = prompt + completion
    before = len(prompt) - 1
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tensor(tokens[1:], "int64"),
            "logprobs": tensor([0.0] * before + [float(one) for one in logprobs]),
            "advantages": tensor([0.0] * before + [float(advantage)] * len(completion)),
        },
    )


def adam(rate):
    return types.AdamParams(learning_rate=rate, beta1=0.9, beta2=0.95, eps=1e-8)


def sampled(client, prompt, n=8, seed=1, **params):
    wanted = types.SamplingParams(**{"max_tokens": 8, "temperature": 1.0, "seed": seed, "stop": list(ends), **params})
    return value_of(client.sample(types.ModelInput.from_ints(prompt), n, wanted)).sequences


def loss_of(result):
    return result.metrics["loss:sum"]


def list_of(values):
    return [float(one) for one in (values.tolist() if hasattr(values, "tolist") else values)]


def expect(truth, says):
    if not truth:
        raise AssertionError(says)


def refused(words, work):
    try:
        work()
    except Exception as error:
        expect(words in str(error), f"says: {error}")
        return str(error).split("detail")[-1][:160]
    raise AssertionError("was not refused")


print(f"tinker {tinker.__version__}, Python {sys.version.split()[0]}")
service = tinker.ServiceClient()
base = settings["model"]
check("capabilities", lambda: service.get_server_capabilities().supported_models[0].model_name)


def new_model(seed=1):
    return value_of(service.create_lora_training_client(base_model=base, rank=settings["rank"], seed=seed))


model = new_model()
check("get_info", lambda: (model.get_info().model_id, model.get_info().lora_rank))


def supervised_loop():
    data = [supervised(prompt, answer) for prompt in prompts]
    losses = []
    for _ in range(12):
        # Back to back: the update is under way before the gradient is known.
        passed = model.forward_backward(data, "cross_entropy")
        step = model.optim_step(adam(settings["rate"]))
        losses.append(loss_of(value_of(passed)))
        value_of(step)
    expect(losses[-1] < 0.5 * losses[0], f"losses {losses}")
    return f"loss {losses[0]:.3f} to {losses[-1]:.3f}"


check("supervised loop", supervised_loop)


def agreement():
    """What was sampled, what sampling scores, what a forward pass and a training pass say: the same, and not shifted by one."""
    client = model.save_weights_and_get_sampling_client()
    client = value_of(client)
    widest, shifted = 0.0, math.inf
    for prompt in prompts:
        for sequence in sampled(client, prompt, n=4, temperature=1.3):
            tokens, said = list(sequence.tokens), list_of(sequence.logprobs)
            whole = prompt + tokens
            scored = value_of(client.compute_logprobs(types.ModelInput.from_ints(whole)))
            expect(scored[0] is None and len(scored) == len(whole), "the first token has a log-probability")
            forward = value_of(model.forward([supervised(prompt, tokens)], "cross_entropy")).loss_fn_outputs[0]
            trained = value_of(model.forward_backward([reinforced(prompt, tokens, said, 1.0)], "importance_sampling"))
            told = list_of(forward["logprobs"].data)
            taught = list_of(trained.loss_fn_outputs[0]["logprobs"].data)
            for i, logprob in enumerate(said):
                at = len(prompt) + i
                for other in (scored[at], told[at - 1], taught[at - 1]):
                    widest = max(widest, abs(other - logprob))
            # Prompts too, in training passes that do not train them.
            for at in range(1, len(prompt)):
                widest = max(widest, abs(taught[at - 1] - scored[at]), abs(told[at - 1] - scored[at]))
            shifted = min(shifted, max(abs(told[at - 2] - said[at - len(prompt)]) for at in range(len(prompt), len(whole))))
    value_of(model.optim_step(adam(0.0)))
    expect(widest < settings["tolerance"], f"they differ by {widest}")
    expect(shifted > 1e-2, "shifted by one they are the same too, so nothing was compared")
    return f"within {widest:.1e} (shifted by one: {shifted:.2f})"


check("sampled, scored, forward and trained log-probabilities agree", agreement)


def policy_gradient(loss, config):
    def loop():
        policy = new_model(seed=2)
        rewards = []
        for step in range(10):
            client = value_of(policy.save_weights_and_get_sampling_client())
            data, means = [], []
            asked = [
                client.sample(
                    types.ModelInput.from_ints(prompt),
                    16,
                    types.SamplingParams(max_tokens=6, temperature=1.0, seed=2 * step + i, stop=list(ends)),
                )
                for i, prompt in enumerate(open_prompts)
            ]
            for prompt, future in zip(open_prompts, asked):
                group = value_of(future).sequences
                reward = [sum(token in liked for token in one.tokens) / 6 for one in group]
                mean = sum(reward) / len(reward)
                means.append(mean)
                data += [
                    reinforced(prompt, list(one.tokens), list_of(one.logprobs), r - mean)
                    for one, r in zip(group, reward)
                    if r != mean
                ]
            rewards.append(sum(means) / len(means))
            if data:
                passed = policy.forward_backward(data, loss, config) if config else policy.forward_backward(data, loss)
                step_done = policy.optim_step(adam(settings["rate"]))
                value_of(passed)
                value_of(step_done)
        expect(rewards[-1] > rewards[0] + 0.1, f"rewards {rewards}")
        return f"reward {rewards[0]:.2f} to {rewards[-1]:.2f}"

    return loop


clips = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
check("policy-gradient loop, importance_sampling", policy_gradient("importance_sampling", None))
check("policy-gradient loop, ppo", policy_gradient("ppo", clips))
check("policy-gradient loop, cispo", policy_gradient("cispo", clips))


def many_data():
    data = [supervised(prompts[i % len(prompts)], answer) for i in range(1100)]
    result = value_of(model.forward(data, "cross_entropy"))
    one = value_of(model.forward(data[: len(prompts)], "cross_entropy"))
    expect(len(result.loss_fn_outputs) == 1100, f"{len(result.loss_fn_outputs)} outputs")
    for i in range(1100):
        pair = result.loss_fn_outputs[i], one.loss_fn_outputs[i % len(prompts)]
        a, b = (list_of(output["logprobs"].data) for output in pair)
        expect(max(abs(x - y) for x, y in zip(a, b)) < 1e-4, f"datum {i} has another's log-probabilities")
    return "in two requests, in order"


check("more data than one request takes", many_data)


def many_samples():
    client = value_of(service.create_sampling_client(base_model=base))
    params = [types.SamplingParams(max_tokens=4, temperature=1.0, seed=i % 7, stop=list(ends)) for i in range(400)]
    futures = [client.sample(types.ModelInput.from_ints(prompts[i % len(prompts)]), 2, one) for i, one in enumerate(params)]
    results = [[list(one.tokens) for one in value_of(future).sequences] for future in futures]
    period = 7 * len(prompts)
    expect(all(result == results[i % period] for i, result in enumerate(results)), "equal requests had other samples")
    return "400 at once, equal ones alike"


check("many samples at once, by seed", many_samples)


def stops():
    client = value_of(service.create_sampling_client(base_model=base))
    ended = 0
    for prompt in prompts:
        for sequence in sampled(client, prompt, n=16, stop=[settings["stop_text"]], max_tokens=12):
            if sequence.stop_reason == "stop":
                ended += 1
            expect(len(sequence.tokens) == len(sequence.logprobs), "tokens and log-probabilities do not fit")
    expect(ended > 0, "nothing stopped")
    endless = sampled(client, prompts[0], n=2, stop=[], max_tokens=10)
    expect(all(len(one.tokens) == 10 for one in endless), "an empty list stops")
    return f"{ended} of {16 * len(prompts)} at a text"


check("stop texts, and none", stops)


def going_on():
    data = [supervised(prompt, answer) for prompt in prompts]
    saved = value_of(model.save_state("middle"))
    resumed = value_of(service.create_training_client_from_state_with_optimizer(saved.path))
    seen = []
    for client in (model, resumed):
        losses = []
        for _ in range(3):
            losses.append(loss_of(value_of(client.forward_backward(data, "cross_entropy"))))
            value_of(client.optim_step(adam(settings["rate"] / 10)))
        seen.append(losses)
    gap = max(abs(a - b) for a, b in zip(*seen))
    expect(gap < 1e-5, f"{seen}")
    return f"losses within {gap:.1e}"


check("save_state, and a model that goes on from it", going_on)


def named_sampler():
    saved = value_of(model.save_weights_for_sampler("first"))
    now = value_of(model.save_weights_and_get_sampling_client())
    named = value_of(service.create_sampling_client(model_path=saved.path))
    a, b = ([list(one.tokens) for one in sampled(client, prompts[0])] for client in (now, named))
    expect(a == b, "saved weights say something else")
    return saved.path


check("named sampler weights", named_sampler)


def late_load():
    path = f"tinker://{model.model_id}/weights/middle"
    value_of(model.load_state(path))
    return path


check("load_state into a model that has been trained", late_load)


def rest():
    client = service.create_rest_client()
    runs = value_of(client.list_training_runs()).training_runs
    kept = value_of(client.list_checkpoints(model.model_id)).checkpoints
    path = f"tinker://{model.model_id}/weights/middle"
    info = value_of(client.get_weights_info_by_tinker_path(path))
    expect(info.lora_rank == settings["rank"] and info.train_unembed is False, str(info))
    expect({one.checkpoint_type for one in kept} >= {"training", "sampler"}, str(kept))
    return f"{len(runs)} runs, {len(kept)} checkpoints"


check("runs and checkpoints", rest)


def download():
    client = service.create_rest_client()
    if hasattr(client, "get_checkpoint_archive_url_from_tinker_path"):
        path = f"tinker://{model.model_id}/sampler_weights/first"
        url = value_of(client.get_checkpoint_archive_url_from_tinker_path(path)).url
        with urllib.request.urlopen(url) as answer_:
            names = tarfile.open(fileobj=io.BytesIO(answer_.read())).getnames()
    else:
        path = value_of(model.save_weights_external("home")).path
        urls = value_of(client.get_external_weights_urls(path)).urls
        names = list(urls)
        for url in urls.values():
            with urllib.request.urlopen(url) as answer_:
                answer_.read()
    expect({"adapter_config.json", "adapter_model.safetensors"} <= set(names), str(names))
    expect(not any("optimizer" in name for name in names), str(names))
    return ", ".join(sorted(names))


check("download of an adapter", download)


def custom_loss():
    try:
        import torch
    except ImportError:
        return "skipped: no torch"
    data = [supervised(prompt, answer) for prompt in prompts]

    def squares(_, logprobs):
        loss = sum((row**2).sum() for row in logprobs)
        return loss, {"squares": float(loss)}

    before = None
    for _ in range(4):
        result = value_of(model.forward_backward_custom(data, squares))
        value_of(model.optim_step(adam(settings["rate"] / 4)))
        before = before or result.metrics["squares"]
    expect(result.metrics["squares"] < before, f"{before} to {result.metrics['squares']}")
    return f"{before:.2f} to {result.metrics['squares']:.2f}"


check("forward_backward_custom", custom_loss)

one = [supervised(prompts[0], answer)]
shifted_wrong = types.Datum(
    model_input=types.ModelInput.from_ints(prompts[0]),
    loss_fn_inputs={"target_tokens": tensor(prompts[0], "int64"), "weights": tensor([1.0] * len(prompts[0]))},
)
check("refused: a loss", lambda: refused("has no loss", lambda: value_of(model.forward_backward(one, "dro", {"beta": 0.1}))))
check("refused: targets not shifted", lambda: refused("shifted by one", lambda: value_of(model.forward_backward([shifted_wrong], "cross_entropy"))))
check("refused: a base model", lambda: refused("no base model", lambda: value_of(service.create_lora_training_client(base_model="no/such", rank=8))))
check("refused: a rank", lambda: refused("--lora-rank 5", lambda: value_of(service.create_lora_training_client(base_model=base, rank=5))))
check(
    "refused: a path",
    lambda: refused("no saved weights", lambda: sampled(value_of(service.create_sampling_client(model_path=f"tinker://{model.model_id}/sampler_weights/none")), prompts[0])),
)
check("after what was refused, the model goes on", lambda: f"loss {loss_of(value_of(model.forward_backward(one, 'cross_entropy'))):.3f}")
print("all went well" if not failed else f"failed: {failed}")
sys.stdout.flush()
# The SDK's threads would keep the process for as long as they heartbeat.
import os

os._exit(1 if failed else 0)
