"""Gene programs: named sets of genes, and how strongly a change of expression moves each of them.

The six lists are in ``packaged/NAME.txt``, each with its meaning and its source in the header. A list holds the genes' present
HGNC symbols; ``CENPU=MLF1IP`` gives the former symbol too, under which older data may have the gene.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.data.files import DataError
from wetware.modulation import PROGRAMS
from wetware.parameters import keyed_generator


class GeneProgram(NamedTuple):
    """A set of genes. ``former``: earlier symbols of some of them, by present symbol. Meaning and source are sentences."""

    name: str
    genes: tuple[str, ...]
    former: dict[str, str]
    meaning: str
    source: str


def parse_program(text: str) -> GeneProgram:
    """Read a program: comment lines at the top with its name, ``meaning:`` and ``source:``, then genes and more comments.
    Raises DataError for a gene that is listed twice and for an empty list."""
    header = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    lines = [line[1:].strip() for line in header]
    name, about, key = (lines or [""])[0], {"meaning": "", "source": ""}, ""
    for line in lines[1:]:  # a field goes on until the next begins
        word, sign, rest = line.partition(": ")
        key, line = (word, rest) if sign and word in about else (key, line)
        if key:
            about[key] = f"{about[key]} {line}".strip()
    words = [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    genes, former = tuple(word.partition("=")[0] for word in words), {}
    for word in words:
        gene, sign, old = word.partition("=")
        if sign:
            former[gene] = old
    twice = sorted({gene for gene in genes if genes.count(gene) > 1})
    if not genes or twice:
        wrong = f"lists {', '.join(twice)} twice" if twice else "has no genes"
        raise DataError(f"gene program {name!r} {wrong}")
    return GeneProgram(name, genes, former, about["meaning"], about["source"])


@functools.cache
def programs() -> tuple[GeneProgram, ...]:
    """The six programs, in the order of ``PROGRAMS``."""
    folder = resources.files("wetware.cell") / "packaged"
    return tuple(parse_program((folder / f"{name}.txt").read_text(encoding="utf-8")) for name in PROGRAMS)


def members(genes: Sequence[str], of: Sequence[GeneProgram] | None = None) -> list[list[int]]:
    """For each program, the places in ``genes`` of those of its genes that are there, by present or former symbol."""
    place = {gene: index for index, gene in reversed(list(enumerate(genes)))}
    found = []
    for program in of or programs():
        names = (gene if gene in place else program.former.get(gene, gene) for gene in program.genes)
        found.append(sorted({place[name] for name in names if name in place}))
    return found


@dataclass(frozen=True, kw_only=True)
class ControlSets(Config):
    """Subtract from each program's score that of genes expressed as strongly (Tirosh et al., 2016; Seurat's AddModuleScore).

    All genes are ordered by mean expression and cut into ``bins`` of equal size; for each gene of a program ``size`` genes that
    are in no program are drawn from its bin, all of them where there are fewer. The union is the program's control set.
    """

    bins: int = number(25, 1, 1000)
    size: int = number(50, 1, 10_000)


def score_matrix(
    genes: Sequence[str],
    expression: Tensor | None = None,
    correction: ControlSets | None = None,
    of: Sequence[GeneProgram] | None = None,
    seed: int = 0,
) -> Tensor:
    """The matrix A [programs, genes] that turns a change of expression into changes of program scores, ``A @ delta``::

        A[k, j] = [j in program k] / n_k  -  [j in control set of k] / m_k        the second term with ``correction`` alone

    n_k: genes of program k among ``genes``; a program with none has a row of zeros. expression: mean of each gene [genes],
    needed by ``correction``. Raises DataError when no gene of any program is there.
    """
    of = of or programs()
    found = members(genes, of)
    if not any(found):
        examples = ", ".join(genes[:3])
        raise DataError(
            f"no gene of any program is among {len(genes)} genes ({examples}, ...): HGNC symbols are needed"
        )
    matrix = torch.zeros(len(of), len(genes), dtype=torch.float64)
    for row, places in zip(matrix, found, strict=True):
        if places:
            row[places] = 1.0 / len(places)
    if correction is not None:
        if expression is None:
            raise DataError("control sets need the mean expression of each gene")
        for program, row, places in zip(of, matrix, found, strict=True):
            controls = _control_set(expression, places, found, correction, keyed_seed=(seed, program.name))
            if controls:
                row[controls] -= 1.0 / len(controls)
    return matrix.float()


def _control_set(
    expression: Tensor, places: list[int], found: list[list[int]], correction: ControlSets, keyed_seed: tuple[int, str]
) -> list[int]:
    dice = keyed_generator(*keyed_seed)
    rank = torch.empty(len(expression), dtype=torch.long)
    rank[expression.argsort(stable=True)] = torch.arange(len(expression))
    bins = rank * correction.bins // len(expression)
    free = torch.ones(len(expression), dtype=torch.bool)
    free[[place for group in found for place in group]] = False
    chosen: set[int] = set()
    for place in places:
        candidates = ((bins == bins[place]) & free).nonzero().flatten()
        chosen.update(candidates[torch.randperm(len(candidates), generator=dice)[: correction.size]].tolist())
    return sorted(chosen)


def program_scores(delta: Tensor, matrix: Tensor, own: Tensor | None = None) -> Tensor:
    """Changes of program scores ``A delta`` [perturbations, programs] for changes of expression [perturbations, genes].

    own: the place of each perturbation's own target among the genes, -1 where it is not there; that entry is left out, because
    that a knocked-down gene goes down says nothing about the cell.
    """
    if own is not None:
        delta = delta * others(own, delta.shape[-1])
    return delta @ matrix.T


def others(own: Tensor, genes: int) -> Tensor:
    """A mask [perturbations, genes]: 0 at each perturbation's own target, 1 elsewhere."""
    return (torch.arange(genes) != own[:, None]).float()


def overlaps(of: Sequence[GeneProgram] | None = None) -> Tensor:
    """The Jaccard index of each pair of programs [K, K]: genes in both / genes in either."""
    sets = [set(program.genes) for program in of or programs()]
    return torch.tensor([[len(a & b) / len(a | b) for b in sets] for a in sets])
