"""JEPA: the vector that is read foretells, in its own space, the one some tokens on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from wetware.config import Config, number
from wetware.kernels import rms_norm
from wetware.layers import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig

EPSILON = 1e-4  # of a variance: the root's slope must not be endless at 0


@dataclass(frozen=True, kw_only=True)
class VarianceHinge(Config):
    """Against collapse to one vector: ``weight * mean_j relu(deviation - sd(y_j))``, ``y = rms_norm(z)``, sd over all tokens of
    the batch (the variance term of VICReg: Bardes, Ponce and LeCun, 2022).

    It is of directions, as logits are of nothing else: it cannot be met by longer vectors. Their mean pairwise cosine being
    ``1 - mean_j sd(y_j)^2``, the hinge is the nearer to 0 the more directions are in use, and bounds that cosine. It is always
    on: one that waited for a cosine would switch a gradient on and off.
    """

    weight: float = number(0.1, 0.0, 100.0)
    deviation: float = number(1.0, 0.0, 1.0)

    def loss(self, hidden: Tensor) -> Tensor:
        """Of vectors z [B, T, width]."""
        deviation = (rms_norm(hidden.float()).flatten(0, -2).var(0, correction=0) + EPSILON).sqrt()
        return self.weight * (self.deviation - deviation).relu().mean()


@dataclass(frozen=True, kw_only=True)
class JEPA(TraitConfig):
    """A head that foretells the vector ``horizon`` tokens on, for its loss alone (Assran et al., joint-embedding prediction,
    2023; for language models Huang, LeCun and Balestriero, LLM-JEPA, 2025, who pair two views of a text)::

        p_t = W_2 gelu(W_1 rms_norm(z_t)),   loss = weight * mean_t (1 - cos(p_t, stop_gradient(z_{t+horizon})))

    W_1: width -> hidden. W_2: hidden -> width. z: after all traits. The mean is over the pairs of one document in this chunk.
    No logit is changed, ever, and nothing is computed but in training. What it is: a second, softer question about the near
    future; of one view of the text, with no second encoder, so it needs ``variance``, its guard. At a horizon of 1 it asks
    nearly what the cross-entropy asks already.
    """

    neutral: ClassVar[bool] = True
    only_losses: ClassVar[bool] = True

    horizon: int = number(4, 1, 4096)
    hidden: int = number(256, 1, 65536)
    weight: float = number(0.1, 0.0, 100.0)
    variance: VarianceHinge | None = VarianceHinge()

    def build(self, place: Place) -> Foretelling:
        return Foretelling(self, place)


class Foretelling(Trait, Counted):
    """See :class:`JEPA`."""

    def __init__(self, config: JEPA, place: Place) -> None:
        super().__init__()
        self.config = config
        self.fc_hidden = Linear(place.width, config.hidden)
        self.fc_out = Linear(config.hidden, place.width)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Reading computes nothing of it."""
        yield Operation("predictor", 0, 0, weights=(self.fc_hidden.weight, self.fc_out.weight))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        return Passed(hidden)

    def predicted(self, hidden: Tensor) -> Tensor:
        """p, of vectors z [..., width]."""
        return self.fc_out(functional.gelu(self.fc_hidden(rms_norm(hidden))))

    def losses(self, hidden: Tensor, context: Context) -> Mapping[str, Tensor]:
        found = {"prediction": self.config.weight * self._distance(hidden, context.keep)}
        if self.config.variance:
            found["variance"] = self.config.variance.loss(hidden)
        return found

    def _distance(self, hidden: Tensor, keep: Tensor | None) -> Tensor:
        """The mean of 1 - cos; 0, with a gradient, when the chunk holds no pair."""
        ahead = self.config.horizon
        early, late = hidden[:, :-ahead], hidden[:, ahead:].detach()
        apart = 1.0 - functional.cosine_similarity(self.predicted(early), late, dim=-1)
        if keep is None:
            return apart.mean() if apart.numel() else apart.sum()
        document = (keep == 0).cumsum(1)
        whole = (document[:, ahead:] == document[:, :-ahead]).to(apart.dtype)
        return (apart * whole).sum() / whole.sum().clamp_min(1.0)
