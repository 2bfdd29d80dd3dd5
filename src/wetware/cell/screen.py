"""A Perturb-seq screen: counts of cells x genes, read in blocks of cells, and which gene was knocked down in each cell."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from wetware.cell.embeddings import GeneEmbeddings
from wetware.config import Config, nearest
from wetware.data.files import DataError

CONTROL = "non-targeting"
SOURCES = ("real", "synthetic")


@dataclass(frozen=True, kw_only=True)
class ScreenConfig(Config):
    """A slot for a screen."""

    abstract: ClassVar[bool] = True

    def build(self) -> Screen:
        raise NotImplementedError


class Screen:
    """Counts of a screen, however they are kept.

    genes: names of the columns. targets, batches: of each cell, as text. control: the target of cells that were not perturbed.
    source: ``real`` or ``synthetic``, which follows the data into everything made from it. embeddings: of the genes, where the
    screen brings its own (a synthetic one does).
    """

    def __init__(
        self,
        genes: Sequence[str],
        targets: Sequence[str],
        batches: Sequence[str],
        source: str,
        control: str = CONTROL,
        embeddings: GeneEmbeddings | None = None,
    ) -> None:
        self.genes = tuple(genes)
        self.targets = np.asarray(targets, dtype=object)
        self.batches = np.asarray(batches, dtype=object)
        self.source, self.control, self.embeddings = source, control, embeddings
        self._check()

    def _check(self) -> None:
        if self.source not in SOURCES:
            raise DataError(f"source {self.source!r} is unknown{nearest(self.source, SOURCES)}")
        if len(self.targets) != len(self.batches):
            raise DataError(f"{len(self.targets)} targets for {len(self.batches)} batches: one of each a cell")
        repeated = [gene for gene, times in Counter(self.genes).items() if times > 1]
        if repeated:
            raise DataError(f"{len(repeated)} gene names occur more than once, {repeated[0]!r} among them")
        present = set(self.targets)
        if self.control not in present:
            kinds = nearest(self.control, present) if len(present) > 12 else f"; targets: {', '.join(sorted(present))}"
            raise DataError(f"no cell has the control label {self.control!r}{kinds}")
        if len(present) < 2:
            raise DataError(f"every cell is {self.control!r}: a screen has perturbed cells too")

    @property
    def cells(self) -> int:
        return len(self.targets)

    @abstractmethod
    def blocks(self, size: int) -> Iterator[tuple[int, Any]]:
        """``(first cell, counts)`` for blocks of at most ``size`` cells, in order; counts as a scipy CSR matrix."""

    def checked_blocks(self, size: int) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """:meth:`blocks` in float64. Raises DataError for what cannot be raw counts."""
        for start, block in self.blocks(size):
            counts = sparse.csr_matrix(block, dtype=np.float64)
            values = counts.data
            if len(values) and not np.isfinite(values).all():
                raise DataError(f"counts of cells {start} to {start + size} are not finite")
            if len(values) and values.min() < 0:
                raise DataError(f"a count is {values.min():g}: raw counts are needed, not scaled expression")
            # the largest logarithm of a real count is below 20; counts themselves are whole
            if start == 0 and len(values) and values.max() < 20 and (values != np.round(values)).mean() > 0.5:
                raise DataError(
                    f"counts are fractions up to {values.max():.3g}: this looks like log-transformed expression; "
                    "raw counts are needed (another layer?)"
                )
            yield start, counts


class ArrayScreen(Screen):
    """A screen in memory. counts: [cells, genes], an array or a scipy matrix."""

    def __init__(self, counts: Any, *about: Any, **keywords: Any) -> None:
        super().__init__(*about, **keywords)
        self.counts = sparse.csr_matrix(counts)
        if self.counts.shape != (self.cells, len(self.genes)):
            raise DataError(f"counts of shape {self.counts.shape} for {self.cells} cells and {len(self.genes)} genes")

    def blocks(self, size: int) -> Iterator[tuple[int, Any]]:
        for start in range(0, self.cells, size):
            yield start, self.counts[start : start + size]
