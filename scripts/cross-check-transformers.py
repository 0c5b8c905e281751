"""Compares the logits and log-probabilities that `node scripts/cross-check.ts OUT` wrote with those of Hugging Face transformers.

Usage: python scripts/cross-check-transformers.py OUT/cases
Prints the largest difference of each model; exits with 1 where one is above 1e-3, and with 0 and a reason where torch or
transformers are not installed. Nothing in the project needs this script to work.
"""

import json
import sys
from pathlib import Path

TOLERANCE = 1e-3

try:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as error:
    print(f"Skipped: {error}. Install with: pip install torch transformers")
    sys.exit(0)


def largest_difference(folder: Path) -> float:
    expected = json.loads((folder / "expected.json").read_text())
    model, loading = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if loading[kind]:
            raise ValueError(f"{folder.name}: {kind}: {sorted(loading[kind])}")
    model.eval()

    def logits(tokens: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return model(torch.tensor([tokens])).logits[0]

    differences = []
    for tokens, ours in zip(expected["sequences"], expected["logprobs"], strict=True):
        theirs = torch.log_softmax(logits(tokens), dim=-1)[:-1].gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]
        differences.append((theirs - torch.tensor(ours[1:])).abs().max().item())
    differences.append((logits(expected["sequences"][2]) - torch.tensor(expected["logits"])).abs().max().item())

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(expected["text"], add_special_tokens=False)["input_ids"]
    if tokens != expected["textTokens"]:
        raise ValueError(f"{folder.name}: {expected['text']!r} encodes to {tokens}, not {expected['textTokens']}")
    return max(differences)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/expected.json"))
    if not folders:
        print(f"{sys.argv[1]} holds no cases: write them with node scripts/cross-check.ts")
        return 2
    failed = False
    for folder in folders:
        difference = largest_difference(folder)
        failed = failed or not difference <= TOLERANCE
        print(f"{folder.name:12} largest difference {difference:.1e} {'ok' if difference <= TOLERANCE else 'TOO LARGE'}")
    return 1 if failed else 0


sys.exit(main())
