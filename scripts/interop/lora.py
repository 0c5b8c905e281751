"""Compares adapters that scripts/interop/lora.ts wrote with what PEFT computes from the same files.

Usage: python scripts/interop/lora.py CASES
For each case: log-probabilities with the adapter loaded by PEFT, with the merged model, the loss, and the gradients of A and B.
Exits with 1 where log-probabilities differ by more than 1e-3, or a gradient by more than 1e-4 of the largest gradient.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.simplefilter("ignore")
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
LOGPROB_TOLERANCE = 1e-3
GRADIENT_TOLERANCE = 1e-4


def logprobs(model, tokens: list[int]) -> torch.Tensor:
    logits = model(torch.tensor([tokens])).logits[0]
    return torch.log_softmax(logits.float(), dim=-1)[:-1].gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]


def largest(model, expected: dict) -> float:
    with torch.no_grad():
        return max(
            (logprobs(model, sequence["tokens"]) - torch.tensor(ours[1:])).abs().max().item()
            for sequence, ours in zip(expected["sequences"], expected["logprobs"], strict=True)
        )


def check(folder: Path) -> bool:
    expected = json.loads((folder / "expected.json").read_text())
    base = AutoModelForCausalLM.from_pretrained(expected["base"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(folder / "adapter"), is_trainable=True)
    model.eval()
    adapted = largest(model, expected)

    loss = sum(
        -(logprobs(model, sequence["tokens"]) * torch.tensor(sequence["weights"][1:])).sum()
        for sequence in expected["sequences"]
    )
    loss.backward()
    ours = load_file(folder / "gradients.safetensors")
    theirs = {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    if ours.keys() != theirs.keys():
        raise ValueError(f"{folder.name}: other gradients: {sorted(ours.keys() ^ theirs.keys())[:4]}")
    scale = max(gradient.abs().max().item() for gradient in theirs.values())
    gradient = max((ours[name] - theirs[name]).abs().max().item() for name in ours) / scale
    del model, base
    merged = largest(AutoModelForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32).eval(), expected)
    lossgap = abs(loss.item() - expected["loss"]) / max(1, abs(loss.item()))
    good = max(adapted, merged, lossgap) <= LOGPROB_TOLERANCE and gradient <= GRADIENT_TOLERANCE
    print(
        f"{folder.name:18} adapter {adapted:.1e}, merged {merged:.1e}, loss {lossgap:.1e}, "
        f"gradient {gradient:.1e} of {scale:.2g} {'ok' if good else 'TOO LARGE'}"
    )
    return good


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/expected.json"))
    # A list, so that all are checked.
    return 0 if folders and all([check(folder) for folder in folders]) else 1


sys.exit(main())
