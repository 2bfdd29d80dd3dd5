import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.cell import ArrayScreen, Preparation, TargetSplit, prepare
from wetware.cell.expression import changes, gene_moments, normalised, pseudobulk, variable_genes
from wetware.config import ConfigError
from wetware.data.files import DataError

PLAIN = Preparation(library=10.0, min_counts=1.0, shrinkage=0.0)


def small(targets, batches, counts):
    return ArrayScreen(np.array(counts, dtype=float), ("PCNA", "MAP2"), targets, batches, "real")


def test_pseudobulk_and_change_by_hand():
    """Every cell has 10 counts, so a count is its share. Batch 2 doubles PCNA in all of its cells, and nothing else happens."""
    targets = ["non-targeting", "non-targeting", "non-targeting", "A", "A", "A"]
    batches = ["1", "1", "2", "1", "2", "2"]
    counts = [[2, 8], [4, 6], [6, 4], [3, 7], [6, 4], [6, 4]]
    screen = small(targets, batches, counts)
    bulk = pseudobulk(screen, [0, 1], PLAIN)
    groups = list(zip(bulk.targets, bulk.batches, strict=True))
    row = groups.index(("non-targeting", "1"))
    assert bulk.cells[row] == 2
    assert bulk.sums[row] == pytest.approx([math.log(3) + math.log(5), math.log(9) + math.log(7)])
    made = changes(bulk, screen.genes, "non-targeting", "real", shrinkage=0.0)
    first = math.log(4) - (math.log(3) + math.log(5)) / 2  # batch 1: one cell against its two controls
    assert made.delta[0, 0] == pytest.approx(first / 3)  # batch 2 changes nothing, and has two of the three cells
    assert made.control[0] == pytest.approx((math.log(3) + math.log(5) + math.log(7)) / 3)
    assert made.cells.tolist() == [3.0]
    # against controls of all batches the batch itself would look like an effect of A
    wrong = (math.log(4) + 2 * math.log(7)) / 3 - float(made.control[0])
    assert abs(float(made.delta[0, 0]) - wrong) > 0.1


def test_shrinkage_by_hand():
    screen = small(["non-targeting", "A"], ["1", "1"], [[2, 8], [5, 5]])
    free = prepare(screen, PLAIN).delta
    shrunk = prepare(screen, Preparation(library=10.0, min_counts=1.0, shrinkage=3.0)).delta
    assert free[0, 0] == pytest.approx(math.log(6) - math.log(3))
    assert torch.allclose(shrunk, free / 4)  # n / (n + n0) = 1 / (1 + 3)


def test_batches_without_controls_do_not_count():
    counts = [[2, 8], [3, 7], [9, 1], [5, 5]]
    screen = small(["non-targeting", "A", "A", "B"], ["1", "1", "2", "2"], counts)
    made = prepare(screen, PLAIN)
    assert made.targets == ("A",)
    assert made.dropped == ("B",)
    assert made.delta[0, 0] == pytest.approx(math.log(4) - math.log(3))
    alone = small(["non-targeting", "A"], ["1", "2"], [[2, 8], [3, 7]])
    with pytest.raises(DataError, match="shares a batch"):
        prepare(alone, PLAIN)


def test_cells_with_few_counts_are_left_out():
    screen = small(["non-targeting", "A", "A"], ["1"] * 3, [[20, 80], [30, 70], [1, 0]])
    made = prepare(screen, Preparation(min_counts=50.0))
    assert made.cells.tolist() == [1.0]
    with pytest.raises(DataError, match="at least 2"):
        prepare(screen, Preparation(min_counts=1000.0))
    scaled, kept = normalised(screen.counts.astype(float), Preparation(min_counts=50.0, library=1e4))
    assert kept.tolist() == [True, True, False]
    assert scaled.sum(1).tolist() == [[1e4], [1e4], [0.0]]


def test_any_block_size_gives_the_same(small_screen):
    whole = prepare(small_screen, Preparation(variable_genes=10, block=100_000))
    pieces = prepare(small_screen, Preparation(variable_genes=10, block=37))
    assert whole.genes == pieces.genes
    assert torch.allclose(whole.delta, pieces.delta, atol=1e-6)


def test_program_genes_are_kept_besides_variable_ones():
    dice = np.random.default_rng(0)
    counts = dice.poisson(20.0, (40, 30))
    counts[:, 7] = np.where(np.arange(40) % 2, 0, 40)  # one gene varies, around the same mean
    genes = [f"X{index}" for index in range(29)] + ["PCNA"]
    targets = ["non-targeting"] * 20 + ["A"] * 20
    made = prepare(ArrayScreen(counts, genes, targets, ["1"] * 40, "real"), Preparation(variable_genes=1, min_counts=1))
    assert made.genes == ("X7", "PCNA")


def test_variable_genes_are_those_of_scanpy(small_screen):
    scanpy = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    config = Preparation(min_counts=1.0)
    chosen = variable_genes(gene_moments(small_screen, config), 50)
    data = anndata.AnnData(small_screen.counts.astype(np.float64).copy())
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    scanpy.pp.highly_variable_genes(data, flavor="seurat", n_top_genes=50)
    assert chosen == np.flatnonzero(data.var["highly_variable"]).tolist()


@given(st.lists(st.text("ABCDEF", min_size=1, max_size=6), min_size=1, unique=True), st.integers(0, 5))
def test_a_split_never_leaks(targets, seed):
    split = TargetSplit(validation=0.3, test=0.3, seed=seed)
    parts = [split.part(target) for target in targets]
    assert set(parts) <= {"train", "validation", "test"}
    # a target's part does not depend on what else is there: no other data can move it from test to training
    assert [TargetSplit(validation=0.3, test=0.3, seed=seed).part(target) for target in reversed(targets)] == parts[
        ::-1
    ]


def test_a_split_has_its_shares_and_its_seed():
    targets = [f"GENE{index}" for index in range(2000)]
    parts = TargetSplit().of(targets)
    assert sorted(sum(parts.values(), ())) == sorted(targets)
    assert len(parts["test"]) == pytest.approx(200, abs=50)
    assert len(parts["validation"]) == pytest.approx(200, abs=50)
    assert TargetSplit(seed=1).of(targets)["test"] != parts["test"]
    with pytest.raises(DataError, match="leave none for"):
        TargetSplit().of(["A"])
    with pytest.raises(ConfigError, match="nothing to train on"):
        TargetSplit(validation=0.5, test=0.5)


def test_genes_of_a_model_must_be_there(small_screen):
    with pytest.raises(DataError, match="1 of the model's 2 genes, 'NOPE' for one"):
        prepare(small_screen, Preparation(), genes=("PCNA", "NOPE"))
    made = prepare(small_screen, Preparation(), genes=("MAP2", "PCNA"))
    assert made.genes == ("MAP2", "PCNA")
    assert made.own().tolist() == [made.genes.index(t) if t in made.genes else -1 for t in made.targets]
