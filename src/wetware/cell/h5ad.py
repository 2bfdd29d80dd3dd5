"""Screens in ``.h5ad`` files, read a block of cells at a time, so that a file larger than the memory can be used."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from wetware.cell.screen import CONTROL, Screen, ScreenConfig
from wetware.config import nearest
from wetware.data.files import DataError

SOURCE = "wetware_source"  # in uns: how a file that was simulated says so


@dataclass(frozen=True, kw_only=True)
class H5AD(ScreenConfig):
    """A screen in a file: cells in rows, raw counts.

    target, batch: columns of ``obs`` that hold each cell's target gene and batch; no ``batch``: all cells are one. control: the
    target of cells that were not perturbed. gene: a column of ``var`` that holds gene symbols, instead of the index. layer:
    where the counts are, ``X`` by default, ``raw``, or a layer's name. Defaults are as in the Virtual Cell Challenge's files.
    """

    path: str
    target: str = "target_gene"
    batch: str | None = "batch"
    control: str = CONTROL
    gene: str | None = None
    layer: str | None = None

    def build(self) -> Screen:
        return FileScreen(self)


class FileScreen(Screen):
    """See :class:`H5AD`. Only the labels of cells and genes are kept in memory; blocks are read as they are asked for."""

    def __init__(self, config: H5AD) -> None:
        self.config = config
        with _opened(config.path) as file:
            obs, var = _table(file, "obs", config.path), _table(file, "var", config.path)
            targets = _labels(obs, config.target, "obs", config.path)
            batches = ["all"] * len(obs) if config.batch is None else _labels(obs, config.batch, "obs", config.path)
            genes = [str(name) for name in var.index]
            if config.gene is not None:
                genes = _labels(var, config.gene, "var", config.path)
            shape = tuple(_matrix(file, config).shape)
            source = _source(file)
        if shape != (len(targets), len(genes)):
            raise DataError(f"{config.path!r}: counts of shape {shape} for {len(targets)} cells, {len(genes)} genes")
        super().__init__(genes, targets, batches, source, config.control)

    def blocks(self, size: int) -> Iterator[tuple[int, Any]]:
        with _opened(self.config.path) as file:
            counts = _matrix(file, self.config)
            for start in range(0, self.cells, size):
                yield start, counts[start : start + size]


@contextlib.contextmanager
def _opened(path: str) -> Generator[Any]:
    try:
        import anndata  # noqa: F401 - _table and _matrix need it
        import h5py
    except ImportError:
        raise DataError("reading .h5ad files needs anndata: pip install 'wetware[cell]'") from None
    if not Path(path).is_file():
        raise DataError(f"no such .h5ad file: {path!r}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path!r} is no .h5ad file, or damaged: {error}") from None
    with file:
        yield file


def _table(file: Any, name: str, path: str) -> Any:
    from anndata.io import read_elem

    if name not in file:
        raise DataError(f"{path!r} is no .h5ad file: it has no {name}")
    return read_elem(file[name])


def _labels(table: Any, column: str, where: str, path: str) -> list[str]:
    if column not in table.columns:
        raise DataError(f"{path!r}: {where} has no column {column!r}{nearest(column, map(str, table.columns))}")
    missing = int(table[column].isna().sum())
    if missing:
        raise DataError(f"{path!r}: column {column!r} of {where} is empty in {missing} rows")
    return [str(label) for label in table[column]]


def _matrix(file: Any, config: H5AD) -> Any:
    """The counts: an HDF5 array, or rows of a sparse matrix. A matrix kept by column would have to be read whole."""
    import h5py
    from anndata.io import sparse_dataset

    layers = list(file.get("layers", ()))
    place = {None: "X", "X": "X", "raw": "raw/X"}.get(config.layer, f"layers/{config.layer}")
    if place not in file:
        allowed = nearest(str(config.layer), ["X", *(["raw"] if "raw" in file else []), *layers])
        raise DataError(f"{config.path!r} has no layer {config.layer or 'X'!r}{allowed}")
    found = file[place]
    if isinstance(found, h5py.Dataset):
        return found
    counts = sparse_dataset(found)
    if counts.format != "csr":
        raise DataError(
            f"{config.path!r}: {place} is kept by gene ({counts.format}), which cannot be read in blocks of cells: "
            "save it once with adata.X = adata.X.tocsr()"
        )
    return counts


def _source(file: Any) -> str:
    from anndata.io import read_elem

    uns = file.get("uns")
    return str(read_elem(uns[SOURCE])) if uns is not None and SOURCE in uns else "real"


def write_h5ad(screen: Screen, path: str | Path, block: int = 4096) -> None:
    """Write a screen as an ``.h5ad`` file with the columns of the Virtual Cell Challenge (``target_gene``, ``batch``)."""
    try:
        import anndata
        import pandas
    except ImportError:
        raise DataError("writing .h5ad files needs anndata: pip install 'wetware[cell]'") from None
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = {"target_gene": _categories(screen.targets), "batch": _categories(screen.batches)}
    obs = pandas.DataFrame(labels, index=pandas.Index([f"cell{index}" for index in range(screen.cells)]))
    counts = sparse.vstack([counts.astype(np.float32) for _, counts in screen.blocks(block)], format="csr")
    whole = anndata.AnnData(X=counts, obs=obs, var=pandas.DataFrame(index=pandas.Index(list(screen.genes))))
    whole.uns[SOURCE] = screen.source
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        whole.write_h5ad(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _categories(labels: Sequence[str] | np.ndarray) -> Any:
    import pandas

    return pandas.Categorical([str(label) for label in labels])
