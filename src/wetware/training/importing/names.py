"""Names: which of somebody's tensors is which of ours.

How the SpikeWhale-SNN checkpoint names its tensors is not published. The table holds what is usual; whoever knows better
overrides it. A name ending in ``.weight`` is taken for that of an ``nn.Linear``, whose weight is [outputs, inputs]; a matrix
of any other name for a plain parameter W in ``x @ W``, [inputs, outputs].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.config import ConfigError, nearest
from wetware.training.checkpoint import CheckpointError

# What may stand before any of their names. Not every word may: a trait has an "out.weight" and an "embedding" of its own.
PREFIX = r"(?:(?:module|model|snn|net|network|modulation|neuron_modulation|mod|bridge)\.)*"
# Ours: patterns of theirs. {N} is the layer.
STACK = r"(?:layers|lif_layers|lifs|lif|blocks|cells|core)"
PATTERNS: dict[str, tuple[str, ...]] = {
    "table": (r"(?:token_|tok_|char_)?(?:embedding|embeddings|embed|emb)(?:\.weight)?", r"wte\.weight"),
    "layers.{N}.fc_in": (
        STACK + r"\.{N}\.(?:fc_in|w_in|W_in|input_proj|in_proj|proj_in|inp|input|fc|linear|ff)(?:\.weight)?",
        r"(?:fc_in|w_in|W_in|fc_ins|w_ins|input_projs|in_projs|input_layers|inputs|fcs)\.{N}(?:\.weight)?",
    ),
    "layers.{N}.bias": (
        STACK + r"\.{N}\.(?:fc_in|w_in|W_in|input_proj|in_proj|proj_in|inp|input|fc|linear|ff)\.bias",
        STACK + r"\.{N}\.(?:bias|b|b_in)",
        r"(?:fc_in|w_in|W_in|fc_ins|w_ins|input_projs|in_projs|input_layers|inputs|fcs)\.{N}\.bias",
    ),
    "layers.{N}.fc_rec": (
        STACK + r"\.{N}\.(?:fc_rec|w_rec|W_rec|rec|recurrent|rec_proj|recurrent_proj)(?:\.weight)?",
        r"(?:fc_rec|w_rec|W_rec|fc_recs|w_recs|rec|recs|recurrent|rec_projs)\.{N}(?:\.weight)?",
    ),
    "layers.{N}.rec_bias": (
        STACK + r"\.{N}\.(?:fc_rec|w_rec|W_rec|rec|recurrent|rec_proj|recurrent_proj)\.bias",
        r"(?:fc_rec|w_rec|W_rec|fc_recs|w_recs|rec|recs|recurrent|rec_projs)\.{N}\.bias",
    ),
    "readout.out": (
        r"(?:readout|read_out|readout_proj|out_proj|output_proj|proj_out|fc_out|to_emb|out|head|output)(?:\.proj)?(?:\.weight)?",
    ),
    "readout.bias": (
        r"(?:readout|read_out|readout_proj|out_proj|output_proj|proj_out|fc_out|to_emb|out|head|output)(?:\.proj)?\.bias",
    ),
    "readout.output_bias": (r"(?:output_bias|logit_bias|vocab_bias|out_bias|decoder\.bias|lm_head\.bias)",),
    **{  # one module for all layers may be listed in each of them
        f"{kind}_gain": (rf"(?:{STACK}\.\d+\.{PREFIX})?{kind}_gain",) for kind in ("thr", "beta", "in")
    },
    "programs": (rf"(?:{STACK}\.\d+\.{PREFIX})?(?:P|programs|program_matrix)",),
}


class Placed(NamedTuple):
    """tensors: theirs by our names. sources: their names by ours. left: their names that no pattern took."""

    tensors: dict[str, Tensor]
    sources: dict[str, str]
    left: tuple[str, ...]


def place(theirs: Mapping[str, Tensor], overrides: Sequence[str] = ()) -> Placed:
    """Find our tensors among ``theirs``. ``overrides``: ``OURS=THEIRS``, exact names, where {N} stands for every layer.

    Raises:
        ConfigError: an override that is none, of a name that is not ours, or to a tensor that is not there.
        CheckpointError: two tensors that could be the same one of ours.
    """
    tensors, sources = {}, {}
    given = _overrides(theirs, overrides)
    for name, ours in given.items():
        tensors[ours], sources[ours] = theirs[name], name
    same: list[str] = []
    for name in sorted(theirs.keys() - given.keys(), key=lambda name: _ours(name) != "table"):
        ours = _ours(name)
        if (
            ours != "table" and "table" in tensors and _equal(theirs[name], tensors["table"])
        ):  # the readout's, tied to it
            same.append(name)
            continue
        if ours is None or ours in given.values():
            continue
        if ours in tensors and _equal(tensors[ours], theirs[name]):  # one tensor under two names
            same.append(name)
            continue
        if ours in tensors:
            raise CheckpointError(f"{name!r} and {sources[ours]!r} could both be {ours!r}: say which with --name")
        tensors[ours], sources[ours] = theirs[name], name
    used = {*sources.values(), *same}
    return Placed(tensors, sources, tuple(name for name in theirs if name not in used))


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _ours(name: str) -> str | None:
    """Our name of the tensor they call ``name``, if the table knows it."""
    for ours, patterns in PATTERNS.items():
        for pattern in patterns:
            found = re.fullmatch(PREFIX + pattern.replace("{N}", r"(?P<layer>\d+)"), name)
            if found:
                return ours.replace("{N}", str(int(found["layer"]))) if "{N}" in ours else ours
    return None


def _overrides(theirs: Mapping[str, Tensor], overrides: Sequence[str]) -> dict[str, str]:
    """``{their name: our name}``."""
    given = {}
    for text in overrides:
        ours, equals, name = (part.strip() for part in text.partition("="))
        general = re.sub(r"^layers\.\d+\.", "layers.{N}.", ours)
        if not equals or not name:
            raise ConfigError(f"--name {text!r}: expected OURS=THEIRS")
        if general not in PATTERNS:
            raise ConfigError(f"--name {text!r}: no tensor of ours is {ours!r}{nearest(ours, PATTERNS)}")
        pattern = re.escape(name).replace(re.escape("{N}"), r"(?P<layer>\d+)")
        found = {known: re.fullmatch(pattern, known) for known in theirs}
        hits = {known: match for known, match in found.items() if match}
        if not hits:
            raise ConfigError(f"--name {text!r}: the file has no {name!r}{nearest(name, theirs)}")
        for known, match in hits.items():
            given[known] = ours.replace("{N}", match.groupdict().get("layer", "{N}"))
    return given


def oriented(tensor: Tensor, source: str) -> Tensor:
    """A matrix as [outputs, inputs], by what its name says of how it lies."""
    return tensor if source.endswith(".weight") or tensor.ndim != 2 else tensor.T
