"""Wiring: whether neurons of one gene program are wired to each other more than to others. Needs no text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from wetware.config import number
from wetware.evaluation.inspection.neurons import layers_of, no_programs, no_recurrence
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.models import LanguageModel
from wetware.modulation import PROGRAMS, dominant


class Assortativity(NamedTuple):
    """within, between: mean ``|W_rec|`` of pairs of neurons of one program, of two. p: of as large a difference, of either
    sign, when programs are dealt out anew (a permutation test)."""

    within: float
    between: float
    p: float

    @property
    def ratio(self) -> float:
        return self.within / self.between if self.between else float("nan")


def strengths(recurrent: Tensor) -> Tensor:
    """[N]: how strongly each neuron is wired, ``||W[i, :]|| + ||W[:, i]||``."""
    return recurrent.norm(dim=0) + recurrent.norm(dim=1)


def assortativity(recurrent: Tensor, belongs: Tensor, deals: int = 999, seed: int = 0) -> Assortativity:
    """Of W [N, N] and the program [N] of each neuron; a neuron's weight to itself is left out."""
    size = len(recurrent)
    weights = recurrent.abs().double().cpu().fill_diagonal_(0.0)
    groups = torch.nn.functional.one_hot(belongs.cpu(), len(PROGRAMS)).double()
    pairs = float((groups.sum(0) * (groups.sum(0) - 1)).sum())
    others, total = size * (size - 1) - pairs, float(weights.sum())
    if not pairs or not others:
        return Assortativity(float("nan"), float("nan"), 1.0)

    def difference(order: Tensor) -> tuple[float, float]:
        dealt = groups[order]
        inside = float((dealt * (weights @ dealt)).sum())
        return inside / pairs, (total - inside) / others

    within, between = difference(torch.arange(size))
    generator = Generator().manual_seed(seed)
    chance = [difference(torch.randperm(size, generator=generator)) for _ in range(deals)]
    slack = 1e-12 * abs(within)
    as_large = sum(abs(a - b) >= abs(within - between) - slack for a, b in chance)
    return Assortativity(within, between, (1 + as_large) / (1 + deals))


def assortativities(model: LanguageModel, deals: int = 999) -> dict[int, Assortativity]:
    """Of each layer of ``model`` that has programs and recurrent weights."""
    return {
        index: assortativity(layer.recurrent.detach(), dominant(layer.programs), deals)
        for index, layer in enumerate(layers_of(model))
        if layer.recurrent is not None and layer.programs is not None
    }


@dataclass(frozen=True, kw_only=True)
class Wiring(Measure):
    """Assortativity of the recurrent weights: mean ``|W_rec|`` within a program and between programs, by layer. p is of a
    permutation test with ``deals`` deals, two-sided, not corrected for the number of layers."""

    title: ClassVar[str] = "The network: programs and recurrent wiring"
    weight: ClassVar[float] = 2.0

    deals: int = number(999, 19, 1_000_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_programs(subject.model) or no_recurrence(subject.model)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        found = assortativities(subject.model, self.deals)
        layers = {str(index): {**part._asdict(), "ratio": part.ratio} for index, part in found.items()}
        return {"deals": self.deals, "layers": layers}

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (name, *("-" if layer[key] is None else f"{layer[key]:.4g}" for key in ("within", "between", "ratio", "p")))
            for name, layer in figures["layers"].items()
        ]
        note = f"Mean absolute recurrent weight; p by {figures['deals']} deals of the programs, two-sided, uncorrected."
        return Table(("layer", "within a program", "between programs", "ratio", "p"), tuple(rows), note)
