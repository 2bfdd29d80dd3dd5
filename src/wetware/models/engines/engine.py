"""What every engine is, and the one that every model can have."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from wetware.derived import unchanged
from wetware.models.dice import Dice
from wetware.models.language_model import LanguageModel
from wetware.models.sampling import Sampling
from wetware.parameters import MATRIX, role
from wetware.state import State

WEIGHTS = ("float32", "bfloat16", "int8")
"""How an engine may keep the matrices between layers. The table of tokens stays in float32."""


class Engine(ABC):
    """A batch of sequences being read and written, at neutral signals. A model must not be changed while one is in use."""

    batch: int

    @property
    @abstractmethod
    def state(self) -> State:
        """What the sequences have left behind, in the model's own form."""

    @abstractmethod
    def read(self, tokens: Tensor) -> None:
        """Take ``tokens`` [B, T] in."""

    @abstractmethod
    def logits(self) -> Tensor:
        """[B, V], after the last token read or written."""

    @abstractmethod
    def write(self, count: int, sampling: Sampling, dice: Dice, seen: Tensor, stop: int | None = None) -> Tensor:
        """Choose ``count`` tokens one after the other and take each in: [B, count], or fewer when B is 1 and ``stop`` was
        chosen, which then is the last. ``seen`` [B, V] is kept up to date."""


class ForwardEngine(Engine):
    """The reference: the model's own forward, a token at a time."""

    def __init__(self, model: LanguageModel, batch: int = 1, weights: str = "float32") -> None:
        self.model = rounded(model, weights)
        self.batch = batch
        self.device = next(model.parameters()).device
        self._state: State = model.init_state(batch)
        self._logits: Tensor | None = None
        self._made: dict = {}  # of the model's parameters, for as long as this engine is in use

    @property
    def state(self) -> State:
        return self._state

    @torch.inference_mode()
    def read(self, tokens: Tensor) -> None:
        with unchanged(self._made):
            output = self.model(tokens.to(self.device), self._state)
        self._state, self._logits = output.state, output.logits[:, -1]

    def logits(self) -> Tensor:
        assert self._logits is not None, "nothing has been read yet"
        return self._logits

    @torch.inference_mode()
    def write(self, count: int, sampling: Sampling, dice: Dice, seen: Tensor, stop: int | None = None) -> Tensor:
        written = []
        for _ in range(count):
            token = sampling.choose(self.logits(), seen, dice)
            with unchanged(self._made):
                output = self.model.step(token, self._state)
            self._state, self._logits = output.state, output.logits
            seen[torch.arange(self.batch, device=seen.device), token] = True
            written.append(token)
            if self.batch == 1 and stop is not None and int(token) == stop:
                break
        return torch.stack(written, 1) if written else seen.new_zeros(self.batch, 0, dtype=torch.long)


def quantised(weight: Tensor, weights: str) -> tuple[Tensor, Tensor]:
    """``weight`` [outputs, inputs] as it is kept, and the scale [outputs] that its numbers are to be multiplied with."""
    ones = torch.ones(len(weight))
    if weights == "float32":
        return weight, ones
    if weights == "bfloat16":
        return weight.bfloat16(), ones
    scale = weight.abs().amax(1) / 127.0
    scale = torch.where(scale > 0, scale, 1.0)
    return (weight / scale[:, None]).round().to(torch.int8), scale


def restored(weight: Tensor, weights: str) -> Tensor:
    """What is left of ``weight`` [outputs, inputs] when it is kept as ``weights``."""
    numbers, scale = quantised(weight, weights)
    return numbers.float() * scale[:, None]


def is_rounded(path: str, parameter: Tensor) -> bool:
    """Whether an engine may keep this parameter in fewer bits: matrices between layers only."""
    return parameter.ndim == 2 and role(parameter) == MATRIX and not path.startswith("encoder.")


@torch.no_grad()
def rounded(model: LanguageModel, weights: str) -> LanguageModel:
    """``model``, or a copy of it whose matrices hold what is left of them when kept as ``weights``: what to evaluate before
    using them. Raises ValueError for another name than those in :data:`WEIGHTS`."""
    if weights not in WEIGHTS:
        raise ValueError(f"weights = {weights!r}: allowed {', '.join(WEIGHTS)}")
    if weights == "float32":
        return model
    model = copy.deepcopy(model)
    for path, parameter in model.named_parameters():
        if is_rounded(path, parameter):
            # the recurrent matrix is kept with the presynaptic neuron first: its outputs are its columns
            by_output = parameter.t() if path.endswith("fc_rec") else parameter
            by_output.copy_(restored(by_output.float(), weights))
    return model
