"""Multi-token prediction: in training, also the tokens after the next; in generation, a draft of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.config import number
from wetware.kernels import rms_norm
from wetware.layers import Linear
from wetware.layers.spike_encoder import DEVIATION
from wetware.operations import Counted, Operation, Workload
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig, loss_ahead


@dataclass(frozen=True, kw_only=True)
class MultiTokenPrediction(TraitConfig):
    """``ahead`` modules, one after the other, foretell the token after the next, the one after that, and so on::

        p^k_t = M_k [rms_norm(h^{k-1}_t); rms_norm(E[token_{t+k}])],    h^0_t = z_t
        h^k_t = p^k_t + D_k relu(U_k rms_norm(p^k_t))^2                 ``hidden`` units
        loss  = weight / ahead * sum_k cross-entropy(logits(h^k_t), token_{t+k+1})

    The logits are made by the model's own readout. Only a loss: the logits of the model do not change and see no later token.
    Targets are those inside the chunk that is trained on and inside the document. What it is good for at this size is
    drafting (:class:`wetware.models.engines.DraftingEngine`); a better model was reported only for large ones.

    DeepSeek-V3 (arXiv 2412.19437), its block made position-wise; after Gloeckle et al., 2024 (arXiv 2404.19737).
    """

    neutral: ClassVar[bool] = True
    only_losses: ClassVar[bool] = True

    ahead: int = number(1, 1, 8)
    weight: float = number(0.3, 0.0, 10.0)
    hidden: int = number(256, 1)

    def build(self, place: Place) -> TokenPredictor:
        return TokenPredictor(self, place)


class FurtherToken(nn.Module, Counted):
    """One module: from h [..., width] and the vector [..., width] of the token that it foretold, the next h."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.join = Linear(2 * width, width)
        self.up = Linear(width, hidden)
        self.down = Linear(hidden, width, scale=0.5)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """None of these is made when the model reads or writes, except for drafts."""
        for name, linear in (("join", self.join), ("up", self.up), ("down", self.down)):
            yield Operation(name, 0, 0, weights=(linear.weight,))

    def forward(self, hidden: Tensor, token: Tensor) -> Tensor:
        joined = self.join(torch.cat([rms_norm(hidden), rms_norm(token)], -1))
        return joined + self.down(self.up(rms_norm(joined)).relu().square())


class TokenPredictor(Trait):
    """See :class:`MultiTokenPrediction`."""

    def __init__(self, config: MultiTokenPrediction, place: Place) -> None:
        super().__init__()
        self.config = config
        self.further = nn.ModuleList(FurtherToken(place.width, config.hidden) for _ in range(config.ahead))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        return Passed(hidden)

    def losses(self, hidden: Tensor, context: Context) -> Mapping[str, Tensor]:
        found = []
        for ahead, further in enumerate(self.further, 1):
            places = context.tokens.shape[1] - ahead - 1  # those that have a target
            if places < 1:
                break
            known = functional.embedding(context.tokens[:, ahead : ahead + places], context.table)
            hidden = further(hidden[:, :places], known / DEVIATION)
            found.append(loss_ahead(context.logits(hidden), context, ahead + 1))
        total = torch.stack(found).sum() if found else 0.0 * hidden.sum()
        return {"ahead": self.config.weight / self.config.ahead * total}

    def draft(self, hidden: Tensor, token: Tensor, context: Context) -> Tensor:
        """Logits [B, V] of what follows ``token`` [B], before it is read, from z [B, width] of the token before it."""
        first: Any = self.further[0]
        return context.logits(first(hidden, context.table[token] / DEVIATION))
