"""Compares logits and greedy text that scripts of this folder wrote with those of transformers on the same model folder.

Usage: python scripts/interop/logits.py CASES
Each folder of CASES holds expected.json: `model`, `sequences`, `logits` (a file of float32 rows, one sequence after another), and
`greedy`: prompts with the tokens that follow, `stop` tokens; with `int8` another file, of logits as int8 weights are sampled with. Exits with 1
where a logit differs by more than 1e-3 or a text differs, or int8 is further from float32 than the same rounding in floating point is here,
of which nothing is given back (docs/decisions/0085).
Says beside it how far blocks of 32 would be, of weights and rows both.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import numpy as np
import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging

logging.disable_progress_bar()
TOLERANCE = 1e-3


def greedy(model, case: dict, stop: list[int], count: int) -> list[int]:
    prompt = torch.tensor([case["prompt"]])
    config = GenerationConfig(max_new_tokens=count, do_sample=False, eos_token_id=stop or None, pad_token_id=0)
    return model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=config)[0, prompt.shape[1] :].tolist()


def difference_of(ours: list[int], theirs: list[int], model, prompt: list[int]) -> str:
    """Where two greedy texts part, and by how much the two tokens differ there: next to nothing is a tie."""
    place = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    if place >= min(len(ours), len(theirs)):
        return f"one ends at {place}"
    row = model(torch.tensor([prompt + theirs[:place]])).logits[0, -1]
    return f"token {place}: {ours[place]}, not {theirs[place]}, whose logit is {(row[theirs[place]] - row[ours[place]]).item():.1e} above"


def rounded(x: torch.Tensor) -> torch.Tensor:
    """As int8 in blocks of 32 with one scale, and back."""
    blocks = x.unflatten(-1, (-1, 32))
    scale = blocks.abs().amax(-1, keepdim=True) / 127
    return (torch.where(scale > 0, blocks / scale, 0.0).round() * scale).flatten(-2)


def rounded_outputs(w: torch.Tensor) -> torch.Tensor:
    """As int8 with one scale an output, and back."""
    scale = w.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 127
    return (w / scale).round() * scale


def halved(x: torch.Tensor) -> torch.Tensor:
    """In two halves of 7 bits, a high and a low one."""
    high = x.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 63
    low, coarse = high / 126, (x / high).round() * high
    return coarse + ((x - coarse) / low).round() * low


def round_rows(model, how) -> list:
    """Rows of every product; what is returned takes it back."""
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    return [module.register_forward_pre_hook(lambda _, args: (how(args[0]),)) for module in linear]


def round_blocks(model) -> None:
    """Weights of every product, and the embedding, as they are held."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Embedding)):
            # Tied weights are rounded twice, which changes nothing.
            module.weight.data = rounded(module.weight.data)


def round_outputs(model) -> None:
    """Then those of products once more, as they are packed. The head is not tied to the embedding then."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight = torch.nn.Parameter(rounded_outputs(module.weight.data), requires_grad=False)


def distance(exact: list[torch.Tensor], coarse: list[torch.Tensor]) -> tuple[float, float]:
    """Mean KL of the exact logits to the coarse ones, and the share of places with one top token."""
    a, b = (torch.cat(rows).double().log_softmax(-1) for rows in (exact, coarse))
    return (a.exp() * (a - b)).sum(-1).mean().item(), (a.argmax(-1) == b.argmax(-1)).double().mean().item()


def check_int8(model, sequences: list[list[int]], ours: list[torch.Tensor]) -> bool:
    def logits() -> list[torch.Tensor]:
        return [model(torch.tensor([tokens])).logits[0] for tokens in sequences]

    exact = logits()
    kl, equal = distance(exact, ours)
    round_blocks(model)
    hooks = round_rows(model, rounded)
    blocks_kl, blocks_equal = distance(exact, logits())
    for hook in hooks:
        hook.remove()
    round_outputs(model)
    round_rows(model, halved)
    expected_kl, expected_equal = distance(exact, logits())
    good = kl <= 1.25 * expected_kl and equal >= expected_equal - 0.02
    print(
        f"  int8: mean KL {kl:.5f}, rounded in floating point {expected_kl:.5f}, blocks of 32 {blocks_kl:.5f}; "
        f"top token equal {equal:.3f}, {expected_equal:.3f}, {blocks_equal:.3f} {'ok' if good else 'TOO FAR'}",
        flush=True,
    )
    return good


def read_rows(path: Path, sequences: list[list[int]], width: int) -> list[torch.Tensor]:
    return list(torch.from_numpy(np.fromfile(path, dtype=np.float32).reshape(-1, width)).split([len(tokens) for tokens in sequences]))


def check(folder: Path) -> bool:
    expected = json.loads((folder / "expected.json").read_text())
    model, loading = AutoModelForCausalLM.from_pretrained(expected["model"], dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if loading[kind]:
            raise ValueError(f"{folder.name}: {kind}: {sorted(loading[kind])}")
    model.eval()
    sequences, width = expected["sequences"], model.config.vocab_size
    ours, problems = read_rows(folder / expected["logits"], sequences, width), []
    with torch.no_grad():
        largest = max(
            (model(torch.tensor([tokens])).logits[0] - rows).abs().max().item() for tokens, rows in zip(sequences, ours)
        )
        equal = 0
        for case in expected["greedy"]:
            theirs = greedy(model, case, expected["stop"], expected["count"])
            equal += theirs == case["tokens"]
            if theirs != case["tokens"]:
                problems.append(difference_of(case["tokens"], theirs, model, case["prompt"]))
    good = largest <= TOLERANCE and not problems
    of = len(expected["greedy"])
    print(f"{folder.name:44} logits {largest:.1e}, greedy text {equal} of {of} equal {'ok' if good else 'DIFFERENT'}", flush=True)
    for problem in problems:
        print(f"  {problem}")
    if "int8" in expected:
        with torch.no_grad():
            good &= check_int8(model, sequences, read_rows(folder / expected["int8"], sequences, width))
    return good


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/expected.json"))
    # A list, so that all are checked.
    return 0 if folders and all([check(folder) for folder in folders]) else 1


sys.exit(main())
