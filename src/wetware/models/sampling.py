"""From logits to a token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.models.dice import Dice


@dataclass(frozen=True, kw_only=True)
class Sampling(Config):
    """How a token is chosen from the logits.

    temperature: 0 takes the most likely token. top_k: only the k most likely. top_p: only the smallest set that holds this
    share of the probability (Holtzman et al., 2020). repetition_penalty: logits of tokens already seen are divided by it if
    positive, multiplied if negative (the usual form of the penalty of Keskar et al., CTRL, 2019); 1 leaves them.
    """

    temperature: float = number(0.8, 0.0, 100.0)
    top_k: int | None = number(None, 1)
    top_p: float = number(1.0, 0.0, 1.0)
    repetition_penalty: float = number(1.0, 0.01, 100.0)

    def choose(self, logits: Tensor, seen: Tensor, dice: Dice) -> Tensor:
        """A token [B] from ``logits`` [B, V]; ``seen`` [B, V] says which tokens the text holds already.

        The largest of ``logits / temperature + Gumbel noise`` among those allowed, which is a draw from their softmax.
        """
        if self.repetition_penalty != 1.0:
            penalised = torch.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
            logits = torch.where(seen, penalised, logits)
        if self.temperature == 0:
            return logits.argmax(-1)
        # from the largest down: however small the temperature, the likeliest stays at 0 and the rest falls to -inf
        logits = (logits.double() - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if self.top_p < 1.0:
            values, order = torch.sort(logits.softmax(-1), dim=-1, descending=True, stable=True)
            outside = values.cumsum(-1) - values > self.top_p
            logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
        return (logits + dice.noise(*logits.shape, device=logits.device)).argmax(-1)
