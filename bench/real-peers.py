"""What bench/real.ts times beside this engine: PEFT, transformers' generate and TRL's GRPO on the same tokens, in eager mode on the CPU.

Usage: python bench/real-peers.py MODEL f32|bf16 THREADS
Reads a JSON object a line on standard input, {"do": "train"|"sample"|"step", "file": PATH}, and answers each with {"seconds": …} and the
peak resident memory so far. Files are JSON: `sequences` and the `predicted` number of last tokens; or `prompts`, `samples`, `tokens`.
"""

import json
import os
import resource
import sys
import tempfile
import time
import warnings

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", WANDB_DISABLED="true")
warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w", buffering=1)
# What libraries print must not stand between the answers.
os.dup2(2, 1)
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.disable_progress_bar()
path, precision, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(1)
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
loaded = {}


def base():
    if "base" not in loaded:
        loaded["base"] = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()
    return loaded["base"]


def adapter_config():
    from peft import LoraConfig

    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=linear, task_type="CAUSAL_LM")


def train(work: dict) -> None:
    """Forward and backward of an adapter, with logits at the predicted positions alone."""
    from peft import get_peft_model

    if "adapted" not in loaded:
        loaded["adapted"] = get_peft_model(base(), adapter_config())
    model, predicted = loaded["adapted"], work["predicted"]
    model.zero_grad()
    tokens = torch.tensor(work["sequences"])
    logits = model(tokens, logits_to_keep=predicted + 1).logits[:, :-1].float()
    logprobs = torch.log_softmax(logits, -1).gather(2, tokens[:, -predicted:, None])
    (-logprobs.mean()).backward()


def sample(work: dict) -> None:
    prompts = torch.tensor([prompt for prompt in work["prompts"] for _ in range(work["samples"])])
    with torch.no_grad():
        made = base().generate(
            prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
            min_new_tokens=work["tokens"], max_new_tokens=work["tokens"], pad_token_id=0,
        )
    assert made.shape[1] == prompts.shape[1] + work["tokens"]


def step(work: dict) -> float:
    """One GRPO step on these prompts; its own time, without loading."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.begun = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.begun

    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    clock, count = Clock(), len(work["prompts"]) * work["samples"]
    with tempfile.TemporaryDirectory() as out:
        config = GRPOConfig(
            output_dir=out, per_device_train_batch_size=work["samples"], gradient_accumulation_steps=len(work["prompts"]),
            num_generations=work["samples"], max_completion_length=work["tokens"], max_steps=1, learning_rate=1e-5, beta=0.0,
            temperature=1.0, use_cpu=True, bf16=False, fp16=False, report_to=[], save_strategy="no", logging_strategy="no",
            gradient_checkpointing=False, disable_tqdm=True, generation_kwargs={"min_new_tokens": work["tokens"]},
            model_init_kwargs={"dtype": "float32" if precision == "f32" else "bfloat16"},
        )
        trainer = GRPOTrainer(
            model=path, args=config, peft_config=adapter_config(), processing_class=tokenizer, callbacks=[clock],
            train_dataset=Dataset.from_dict({"prompt": [tokenizer.decode(prompt) for prompt in work["prompts"]]}),
            reward_funcs=lambda completions, **_: [float(len(completion) % 3 == 0) for completion in completions],
        )
        trainer.train()
    assert count == config.per_device_train_batch_size * config.gradient_accumulation_steps
    return clock.seconds


for line in sys.stdin:
    request = json.loads(line)
    work = json.load(open(request["file"]))
    begun = time.perf_counter()
    own = {"train": train, "sample": sample, "step": step}[request["do"]](work)
    seconds = own if own is not None else time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peakBytes": peak}), file=answers)
