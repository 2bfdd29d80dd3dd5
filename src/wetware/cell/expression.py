"""From a screen to what the cell model learns from: the mean expression of control cells, and each knock-down's change of it.

The whole screen is read twice, in blocks of cells: once to choose genes, once to sum. Memory grows with
(targets x batches x chosen genes), not with cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from wetware.cell.programs import members
from wetware.cell.screen import Screen
from wetware.config import Config, ConfigError, number
from wetware.data.files import DataError

Progress = Callable[[float, str], None]


def quiet(share: float, text: str) -> None:
    """No progress is shown."""


class Expression(NamedTuple):
    """What knock-downs change, in log(1 + counts per ``library``).

    genes: G names. targets: P knocked-down genes. control: mean of control cells [G]. delta: change by each knock-down, shrunk
    towards 0 [P, G]. cells: behind each delta [P]. source: ``real`` or ``synthetic``. dropped: targets that have no control
    cell in any of their batches.
    """

    genes: tuple[str, ...]
    targets: tuple[str, ...]
    control: Tensor
    delta: Tensor
    cells: Tensor
    source: str
    dropped: tuple[str, ...] = ()

    def own(self) -> Tensor:
        """The place of each target among the genes [P], -1 where it is not there."""
        place = {gene: index for index, gene in enumerate(self.genes)}
        return torch.tensor([place.get(target, -1) for target in self.targets])

    def only(self, targets: Sequence[str]) -> Expression:
        """The same with these targets alone, in this order."""
        place = {target: index for index, target in enumerate(self.targets)}
        rows = [place[target] for target in targets]
        return self._replace(targets=tuple(targets), delta=self.delta[rows], cells=self.cells[rows])


@dataclass(frozen=True, kw_only=True)
class Preparation(Config):
    """How counts become changes of expression.

    library: counts that every cell is scaled to before log(1 + x). min_counts: cells with fewer are left out. variable_genes:
    how many of the most variable genes are kept; genes of the programs are kept besides. shrinkage: n0 in
    ``delta * n / (n + n0)``, n the cells behind a delta. block: cells read at a time.
    """

    library: float = number(1e4, 1.0, 1e9)
    min_counts: float = number(200.0, 0.0, 1e9)
    variable_genes: int = number(2000, 1, 100_000)
    shrinkage: float = number(50.0, 0.0, 1e9)
    block: int = number(2048, 1, 1_000_000)


class Moments(NamedTuple):
    """Sums over cells of each gene's scaled counts and of their squares [genes]; cells that were kept."""

    total: np.ndarray
    squares: np.ndarray
    cells: int


def normalised(counts: sparse.csr_matrix, config: Preparation) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Each cell's counts scaled to sum to ``library``, and which cells have ``min_counts`` (and at least one)."""
    sums = np.asarray(counts.sum(1)).ravel()
    kept = sums >= max(config.min_counts, 1e-12)
    scale = np.divide(config.library, sums, out=np.zeros_like(sums), where=kept)
    return sparse.csr_matrix(sparse.diags(scale) @ counts), kept


def gene_moments(screen: Screen, config: Preparation, progress: Progress = quiet) -> Moments:
    total, squares, cells = np.zeros(len(screen.genes)), np.zeros(len(screen.genes)), 0
    for start, counts in screen.checked_blocks(config.block):
        scaled, kept = normalised(counts, config)
        total += np.asarray(scaled.sum(0)).ravel()
        squares += np.asarray(scaled.multiply(scaled).sum(0)).ravel()
        cells += int(kept.sum())
        progress((start + counts.shape[0]) / screen.cells, "reading, to choose genes")
    return Moments(total, squares, cells)


def variable_genes(moments: Moments, count: int, bins: int = 20) -> list[int]:
    """The ``count`` genes whose dispersion, variance / mean, stands out most among genes of like mean, in their own order.

    Genes are cut by log(1 + mean) into ``bins`` of equal width; in each, the logarithms of the dispersions are standardised
    (Satija et al., Spatial reconstruction of single-cell gene expression data, Nature Biotechnology 33, 2015).
    """
    if moments.cells < 2:
        raise DataError(f"{moments.cells} cells have enough counts: at least 2 are needed")
    mean = moments.total / moments.cells
    variance = np.maximum(moments.squares - moments.cells * mean**2, 0.0) / (moments.cells - 1)
    seen = (mean > 0) & (variance > 0)
    dispersion = np.log(np.where(seen, variance, 1.0) / np.where(seen, mean, 1.0))
    place = np.log1p(mean)
    edges = np.linspace(place.min(), place.max(), bins + 1)
    group = np.clip(np.digitize(place, edges[1:-1], right=True), 0, bins - 1)
    score = np.full(len(mean), -np.inf)
    for index in range(bins):
        inside = seen & (group == index)
        if inside.sum() == 1:  # nothing to compare it with: taken as one deviation above, as Seurat does
            score[inside] = 1.0
        elif inside.any():
            spread = dispersion[inside].std(ddof=1)
            score[inside] = (dispersion[inside] - dispersion[inside].mean()) / spread if spread > 0 else 0.0
    chosen = np.argsort(-score, kind="stable")[:count]
    return sorted(int(gene) for gene in chosen if np.isfinite(score[gene]))


class Pseudobulk(NamedTuple):
    """Sums of log expression over the cells of each (target, batch). sums [groups, genes], cells [groups]; labels by group."""

    targets: tuple[str, ...]
    batches: tuple[str, ...]
    sums: np.ndarray
    cells: np.ndarray


