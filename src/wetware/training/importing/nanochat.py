"""nanochat (Karpathy, 2025): checkpoints of its plain transformer as a :class:`wetware.GPT`.

A file holds the tensors of::

    x = rms(E[token]);   x += W_proj attend(q, k, v);   x += W_proj relu(W_fc rms(x))^2;   logits = 15 tanh(W_head rms(x) / 15)

with q, k and v of rms(x), and RoPE on the two halves of each head, which turns the other way than ours::

    theirs: (a, b) -> (a cos + b sin, -a sin + b cos);      ours: (a, b) -> (a cos - b sin, a sin + b cos)

With b negated in queries and keys ours gives (a', -b') where theirs gives (a', b'): the same products. So the second half of
each head's rows of c_q and c_k changes sign, and the functions are equal. That they norm queries and keys after the rotation
and we before it changes nothing, since a rotation keeps a vector's length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wetware.config import ConfigError
from wetware.data import Tokenizer
from wetware.layers import SelfAttention
from wetware.models import GPT
from wetware.models.gpt import Softcap, TiedHead, UntiedHead
from wetware.training.checkpoint import CheckpointError
from wetware.training.importing.imported import Imported
from wetware.training.importing.pickled import read_pickled

TABLE, HEAD = "transformer.wte.weight", "lm_head.weight"
BLOCK = {
    "attention.query": "attn.c_q",
    "attention.key": "attn.c_k",
    "attention.value": "attn.c_v",
    "attention.out": "attn.c_proj",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
WRAPPERS = ("_orig_mod.", "module.")  # what compiling and training on several devices put before a name
# Words in the names of tensors that only the synaptic variant of nanochat has.
SYNAPTIC = ("w_slow", "w_fast", "camkii", "pp1", "bdnf", "norm1", "norm2", "synap", "experts", "router")
SIZES = ("n_layer", "n_head", "n_kv_head", "n_embd", "vocab_size")
KNOWN = {*SIZES, "sequence_len", "tie_embeddings"}


def import_nanochat(path: str | Path, heads: int | None = None, tokenizer: Tokenizer | None = None) -> Imported:
    """The model in ``path``, the same function of token ids.

    Args:
        heads: of attention; None takes the word of ``meta_STEP.json``, which lies beside ``model_STEP.pt``.
        tokenizer: to be saved with the model; theirs is not read.

    Raises:
        CheckpointError: a file that is not of nanochat's plain transformer, or lacks what the model needs.
        ConfigError: heads, or a tokenizer, that do not fit.
    """
    tensors = _tensors(path, read_pickled(path))
    meta = _meta(Path(path))
    reader = _Reader(str(path), tensors)
    config, weights = reader.read(_heads(path, meta, heads), tokenizer)
    _check_meta(path, meta, config)
    model = config.module()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(weights[name])
    return Imported(model, tokenizer, reader.sources, {}, tuple(_notes(meta, tokenizer, weights, tensors)))


def _tensors(path: str | Path, data: Any) -> dict[str, Tensor]:
    """The tensors by their bare names. Refuses what is known to be another function."""
    inner = data.get("model", data) if isinstance(data, Mapping) else data
    if not isinstance(inner, Mapping) or not all(isinstance(value, Tensor) for value in inner.values()):
        raise CheckpointError(f"{str(path)!r} holds no tensors by name: no checkpoint of nanochat")
    wrapped = "|".join(map(re.escape, WRAPPERS))
    tensors = {re.sub(rf"^(?:{wrapped})*", "", str(name)): value.detach() for name, value in inner.items()}
    synaptic = [name for name in tensors if any(word in name.lower() for word in SYNAPTIC)]
    if synaptic:
        raise CheckpointError(
            f"{str(path)!r} is of the synaptic variant of nanochat (it has {synaptic[0]!r}), which is another function: "
            "affine LayerNorm in each block, none after the embedding and none before the head, biases, and weights that "
            "change while it reads; only the plain nanochat is imported, which wetware convert makes synaptic"
        )
    if TABLE not in tensors:
        some = ", ".join(list(tensors)[:4]) or "nothing"
        raise CheckpointError(f"{str(path)!r} has no {TABLE!r} (it has {some}): no checkpoint of nanochat")
    return tensors


def _meta(path: Path) -> dict[str, Any]:
    """``model_config`` of the file ``meta_STEP.json`` beside ``model_STEP.pt``; empty when there is none."""
    beside = path.with_name(re.sub(r"^model(?=_|$)", "meta", path.stem) + ".json")
    if not beside.exists():
        return {}
    try:
        about = json.loads(beside.read_text())
        meta = about.get("model_config", about)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"damaged file {str(beside)!r}: {error}") from None
    if not isinstance(meta, dict):
        raise CheckpointError(f"{str(beside)!r}: model_config is no table of sizes")
    if str(meta.get("window_pattern", "L")).strip("L"):
        raise CheckpointError(f"{str(beside)!r}: window_pattern = {meta['window_pattern']!r}: windows differ by layer")
    return meta


def _heads(path: str | Path, meta: dict[str, Any], given: int | None) -> int:
    told = meta.get("n_head")
    if given is None and told is None:
        raise ConfigError(
            f"{str(path)!r}: how many heads is in no tensor, and no meta file is beside it: say --heads N"
        )
    if given is not None and told is not None and given != told:
        raise ConfigError(f"--heads {given}: the meta file beside {str(path)!r} says {told}")
    heads = told if given is None else given
    if not isinstance(heads, int) or isinstance(heads, bool) or heads < 1:
        raise CheckpointError(
            f"the meta file beside {str(path)!r}: n_head = {heads!r}: expected a whole number above 0"
        )
    return heads


def _check_meta(path: str | Path, meta: dict[str, Any], config: GPT) -> None:
    """What the meta file says must be what the tensors say."""
    heads = config.attention.heads
    for name, ours in zip(SIZES, (config.depth, heads, heads, config.width, config.vocab_size), strict=True):
        if meta.get(name, ours) != ours:
            raise CheckpointError(f"{str(path)!r}: {name} is {ours} in the tensors, {meta[name]!r} in the meta file")


class _Reader:
    """Turns their tensors into the config and weights of our model."""

    def __init__(self, path: str, tensors: dict[str, Tensor]) -> None:
        self.path, self.tensors = path, tensors
        self.sources: dict[str, str] = {}

    def take(self, ours: str, theirs: str, *shape: int | None) -> Tensor:
        """The tensor they call ``theirs``, in float32; None in ``shape`` is any size."""
        if theirs not in self.tensors:
            raise CheckpointError(f"{self.path!r} lacks {theirs!r}, which a nanochat has")
        tensor = self.tensors[theirs]
        fits = tensor.ndim == len(shape) and all(
            size in (None, there) for size, there in zip(shape, tensor.shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            more = ""
            if theirs.endswith(("c_k.weight", "c_v.weight")) and tensor.ndim == 2 and tensor.shape[0] < (shape[0] or 0):
                more = ": fewer key heads than heads are not supported"
            raise CheckpointError(f"{self.path!r}: {theirs!r} is {list(tensor.shape)}, should be [{wanted}]{more}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{self.path!r}: {theirs!r} does not hold finite real numbers")
        self.sources[ours] = theirs
        return tensor.float()

    def read(self, heads: int, tokenizer: Tokenizer | None) -> tuple[GPT, dict[str, Tensor]]:
        """Our config, and our weights by their names in the model."""
        weights = {"table": self.take("table", TABLE, None, None)}
        vocab, width = weights["table"].shape
        if width % (2 * heads):
            raise ConfigError(f"--heads {heads}: the width of {self.path!r} is {width}, no multiple of {2 * heads}")
        if tokenizer is not None and tokenizer.vocab_size != vocab:
            raise ConfigError(f"--tokenizer: it has {tokenizer.vocab_size} tokens, the model {vocab}")
        layers = [int(found[1]) for name in self.tensors if (found := re.match(r"transformer\.h\.(\d+)\.", name))]
        depth, hidden = 1 + max(layers, default=0), 0
        for layer in range(depth):
            for ours, theirs in BLOCK.items():
                shape = {"mlp.up": (hidden or None, width), "mlp.down": (width, hidden)}.get(ours, (width, width))
                name = f"blocks.{layer}.{ours}.weight"
                weight = self.take(name, f"transformer.h.{layer}.{theirs}.weight", *shape)
                hidden = weight.shape[0] if ours == "mlp.up" else hidden
                turned = ours in ("attention.query", "attention.key")
                weights[name] = mirrored(weight, heads) if turned else weight
        head = self.take("head.weight", HEAD, vocab, width)
        tied = torch.equal(head, weights["table"])
        if not tied:
            weights["head.weight"] = head
        self._nothing_left()
        config = GPT(
            vocab_size=vocab, boundary=None if tokenizer is None else tokenizer.boundary, width=width, depth=depth,
            attention=SelfAttention(heads=heads, window=None, base=10_000.0), expansion=_expansion(hidden, width),
            head=TiedHead() if tied else UntiedHead(), softcap=Softcap(cap=15.0),
        )  # fmt: skip
        return config, weights

    def _nothing_left(self) -> None:
        """A tensor more is another function. Tables of cosines and sines are not weights."""
        used = {*self.sources.values(), "cos", "sin"}
        if left := [name for name in self.tensors if name not in used]:
            more = f" and {len(left) - 1} more" if left[1:] else ""
            raise CheckpointError(
                f"{self.path!r} has {left[0]!r}{more}, which the plain nanochat has not: it would not be the same function"
            )


def _expansion(hidden: int, width: int) -> float:
    """The field from which an MLP makes exactly ``hidden``, though it rounds down."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


