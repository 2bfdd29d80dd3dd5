import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy import sparse

from wetware.cell import Preparation, SyntheticScreen, prepare
from wetware.cell.synthetic import knock_down
from wetware.config import ConfigError


def test_knock_down_by_hand():
    """0 -> 1 -> 2, weights 1 and -0.5: after three steps gene 1 has felt gene 0, and gene 2 has felt gene 1."""
    weights = sparse.csr_matrix(np.array([[0, 1.0, 0], [0, 0, -0.5], [0, 0, 0]]))
    first = 2 * math.tanh(math.log(0.2) / 2)
    second = 2 * math.tanh(-0.5 * first / 2)
    delta = knock_down(weights, np.array([0]), 0.2, steps=3)
    assert delta[0].tolist() == pytest.approx([math.log(0.2), first, second])
    one = knock_down(weights, np.array([0, 2]), 0.2, steps=1)
    assert one[0].tolist() == pytest.approx([math.log(0.2), first, 0.0])
    assert one[1].tolist() == pytest.approx([0.0, 0.0, math.log(0.2)])


def test_it_says_that_it_is_synthetic(small_screen):
    assert small_screen.source == "synthetic"
    assert small_screen.embeddings.source == "synthetic"
    assert prepare(small_screen, Preparation()).source == "synthetic"


def test_counts_show_the_network(small_config):
    """With many cells, the measured change of a regulated gene is the true one, whatever the batches do."""
    config = replace(small_config, targets=6, cells=400, control_cells=2000, batch_effect=1.0, depth=20_000.0)
    screen = config.build()
    made = prepare(screen, Preparation(shrinkage=0.0, min_counts=1.0))
    net = screen.network
    assert made.targets == tuple(sorted(net.genes[target] for target in net.targets))
    order = [made.targets.index(net.genes[target]) for target in net.targets]
    columns = [net.genes.index(gene) for gene in made.genes]
    # knocked down to 0.2, less what the log of 1 + x takes off
    assert (made.delta[order, made.own()[order]] < -0.3).all()
    for measured, true in zip(made.delta[order].numpy(), net.effects[:, columns], strict=True):
        assert np.corrcoef(measured, true)[0, 1] > 0.8


def test_knobs_of_the_embedding_leave_the_counts(small_config, small_screen):
    other = replace(small_config, structure=0.0).build()
    assert (other.counts != small_screen.counts).nnz == 0
    assert not torch.equal(other.embeddings.vectors, small_screen.embeddings.vectors)
    position = small_screen.network.position

    def explained(vectors):
        """Share of the embedding's variance that is linear in the gene's position."""
        centred = vectors.numpy() - vectors.numpy().mean(0)
        x = position - position.mean(0)
        fit = x @ np.linalg.lstsq(x, centred, rcond=None)[0]
        return (fit**2).sum() / (centred**2).sum()

    assert explained(small_screen.embeddings.vectors) > 0.7
    assert explained(other.embeddings.vectors) < 0.05  # 12 of 500 dimensions by chance


def fingerprint(screen):
    return (
        screen.genes,
        tuple(screen.targets),
        tuple(screen.batches),
        screen.counts.sum(),
        screen.embeddings.vectors.sum(),
    )


@pytest.mark.parametrize("name", [field.name for field in fields(SyntheticScreen)])
def test_no_dead_knob(name, small_config, small_screen):
    value = getattr(small_config, name)
    moved = replace(small_config, **{name: value + 1 if isinstance(value, int) else value * 0.9})
    assert fingerprint(moved.build()) != fingerprint(small_screen)
    assert fingerprint(small_config.build()) == fingerprint(small_screen)


def test_impossible_screens_are_refused():
    with pytest.raises(ConfigError, match="knocks down 600 of 500"):
        SyntheticScreen(genes=500, targets=600)
    with pytest.raises(ConfigError, match="edges = 500"):
        SyntheticScreen(genes=500, targets=10, edges=500)
