"""A simulated Perturb-seq screen, so that everything works without one, and so that what should be found is known.

It says ``source="synthetic"`` wherever it goes: nothing made from it is about a real cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse

from wetware.cell.embeddings import GeneEmbeddings
from wetware.cell.programs import programs
from wetware.cell.screen import CONTROL, ArrayScreen, ScreenConfig
from wetware.config import ConfigError, number
from wetware.parameters import keyed_generator

BACKGROUND = 4  # modules of genes that belong to no program
POSITION = 12  # dimensions of a gene's position; more than modules, so that each module can have its own direction
BOUND = 2.0  # no gene's log expression moves further than this by its regulators


@dataclass(frozen=True, kw_only=True)
class SyntheticScreen(ScreenConfig):
    """A random sparse network of genes, knock-downs of some of them, and counts.

    Each gene has a position ``u`` near the centre of its module (a program, or one of four others); it regulates ``edges``
    genes, chosen by how strongly its position favours their module, with that sign::

        b[i, k] = u[i] . v[k]                       P(i regulates j in module k) ~ |b[i, k]|,  W[i, j] = sign(b) w / sqrt(edges)
        d[i] = log(knockdown);  three times: d[j] = 2 tanh(sum over i of d[i] W[i, j] / 2), d[i] held
        count ~ Poisson(library of the cell * base[j] * exp(d[j]) * batch[b, j])
        embedding[i] = structure * R u[i] / |typical| + noise * N(0, 1)

    so that a knock-down's effect on programs follows from the position, up to the chance of the edges, and the embedding tells
    the position. ``structure = 0`` makes embeddings pure noise: the control, where nothing can be predicted of unseen genes.

    genes: all of the programs' genes and others named SIM0001 on. targets: genes knocked down. cells: for each target;
    control_cells: unperturbed. depth: mean counts of a cell. batch_effect: deviation of log factors. Each target's cells are
    spread unevenly over the ``batches``.
    """

    genes: int = number(1200, 500, 50_000)
    targets: int = number(300, 4, 50_000)
    cells: int = number(40, 1, 100_000)
    control_cells: int = number(1000, 1, 1_000_000)
    batches: int = number(3, 1, 1000)
    depth: float = number(10_000.0, 100.0, 1e7)
    batch_effect: float = number(0.2, 0.0, 5.0)
    edges: int = number(60, 1, 10_000)
    strength: float = number(1.0, 0.0, 100.0)
    knockdown: float = number(0.2, 0.0, 1.0, open_ends=True)
    embedding: int = number(64, 1, 100_000)
    structure: float = number(1.0, 0.0, 100.0)
    noise: float = number(0.5, 0.0, 100.0)
    seed: int = number(0, 0)

    def check(self) -> None:
        if self.targets > self.genes:
            raise ConfigError(f"SyntheticScreen knocks down {self.targets} of {self.genes} genes: allowed at most all")
        if self.edges >= self.genes:
            raise ConfigError(f"SyntheticScreen.edges = {self.edges}: allowed below the number of genes, {self.genes}")

    def build(self) -> SimulatedScreen:
        return SimulatedScreen(self)


class Network(NamedTuple):
    """The truth behind a simulated screen. genes: names. position [genes, 12]. weights: sparse [genes, genes], from regulator
    to regulated. effects [targets, genes]: changes of log expression. targets: places among the genes."""

    genes: tuple[str, ...]
    position: np.ndarray
    weights: sparse.csr_matrix
    effects: np.ndarray
    targets: np.ndarray


class SimulatedScreen(ArrayScreen):
    """See :class:`SyntheticScreen`; ``network`` is what the counts were made from."""

    def __init__(self, config: SyntheticScreen) -> None:
        self.network = network(config)
        counts, targets, batches = _counts(config, self.network)
        embeddings = _embeddings(config, self.network)
        super().__init__(counts, self.network.genes, targets, batches, "synthetic", embeddings=embeddings)


def _dice(config: SyntheticScreen, what: str) -> np.random.Generator:
    """A stream of its own for each part, so that changing one part (embeddings, say) leaves the others as they were."""
    return np.random.default_rng(keyed_generator(config.seed, f"screen/{what}").initial_seed())


def network(config: SyntheticScreen) -> Network:
    """Draw the genes, who regulates whom, and what each knock-down does."""
    genes, module = _modules(config)
    dice = _dice(config, "network")
    kinds = module.max() + 1
    position = dice.normal(size=(kinds, POSITION))[module] + dice.normal(size=(len(genes), POSITION))
    directions = np.linalg.qr(dice.normal(size=(POSITION, POSITION)))[0][:, :kinds]
    influence = position @ directions
    weights = _wire(config, module, influence, _dice(config, "edges"))
    targets = np.sort(_dice(config, "targets").choice(len(genes), config.targets, replace=False))
    return Network(genes, position, weights, knock_down(weights, targets, config.knockdown), targets)


def _modules(config: SyntheticScreen) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the genes and the module of each; a gene of two programs is in the first."""
    module: dict[str, int] = {}
    for index, program in enumerate(programs()):
        for gene in program.genes:
            module.setdefault(gene, index)
    others, first = config.genes - len(module), len(programs())
    kinds = _dice(config, "modules").integers(first, first + BACKGROUND, size=others)
    module.update({f"SIM{index + 1:04d}": int(kind) for index, kind in enumerate(kinds)})
    return tuple(module), np.array(list(module.values()))


