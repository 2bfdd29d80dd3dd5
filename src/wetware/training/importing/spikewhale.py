"""SpikeWhale-SNN (Byrne, 2026): its .pth checkpoints as models of wetware.

A file holds ``config`` (vocab_size, emb_dim, hidden, readout_decay, num_layers, tie_embeddings, family), ``modulation`` (P,
enabled, hidden, base_threshold, base_beta), ``vocab`` ({"tokenizer_json": ...}) and ``model_state_dict``. The network::

    current^0 = W_in^0 E[x],  current^l = input_gain * W_in^l s^{l-1}     (+ bias)
    pre_t = beta v_{t-1} + gain current_t + W_rec s_{t-1},  s_t = 1[pre_t >= theta],  v_t = soft_clamp(pre_t - theta s_t, 30)
    logits = (W_z r_t + bias) E^T + output_bias,  r_t = rho r_{t-1} + (1 - rho) concat_l tanh(pre^l_t)

with theta, beta and gain from P as in :class:`wetware.modulation.GeneProgram`. Not published, and therefore assumed: the names
of the tensors (:mod:`.names`), the form of rho, and soft_clamp(x, c) = c tanh(x / c).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.config import ConfigError, nearest
from wetware.data import DataError, LengthMaxTokenizer, Tokenizer
from wetware.layers import LeakyReadout, PlainReadout, Recurrence
from wetware.models import SpikeWhale
from wetware.models.spikewhale import NEURONS
from wetware.modulation import PROGRAMS, GeneProgram, ImportedPrograms
from wetware.neurons import UniformDecay
from wetware.training.checkpoint import CheckpointError
from wetware.training.importing.imported import Imported
from wetware.training.importing.names import Placed, oriented, place
from wetware.training.importing.pickled import read_pickled

ROWS = ("auto", "presynaptic", "postsynaptic")


def import_spikewhale(
    path: str | Path, names: Sequence[str] = (), recurrent_rows: str = "auto", input_gain: float | None = None
) -> Imported:
    """The model in ``path``.

    Args:
        names: overrides of the table of names, ``OURS=THEIRS``.
        recurrent_rows: what a row of their recurrent weights is; ``auto`` goes by the name.
        input_gain: of spikes into the layers above the first; None takes the file's word, else 1.

    Raises:
        CheckpointError: a file that is no such checkpoint, lacks what the model needs, or has it in other shapes.
        ConfigError: overrides that fit nothing.
    """
    if recurrent_rows not in ROWS:
        raise ConfigError(f"recurrent_rows = {recurrent_rows!r}{nearest(recurrent_rows, ROWS)}")
    data = read_pickled(path)
    if not isinstance(data, dict):
        raise CheckpointError(f"{str(path)!r} holds {type(data).__name__}, no checkpoint of SpikeWhale-SNN")
    sizes = _sizes(path, data)
    state = _section(path, data, "model_state_dict")
    tensors = {name: value.detach() for name, value in state.items() if isinstance(value, Tensor)}
    placed = place(tensors, names)
    reader = _Reader(str(path), placed, sizes, recurrent_rows)
    tokenizer = _tokenizer(data, sizes["vocab_size"], reader.notes)
    boundary = None if tokenizer is None else tokenizer.boundary
    config, weights = reader.read(_section(path, data, "modulation"), input_gain, boundary)
    model = config.module()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name not in weights:
                raise CheckpointError(f"{str(path)!r}: nothing in it says what {name!r} is")
            tensor.copy_(weights[name])
    left = {name: tuple(tensors[name].shape) for name in (*placed.left, *reader.unused)}
    return Imported(model, tokenizer, reader.sources, left, tuple(reader.notes))


def _section(path: str | Path, data: dict, name: str) -> dict[str, Any]:
    if not isinstance(data.get(name), dict):
        raise CheckpointError(f"{str(path)!r} has no {name!r}{nearest(name, map(str, data))}")
    return data[name]


def _sizes(path: str | Path, data: dict) -> dict[str, Any]:
    """``config`` of the file, its sizes whole numbers."""
    config = _section(path, data, "config")
    for name in ("vocab_size", "emb_dim", "hidden", "num_layers"):
        value = config.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CheckpointError(f"{str(path)!r}: config.{name} = {value!r}: expected a whole number above 0")
    if not config.get("tie_embeddings", True):
        raise CheckpointError(
            f"{str(path)!r}: tie_embeddings is off; only a readout tied to the embedding is understood"
        )
    return config


def _tokenizer(data: dict, vocab_size: int, notes: list[str]) -> Tokenizer | None:
    """The tokenizer of the file, when it brings one that can be read and that fits."""
    vocab = data.get("vocab")
    described = vocab.get("tokenizer_json") if isinstance(vocab, dict) else None
    if described is None:
        notes.append("The file brings no tokenizer: the model reads token ids only.")
        return None
    try:
        tokenizer = LengthMaxTokenizer.from_spikewhale(
            json.loads(described) if isinstance(described, str) else described
        )
    except (DataError, ValueError) as error:
        notes.append(f"Its tokenizer cannot be read ({error}): the model reads token ids only.")
        return None
    if tokenizer.vocab_size != vocab_size:
        sizes = f"{tokenizer.vocab_size} tokens, the model {vocab_size}"
        notes.append(f"Its tokenizer does not fit (it has {sizes}): the model reads token ids only.")
        return None
    notes.append(f"Token {tokenizer.boundary} starts a document: before it is read, the state is forgotten.")
    return tokenizer


class _Reader:
    """Turns placed tensors into the config and weights of our model, and says what it did."""

    def __init__(self, path: str, placed: Placed, sizes: dict[str, Any], rows: str) -> None:
        self.path, self.placed, self.rows = path, placed, rows
        self.vocab, self.embedding = sizes["vocab_size"], sizes["emb_dim"]
        self.width, self.depth, self.sizes = sizes["hidden"], sizes["num_layers"], sizes
        self.sources: dict[str, str] = {}
        self.notes: list[str] = []
        self.weights: dict[str, Tensor] = {}

    @property
    def unused(self) -> tuple[str, ...]:
        used = set(self.sources.values())
        return tuple(name for name in self.placed.sources.values() if name not in used)

    def take(self, name: str, *shape: int, needed: bool = True) -> Tensor | None:
        """The tensor of our name, of this shape as [outputs, inputs]. None when it is not there and not needed."""
        tensor = self.placed.tensors.get(name)
        if tensor is None:
            if needed:
                left = ", ".join(list(self.placed.left)[:6]) or "nothing"
                raise CheckpointError(
                    f"{self.path!r}: no tensor was found for {name!r} {list(shape)} (not placed: {left}); say which with --name"
                )
            return None
        source = self.placed.sources[name]
        lying = tensor if name in ("table", "programs") or name.endswith("fc_rec") else oriented(tensor, source)
        if tuple(lying.shape) != shape:
            raise CheckpointError(
                f"{self.path!r}: {source!r} is {list(tensor.shape)}; {name!r} should be {list(shape)}"
            )
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{self.path!r}: {source!r} does not hold finite real numbers")
        self.sources[name] = source
        return lying.float()

    def needed(self, name: str, *shape: int) -> Tensor:
        found = self.take(name, *shape)
        assert found is not None
        return found

    def read(
        self, modulation: dict[str, Any], input_gain: float | None, boundary: int | None
    ) -> tuple[SpikeWhale, dict[str, Tensor]]:
        """Our config, and our weights by their names in the model."""
        width, depth, weights = self.width, self.depth, self.weights
        threshold, decay = self._base(modulation, "base_threshold", 1.0), self._base(modulation, "base_beta", 0.9)
        modulators = self._bridge(modulation)
        weights["table"] = self.needed("table", self.vocab, self.embedding)
        weights["readout.out.weight"] = self.needed("readout.out", self.embedding, depth * width)
        for name, size in (("readout.bias", self.embedding), ("readout.output_bias", self.vocab)):
            weights[name] = self._or_zero(name, size)
        recurrent = f"layers.{depth - 1}.fc_rec" in self.placed.tensors or "layers.0.fc_rec" in self.placed.tensors
        neuron = replace(NEURONS, threshold=threshold, decay=UniformDecay(value=decay))
        rho = float(self.sizes.get("readout_decay") or 0.0)
        config = SpikeWhale(
            vocab_size=self.vocab, boundary=boundary, width=width, depth=depth, embedding=self.embedding, neuron=neuron,
            recurrence=Recurrence() if recurrent else None, token_unit=1.0, input_gain=self._input_gain(input_gain),
            readout=PlainReadout(), readout_decay=LeakyReadout(start=rho) if rho else None, modulators=modulators,
            firing_floor=None,
        )  # fmt: skip
        if rho:
            self.notes.append(f"readout_decay = {rho:g} is taken for r_t = rho r_(t-1) + (1 - rho) f_t.")
            weights["leak.logit"] = torch.full((self.embedding,), rho).logit()
        self._layers(config, decay)
        self._left_out()
        return config, weights

    def _base(self, modulation: dict[str, Any], name: str, usual: float) -> float:
        if name not in modulation:
            self.notes.append(f"The file does not say {name}; {usual} is usual.")
        value = modulation.get(name, usual)
        if not isinstance(value, (int, float)):
            raise CheckpointError(f"{self.path!r}: modulation.{name} = {value!r}: expected a number")
        return float(value)

    def _bridge(self, modulation: dict[str, Any]) -> tuple[GeneProgram, ...]:
        """The bridge, when it is on."""
        if not modulation.get("enabled"):
            self.notes.append("Its modulation is off: all neurons are alike.")
            return ()
        programs = modulation.get("P", self.placed.tensors.get("programs"))
        programs = torch.from_numpy(programs) if isinstance(programs, np.ndarray) else programs
        if not isinstance(programs, Tensor) or programs.ndim != 2 or programs.shape[0] != self.width:
            found = list(programs.shape) if isinstance(programs, Tensor) else type(programs).__name__
            raise CheckpointError(f"{self.path!r}: modulation.P is {found}; expected [{self.width}, programs]")
        draws, rest = divmod(programs.shape[1], len(PROGRAMS))
        if rest or not draws:
            raise CheckpointError(
                f"{self.path!r}: modulation.P has {programs.shape[1]} columns; expected a multiple of 6"
            )
        prefix = "modulators.gene_program"
        self.weights[f"{prefix}.programs"] = programs.float()
        if "programs" in self.placed.sources:
            self.sources["programs"] = self.placed.sources["programs"]
        for name in ("thr_gain", "beta_gain", "in_gain"):
            self.weights[f"{prefix}.{name}"] = self.needed(name, programs.shape[1])
        return (GeneProgram(programs=ImportedPrograms(draws=draws, source=Path(self.path).name)),)

    def _or_zero(self, name: str, size: int) -> Tensor:
        found = self.take(name, size, needed=False)
        return torch.zeros(size) if found is None else found

    def _input_gain(self, given: float | None) -> float:
        if given is not None:
            return given
        for home in (self.sizes, self.sizes.get("family") or {}):
            if isinstance(home.get("spike_input_gain"), (int, float)):
                return float(home["spike_input_gain"])
        if self.depth > 1:
            self.notes.append(
                "The file names no spike_input_gain: 1 is assumed, as if it were in the weights (--input-gain)."
            )
        return 1.0

    def _layers(self, config: SpikeWhale, decay: float) -> None:
        """Weights and biases of every layer, and the constants that its neurons keep."""
        bridge_gain = self._gains(config)
        for index in range(self.depth):
            ours, inputs = f"layers.{index}", self.embedding if index == 0 else self.width
            self.weights[f"{ours}.fc_in.weight"] = self.needed(f"{ours}.fc_in", self.width, inputs)
            bias = self._or_zero(f"{ours}.bias", self.width)
            if index and config.input_gain != 1.0 and bool(bias.any()):
                self.notes.append(
                    f"The bias of layer {index} is not multiplied by the input gain of {config.input_gain:g}."
                )
            if config.recurrence:
                weight = self.needed(f"{ours}.fc_rec", self.width, self.width)
                rows = self.rows
                if rows == "auto":
                    rows = "postsynaptic" if self.sources[f"{ours}.fc_rec"].endswith(".weight") else "presynaptic"
                self.weights[f"{ours}.fc_rec"] = weight.T if rows == "postsynaptic" else weight
                if index == 0:
                    self.notes.append(f"A row of their recurrent weights is taken for {rows} (--recurrent-rows).")
                # theirs is added after the gain, ours before
                bias = bias + self._or_zero(f"{ours}.rec_bias", self.width) / bridge_gain
            self.weights[f"{ours}.bias"] = bias
            self.weights[f"{ours}.neuron.start"] = torch.full((self.width,), decay).logit()

    def _gains(self, config: SpikeWhale) -> Tensor:
        """[N]: the factor of the bridge on the currents."""
        if not config.modulators:
            return torch.ones(self.width)
        prefix = "modulators.gene_program"
        exponent = self.weights[f"{prefix}.programs"] @ self.weights[f"{prefix}.in_gain"]
        return exponent.exp().clamp(0.30, 3.0)

    def _left_out(self) -> None:
        """Refuse layers beyond the last; say which traits stay behind."""
        for name in self.placed.sources:
            parts = name.split(".")
            if parts[0] == "layers" and int(parts[1]) >= self.depth:
                source = self.placed.sources[name]
                raise CheckpointError(
                    f"{self.path!r}: {source!r} is of layer {parts[1]}, but num_layers is {self.depth}"
                )
        family = self.sizes.get("family") or {}
        if on := [name for name, value in family.items() if value not in (None, False, 0)]:
            self.notes.append(
                f"Its traits are left out ({', '.join(map(str, on))}): it was trained with them, and says less without."
            )
