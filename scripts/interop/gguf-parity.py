"""The Python half of gguf-parity.ts: gguf-parity.py MODEL.gguf FOLDER, where FOLDER holds what was read by this project."""
import hashlib
import json
import os
import re
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from tokenizers import AddedToken
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

path, folder = sys.argv[1:]
ours = json.load(open(os.path.join(folder, "ours.json"), encoding="utf8"))
reader = GGUFReader(path)
tensors = {tensor.name: tensor for tensor in reader.tensors}
architecture = reader.fields["general.architecture"].contents()
print(os.path.basename(path))
failures = 0


def check(what, equal, total, note=""):
    global failures
    failures += equal != total
    print(f"  {what}: {equal} of {total} equal{note}")


LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
TOP = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def values(name):
    """Values of a tensor under its Hugging Face name, by the gguf package."""
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    own = f"blk.{layer[1]}.{LAYER[layer[2]]}.{layer[3]}" if layer else TOP[name]
    tensor = tensors[own]
    array = dequantize(tensor.data, tensor.tensor_type).reshape(tuple(int(n) for n in reversed(tensor.shape)))
    if architecture == "llama" and ".q_proj." in name or architecture == "llama" and ".k_proj." in name:
        heads = ours["heads"] if ".q_proj." in name else ours["keyValueHeads"]
        array = array.reshape(heads, array.shape[0] // heads // 2, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
    return np.ascontiguousarray(array, dtype=np.float32)


def digest(name):
    return hashlib.sha256((values(name) + np.float32(0)).tobytes()).hexdigest()


equal, finer = 0, 0
for name, expected in ours["weights"].items():
    same = digest(name) == expected
    if not same and name == "model.embed_tokens.weight" and ours["tied"] and "output.weight" in tensors:
        same = digest("lm_head.weight") == expected
        finer += same
    equal += same
    if not same:
        print(f"    differs: {name}")
check("tensors, bit for bit", equal, len(ours["weights"]), " (the embedding is the finer output.weight)" if finer else "")

config = json.load(open(os.path.join(folder, "tokenizer_config.json"), encoding="utf8"))
special = {name: config[name] for name in ("bos_token", "eos_token", "pad_token", "unk_token") if config.get(name)}
rust = PreTrainedTokenizerFast(
    tokenizer_file=os.path.join(folder, "tokenizer.json"), chat_template=config["chat_template"],
    clean_up_tokenization_spaces=False, **special,
)


def compare(what, tokenizer, required=True):
    global failures
    before = failures
    different = [case for case in ours["texts"] if tokenizer(case["text"], add_special_tokens=False)["input_ids"] != case["ids"]]
    check(f"token ids, {what}", len(ours["texts"]) - len(different), len(ours["texts"]))
    for case in different[:3]:
        print(f"    differs: {case['text'][:60]!r}")
    if not required:
        failures = before


compare("tokenizers (Rust) on the tokenizer.json made here", rust)
decoded = [rust.decode(case["ids"], skip_special_tokens=True) == case["decoded"] for case in ours["texts"]]
check("decoded text", sum(decoded), len(decoded))
chats = [
    rust(rust.apply_chat_template(case["messages"], tokenize=False, add_generation_prompt=True), add_special_tokens=False)["input_ids"] == case["ids"]
    for case in ours["chats"]
]
check("rendered chats", sum(chats), len(chats))
if architecture == "qwen2":
    # transformers' class for the family, with the file's vocabulary and nothing else of it.
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ")) for pair in reader.fields["tokenizer.ggml.merges"].contents()]
    family = Qwen2Tokenizer(vocab={token: i for i, (token, kind) in enumerate(zip(tokens, kinds)) if kind == 1}, merges=merges)
    added = [AddedToken(token, special=kind == 3, normalized=False) for token, kind in zip(tokens, kinds) if kind in (3, 4)]
    family.add_tokens(added)
    compare("transformers' Qwen2Tokenizer", family)
try:
    own = AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
    # Its converters do not look at the name of the pre-tokenizer and leave out the normaliser: shown, not counted.
    compare("transformers' converter of GGUF (not counted)", own, required=False)
except Exception as error:
    print(f"  transformers does not convert this tokenizer: {str(error).splitlines()[0]}")
sys.exit(1 if failures else 0)