def pseudobulk(screen: Screen, genes: Sequence[int], config: Preparation, progress: Progress = quiet) -> Pseudobulk:
    """Sum log(1 + scaled counts) of the chosen genes over the cells of each (target, batch)."""
    pairs = sorted(set(zip(screen.targets, screen.batches, strict=True)))
    index = {pair: place for place, pair in enumerate(pairs)}
    group = np.array([index[pair] for pair in zip(screen.targets, screen.batches, strict=True)])
    sums, cells = np.zeros((len(pairs), len(genes))), np.zeros(len(pairs))
    for start, counts in screen.checked_blocks(config.block):
        scaled, kept = normalised(counts, config)
        logs = scaled[:, genes].log1p()
        rows = np.flatnonzero(kept)
        codes = group[start + rows]
        present, local = np.unique(codes, return_inverse=True)
        pick = sparse.csr_matrix((np.ones(len(rows)), (local, rows)), shape=(len(present), counts.shape[0]))
        sums[present] += (pick @ logs).toarray()
        cells += np.bincount(codes, minlength=len(pairs))
        progress((start + counts.shape[0]) / screen.cells, "reading, to sum over cells")
    return Pseudobulk(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), sums, cells)


def changes(bulk: Pseudobulk, genes: Sequence[str], control: str, source: str, shrinkage: float) -> Expression:
    """Each target against the control cells of the same batches, so that what a batch does to all of its cells cancels::

        delta[g] = sum over batches b of n[g, b] (mean[g, b] - mean[control, b]) / n[g]  *  n[g] / (n[g] + n0)

    n[g, b]: cells of target g in batch b, counted only where the batch has control cells. Batches weigh by cells: with few
    cells in some, the plain mean of batches would be the noisiest batch's.
    """
    controls = {
        batch: row
        for row, (target, batch) in enumerate(zip(bulk.targets, bulk.batches, strict=True))
        if target == control and bulk.cells[row] > 0
    }
    if not controls:
        raise DataError(f"no cell of the control {control!r} has enough counts")
    rows = list(controls.values())
    level = bulk.sums[rows].sum(0) / bulk.cells[rows].sum()
    names = sorted(set(bulk.targets) - {control})
    delta, cells = np.zeros((len(names), len(genes))), np.zeros(len(names))
    place = {name: index for index, name in enumerate(names)}
    for row, (target, batch) in enumerate(zip(bulk.targets, bulk.batches, strict=True)):
        if target == control or batch not in controls:
            continue
        base = controls[batch]
        delta[place[target]] += bulk.sums[row] - bulk.cells[row] * bulk.sums[base] / bulk.cells[base]
        cells[place[target]] += bulk.cells[row]
    kept = cells > 0
    if not kept.any():
        raise DataError(f"no perturbed cell shares a batch with a cell of the control {control!r}")
    shrunk = delta[kept] / (cells[kept] + shrinkage)[:, None]
    return Expression(
        genes=tuple(genes),
        targets=tuple(name for name, there in zip(names, kept, strict=True) if there),
        control=torch.from_numpy(level).float(),
        delta=torch.from_numpy(shrunk).float(),
        cells=torch.from_numpy(cells[kept]).float(),
        source=source,
        dropped=tuple(name for name, there in zip(names, kept, strict=True) if not there),
    )


def prepare(
    screen: Screen, config: Preparation, genes: Sequence[str] | None = None, progress: Progress = quiet
) -> Expression:
    """Changes of expression in a screen. genes: those of a model that is to be scored, instead of choosing; all are needed."""
    if genes is None:
        moments = gene_moments(screen, config, lambda share, text: progress(share / 2, text))
        programs = {place for group in members(screen.genes) for place in group}
        chosen = sorted(programs | set(variable_genes(moments, config.variable_genes)))
        second: Progress = lambda share, text: progress((1 + share) / 2, text)  # noqa: E731
    else:
        place = {gene: index for index, gene in enumerate(screen.genes)}
        missing = [gene for gene in genes if gene not in place]
        if missing:
            raise DataError(
                f"the data has not {len(missing)} of the model's {len(genes)} genes, {missing[0]!r} for one"
            )
        chosen, second = [place[gene] for gene in genes], progress
    bulk = pseudobulk(screen, chosen, config, second)
    names = [screen.genes[index] for index in chosen]
    return changes(bulk, names, screen.control, screen.source, config.shrinkage)


# --------------------------------------------------------------------------------------------------------------- split


@dataclass(frozen=True, kw_only=True)
class TargetSplit(Config):
    """Which targets are learnt from, which stop the training, which are only tested; by gene, never by cell.

    A target's part follows from a hash of (seed, its name) alone, so it is the same in every file that has it. ``validation``
    and ``test`` are shares; what is left is trained on.
    """

    validation: float = number(0.1, 0.0, 1.0, open_ends=True)
    test: float = number(0.1, 0.0, 1.0, open_ends=True)
    seed: int = number(0, 0)

    def check(self) -> None:
        if self.validation + self.test >= 1.0:
            raise ConfigError(
                f"TargetSplit leaves nothing to train on: validation {self.validation} + test {self.test}"
            )

    def part(self, target: str) -> str:
        """``train``, ``validation`` or ``test``."""
        code = hashlib.sha256(f"{self.seed}/{target}".encode()).digest()
        share = int.from_bytes(code[:8], "big") / 2**64
        if share < self.test:
            return "test"
        return "validation" if share < self.test + self.validation else "train"

    def of(self, targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The targets of each part. Raises DataError when one is empty."""
        parts = {name: tuple(t for t in targets if self.part(t) == name) for name in ("train", "validation", "test")}
        empty = [name for name, found in parts.items() if not found]
        if empty:
            raise DataError(f"{len(targets)} targets leave none for {', '.join(empty)}: more targets, or larger shares")
        return parts
