"""Gene embeddings from protein sequences: the mean over residues of a protein language model's last layer.

The model meant is ESM2-650M (Lin et al., Evolutionary-scale prediction of atomic-level protein structure, Science 379, 2023,
doi 10.1126/science.ade2574): 33 layers, 1280 dimensions, trained on at most 1022 residues between two marks. A longer protein
is cut into windows that do not overlap, and the mean goes over all its residues::

    e = sum over windows w, residues i of h[w, i] / length
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from wetware.cell.embeddings import GeneEmbeddings
from wetware.data.files import DataError

ESM2 = "facebook/esm2_t33_650M_UR50D"
WINDOW = 1022  # residues; ESM2 saw no more at a time
HUMAN = "9606"

Embedder = Callable[
    [str], Tensor
]  # residues (at most a window) -> last hidden layer [residues + 2, E], marks at both ends
Progress = Callable[[float, str], None]


def quiet(share: float, text: str) -> None:
    """No progress is shown."""


def windows(sequence: str, size: int = WINDOW) -> list[str]:
    """The sequence in pieces of ``size`` residues, the last one shorter."""
    return [sequence[start : start + size] for start in range(0, len(sequence), size)]


@torch.inference_mode()
def embed_sequence(sequence: str, embedder: Embedder, window: int = WINDOW) -> Tensor:
    """The mean vector [E] of all residues of a protein; the marks at a window's ends are left out."""
    sums = []
    for piece in windows(sequence, window):
        hidden = embedder(piece)
        if len(hidden) != len(piece) + 2:
            raise DataError(f"the protein model gave {len(hidden)} vectors for {len(piece)} residues and two marks")
        sums.append(hidden[1:-1].double().sum(0))
    return (torch.stack(sums).sum(0) / len(sequence)).float()


def read_fasta(path: str | Path) -> dict[str, str]:
    """The protein sequence of each gene in a FASTA file.

    Headers of UniProt (``>sp|P04637|P53_HUMAN ... OX=9606 GN=TP53 ...``) give the gene by ``GN=``; other species are left out,
    and so are isoforms that are not canonical (``P04637-2``); a reviewed entry (``sp``) goes before one that is not. In other
    files the first word of a header is the gene. Of several entries as good, the first counts. Raises DataError when the file
    is missing or holds no sequence.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise DataError(f"no such FASTA file: {str(path)!r}") from None
    found: dict[str, tuple[bool, str]] = {}
    for header, sequence in _entries(text):
        gene, reviewed = _gene(header)
        if gene and sequence and (gene not in found or (reviewed and not found[gene][0])):
            found[gene] = (reviewed, sequence)
    if not found:
        raise DataError(
            f"{str(path)!r} holds no human protein: expected FASTA, each entry '>GENE' or as UniProt has it"
        )
    return {gene: sequence for gene, (_, sequence) in found.items()}


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for entry in re.split(r"^>", text, flags=re.MULTILINE)[1:]:
        header, _, rest = entry.partition("\n")
        yield header.strip(), "".join(rest.split()).upper().rstrip("*")


def _gene(header: str) -> tuple[str | None, bool]:
    """The gene that a header names, None when it is to be left out, and whether the entry is reviewed."""
    uniprot = re.match(r"(sp|tr)\|([^|]+)\|", header)
    if not uniprot:
        return (header.split() or [None])[0], False
    species, name = re.search(r"\bOX=(\d+)", header), re.search(r"\bGN=(\S+)", header)
    foreign = species is not None and species.group(1) != HUMAN
    if foreign or name is None or "-" in uniprot.group(2):
        return None, False
    return name.group(1), uniprot.group(1) == "sp"


def embed_proteins(
    sequences: dict[str, str], embedder: Embedder, source: str, window: int = WINDOW, progress: Progress = quiet
) -> GeneEmbeddings:
    """An embedding for each gene of ``sequences``."""
    rows, residues, total = [], 0, sum(map(len, sequences.values()))
    for gene, sequence in sequences.items():
        rows.append(embed_sequence(sequence, embedder, window))
        residues += len(sequence)
        progress(residues / total, f"{gene}: {len(sequence)} residues")
    return GeneEmbeddings(tuple(sequences), torch.stack(rows), source)


def esm2(name: str = ESM2, device: torch.device | str = "cpu") -> Embedder:
    """The embedder of an ESM2 model: a folder, or a name on the Hugging Face hub, which is fetched once (2.6 GB for ESM2-650M).
    Raises DataError when transformers is not installed or there is no such model."""
    try:
        from transformers import AutoTokenizer, EsmModel  # ty: ignore[import-not-found]
    except ImportError:
        raise DataError("protein embeddings need transformers: pip install 'wetware[esm]'") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = EsmModel.from_pretrained(name, add_pooling_layer=False).to(device).eval()
    except (OSError, ValueError) as error:
        raise DataError(f"no ESM2 model {name!r}: {error}") from None

    def embed(residues: str) -> Tensor:
        return model(**tokenizer(residues, return_tensors="pt").to(device)).last_hidden_state[0].float().cpu()

    return embed