def _wire(
    config: SyntheticScreen, module: np.ndarray, influence: np.ndarray, dice: np.random.Generator
) -> sparse.csr_matrix:
    rows, columns, values = [], [], []
    for gene, favour in enumerate(influence):
        chance = np.abs(favour)[module]
        chance[gene] = 0.0
        chosen = dice.choice(len(module), config.edges, replace=False, p=chance / chance.sum())
        rows.append(np.full(config.edges, gene))
        columns.append(chosen)
        size = config.strength * dice.uniform(0.5, 1.5, config.edges) / math.sqrt(config.edges)
        values.append(np.sign(favour[module[chosen]]) * size)
    joined = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(joined, shape=(len(module), len(module)))


def knock_down(weights: sparse.csr_matrix, targets: np.ndarray, level: float, steps: int = 3) -> np.ndarray:
    """Changes of log expression [targets, genes] when each target is held at ``level`` of its expression, after ``steps``."""
    place = np.arange(len(targets))
    delta = np.zeros((len(targets), weights.shape[0]))
    delta[place, targets] = math.log(level)
    for _ in range(steps):
        delta = BOUND * np.tanh((weights.T @ delta.T).T / BOUND)
        delta[place, targets] = math.log(level)
    return delta


def _counts(config: SyntheticScreen, net: Network) -> tuple[sparse.csr_matrix, list[str], list[str]]:
    dice = _dice(config, "counts")
    base = dice.lognormal(0.0, 1.0, len(net.genes))
    base /= base.sum()
    batch = np.exp(dice.normal(0.0, config.batch_effect, (config.batches, len(net.genes))))
    blocks, targets, batches = [], [], []
    for name, effect, cells in _groups(config, net):
        share = dice.dirichlet(np.ones(config.batches)) if name != CONTROL else None
        chosen = dice.choice(config.batches, cells, p=share)
        library = config.depth * dice.lognormal(-0.045, 0.3, cells)
        rate = library[:, None] * base * np.exp(effect) * batch[chosen]
        blocks.append(sparse.csr_matrix(dice.poisson(rate).astype(np.float32)))
        targets += [name] * cells
        batches += [f"batch{index + 1}" for index in chosen]
    return sparse.csr_matrix(sparse.vstack(blocks)), targets, batches


def _groups(config: SyntheticScreen, net: Network) -> Iterator[tuple[str, Any, int]]:
    yield CONTROL, 0.0, config.control_cells
    for target, effect in zip(net.targets, net.effects, strict=True):
        yield net.genes[target], effect, config.cells


def _embeddings(config: SyntheticScreen, net: Network) -> GeneEmbeddings:
    mixed = net.position @ _dice(config, "mixing").normal(size=(POSITION, config.embedding))
    mixed = mixed / mixed.std()
    noise = _dice(config, "noise").normal(size=mixed.shape)
    vectors = torch.from_numpy(config.structure * mixed + config.noise * noise).float()
    return GeneEmbeddings(net.genes, vectors, "synthetic")
