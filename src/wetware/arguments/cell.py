"""Arguments of ``wetware cell``."""

from __future__ import annotations

import argparse
from typing import Any

from wetware.arguments.common import device_options, new_command, positive, seed, set_option, threads


def add(commands: Any) -> None:
    more = """\
examples:
  wetware cell program --size 512                               neurons' programs, from effects that come with wetware
  wetware cell train --data synthetic --out runs/cell           a simulated screen: half a minute
  wetware cell embed UP000005640_9606.fasta --out esm2.npz      a vector for each human protein
  wetware cell train --data adata_Training.h5ad --embeddings esm2.npz --out runs/cell
  wetware cell score runs/cell --data other.h5ad --embeddings esm2.npz
  wetware cell program runs/cell --out effects.safetensors

The virtual cell predicts how expression changes when a gene is knocked down, and so what that does to six gene programs.
Each neuron is assigned knock-downs, and their effects are its row of the matrix P that can modulate it.
"""
    command = new_command(
        commands, "cell", "Gene programs: train a virtual cell, and make what sets neurons of it.", more
    )
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    _train(actions)
    _score(actions)
    _program(actions)
    _embed(actions)
    _simulate(actions)


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--embeddings", metavar="FILE", help="of the genes: .npz or .safetensors")
    command.add_argument("--target-column", metavar="NAME", help="of obs: each cell's target (default: target_gene)")
    command.add_argument("--batch-column", metavar="NAME", help="of obs: each cell's batch, or none (default: batch)")
    command.add_argument("--control", metavar="LABEL", help="target of unperturbed cells (default: non-targeting)")
    command.add_argument("--gene-column", metavar="NAME", help="of var: gene symbols (default: its index)")
    command.add_argument("--layer", metavar="NAME", help="where raw counts are: X, raw, or a layer (default: X)")
    command.add_argument("--threads", type=threads, metavar="N", help="processor threads")


def _train(actions: Any) -> None:
    command = new_command(actions, "train", "Train a cell model on a screen, and measure it on targets it never saw.")
    command.add_argument("--data", required=True, metavar="FILE", help="a Perturb-seq screen (.h5ad), or: synthetic")
    command.add_argument("--out", required=True, metavar="DIR", help="where the model goes")
    command.add_argument("--seed", type=seed, metavar="S", help="of the first weights and the dropout (default: 0)")
    set_option(command)
    _data(command)


def _score(actions: Any) -> None:
    command = new_command(actions, "score", "Measure a cell model on targets it never saw, beside two baselines.")
    command.add_argument("model", metavar="MODEL", help="the folder of a trained cell")
    command.add_argument("--data", metavar="FILE", help="a screen (default: the one it was trained on)")
    command.add_argument("--json", action="store_true", help="print JSON")
    _data(command)


def _program(actions: Any) -> None:
    command = new_command(actions, "program", "Make what sets neurons: the effects of every knock-down.")
    command.add_argument("model", metavar="MODEL", nargs="?", help="a trained cell (default: what comes with wetware)")
    command.add_argument("--out", metavar="FILE", help="where the effects go, for ProgramFile")
    command.add_argument(
        "--size", type=positive, default=512, metavar="N", help="neurons of the P shown (default: 512)"
    )
    command.add_argument("--draws", type=positive, default=3, metavar="N", help="genes for each (default: 3)")
    command.add_argument("--seed", type=seed, metavar="S", help="of the assignment (default: 0)")


def _embed(actions: Any) -> None:
    command = new_command(actions, "embed", "Embed the proteins of genes with ESM2 (needs the extra 'esm').")
    command.add_argument("fasta", metavar="FASTA", help="protein sequences, as UniProt has them or named by gene")
    command.add_argument("--out", required=True, metavar="FILE", help=".npz or .safetensors")
    command.add_argument(
        "--model",
        default="facebook/esm2_t33_650M_UR50D",
        metavar="NAME",
        help="a folder, or a name on the Hugging Face hub, fetched once (default: ESM2-650M, 2.6 GB)",
    )
    device_options(command)


def _simulate(actions: Any) -> None:
    command = new_command(actions, "simulate", "Write a simulated screen and its embeddings, labelled synthetic.")
    command.add_argument("--out", required=True, metavar="FILE", help="a .h5ad file; embeddings go beside it, as .npz")
    command.add_argument("--seed", type=seed, metavar="S", help="of everything in it (default: 0)")
    set_option(command)
