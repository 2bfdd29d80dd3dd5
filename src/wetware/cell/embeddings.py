"""Embeddings of genes: a vector for each, by which a gene that was never knocked down can still be predicted."""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wetware.cell.files import field, read_tensors, write_tensors
from wetware.data.files import DataError


class Lookup(NamedTuple):
    """Vectors [n, E] of the genes asked for, and for each whether it was missing and has the mean of all genes instead."""

    vectors: Tensor
    missing: tuple[bool, ...]


class GeneEmbeddings(NamedTuple):
    """A vector for each gene. genes: n names, each once. vectors: [n, E] float32. source: what made them, as text."""

    genes: tuple[str, ...]
    vectors: Tensor
    source: str

    def lookup(self, genes: Sequence[str]) -> Lookup:
        """The vectors of ``genes`` in order. A gene that is not there (one without a protein, say) has the mean of all."""
        place = {gene: index for index, gene in enumerate(self.genes)}
        mean = self.vectors.mean(0)
        rows = [self.vectors[place[gene]] if gene in place else mean for gene in genes]
        vectors = torch.stack(rows) if rows else self.vectors[:0]
        return Lookup(vectors, tuple(gene not in place for gene in genes))


def _checked(genes: Sequence[str], vectors: Tensor, source: str, path: str | Path) -> GeneEmbeddings:
    if vectors.ndim != 2 or len(vectors) != len(genes) or not len(genes):
        raise DataError(f"{str(path)!r}: embeddings of shape {tuple(vectors.shape)} for {len(genes)} genes")
    if len(set(genes)) < len(genes):
        raise DataError(f"{str(path)!r}: some gene has two embeddings")
    if not torch.isfinite(vectors).all():
        raise DataError(f"{str(path)!r}: embeddings are not all finite")
    return GeneEmbeddings(tuple(genes), vectors.float(), source)


def save_embeddings(embeddings: GeneEmbeddings, path: str | Path) -> None:
    """Write ``path``: ``.npz`` (arrays ``genes``, ``embeddings``, ``source``) or ``.safetensors``, by its ending."""
    path = Path(path)
    if path.suffix == ".safetensors":
        about = {"genes": json.dumps(embeddings.genes), "source": embeddings.source}
        write_tensors(path, {"embeddings": embeddings.vectors}, about)
        return
    _check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial.npz"
    genes, source = np.array(embeddings.genes), np.array(embeddings.source)
    try:
        np.savez(partial, embeddings=embeddings.vectors.numpy(), genes=genes, source=source)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_embeddings(path: str | Path) -> GeneEmbeddings:
    """Read what :func:`save_embeddings` wrote, or any ``.npz`` with ``genes`` [n] and ``embeddings`` [n, E]. Raises
    DataError for a file that is missing, damaged or something else."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no such file of embeddings: {str(path)!r}")
    if path.suffix == ".safetensors":
        tensors, about = read_tensors(path)
        vectors = field(tensors, "embeddings", path, "file of embeddings")
        try:
            genes = json.loads(field(about, "genes", path, "file of embeddings"))
        except ValueError as error:
            raise DataError(f"damaged file {str(path)!r}: {error}") from None
        return _checked(genes, vectors, about.get("source", "unknown"), path)
    _check_ending(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"damaged file {str(path)!r}: {error}") from None
    vectors, genes = (field(found, name, path, "file of embeddings") for name in ("embeddings", "genes"))
    source = str(found.get("source", "unknown"))
    return _checked([str(gene) for gene in genes], torch.from_numpy(vectors.astype(np.float32)), source, path)


def _check_ending(path: Path) -> None:
    if path.suffix != ".npz":
        raise DataError(f"embeddings in {str(path)!r}: allowed endings .npz, .safetensors")