def mirrored(weight: Tensor, heads: int) -> Tensor:
    """Rows of a projection to ``heads`` heads [heads * D, width], the second half of each head negated."""
    first, second = weight.unflatten(0, (heads, 2, -1)).unbind(1)
    return torch.stack([first, -second], 1).flatten(0, 2)


def _notes(
    meta: dict[str, Any], tokenizer: Tokenizer | None, weights: dict[str, Tensor], tensors: dict[str, Tensor]
) -> list[str]:
    notes = ["The second half of each head's rows of c_q and c_k is negated: their rotation goes the other way."]
    if any(tensor.dtype != torch.float32 for tensor in tensors.values()):
        notes.append(
            "Its numbers are kept as float32; nanochat computes with them, and with its rotations, in bfloat16."
        )
    if "head.weight" not in weights:
        notes.append("Its head is its token table, and stays tied to it.")
    if "sequence_len" in meta:
        notes.append(f"It was trained on {meta['sequence_len']} tokens at a time; beyond these it is untried.")
    if unknown := sorted(map(str, meta.keys() - KNOWN - {"window_pattern"})):
        notes.append(f"Not understood in its meta file: {', '.join(unknown)}.")
    if tokenizer is None:
        notes.append("Its tokenizer is not read: the model is saved without one, and reads token ids only.")
    return notes
