from dataclasses import replace

import pytest
import torch

from wetware.cell import (
    PROGRAMS,
    ControlSets,
    Expression,
    Fitting,
    Preparation,
    SyntheticScreen,
    TargetSplit,
    VirtualCell,
    load_cell,
    prepare,
    save_cell,
)
from wetware.cell.virtual_cell import train_on
from wetware.config import from_dict, to_dict, with_
from wetware.data.files import DataError
from wetware.modulation import packaged_effects

SPLIT = TargetSplit(validation=0.15, test=0.2)


@pytest.fixture(scope="module")
def learnable():
    """A screen large enough to learn from, and what knock-downs change in it."""
    config = SyntheticScreen(genes=500, targets=200, cells=20, control_cells=500, noise=0.2)
    screen = config.build()
    return config, screen, prepare(screen, Preparation())


@pytest.fixture(scope="module")
def cell(learnable):
    config, screen, expression = learnable
    return train_on(VirtualCell(screen=config, split=SPLIT), expression, screen.embeddings)


def test_structure_is_found_in_genes_never_seen(cell, learnable):
    result = cell.score(learnable[2])
    assert result.targets == len(cell.parts["test"]) > 30
    assert result.source == "synthetic"
    rs = [fit.r for fit in result.programs]
    assert sum(rs) / 6 > 0.6
    assert max(fit.p for fit in result.programs) < 0.01
    for fit in result.programs:
        assert fit.error["model"] < min(fit.error["mean"], fit.error["zero"])
        assert fit.r2["model"] > 0.1 > fit.r2["mean"]


def test_nothing_is_found_where_embeddings_say_nothing(learnable):
    """The same counts, embeddings of noise: what is learnt by heart does not carry over to genes never seen."""
    config, _, expression = learnable
    noise = replace(config, structure=0.0).build().embeddings
    no_stop = Fitting(steps=100, patience=None)
    result = train_on(VirtualCell(split=SPLIT, fitting=no_stop), expression, noise).score(expression)
    rs = [fit.r for fit in result.programs]
    assert abs(sum(rs) / 6) < 0.15
    assert all(fit.r2["model"] < 0.05 for fit in result.programs)
    # with early stopping the model sees this itself, and keeps to little or no change
    careful = train_on(VirtualCell(split=SPLIT), expression, noise)
    assert careful.best < 20


def test_parts_do_not_share_a_gene(cell, learnable):
    parts = [set(part) for part in cell.parts.values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(learnable[2].targets)


def test_held_out_targets_are_not_learnt_from(cell, learnable):
    """Whatever the test targets' expression had been, the model would be the same."""
    _, screen, expression = learnable
    rows = [expression.targets.index(target) for target in cell.parts["test"]]
    changed = expression.delta.clone()
    changed[rows] = 100.0
    again = train_on(cell.config, expression._replace(delta=changed), screen.embeddings)
    assert again.history == cell.history
    assert torch.equal(again.mean, cell.mean)
    assert torch.equal(again.effects().scores, cell.effects().scores)


def test_prediction_is_control_plus_change(cell):
    targets = cell.parts["test"][:3]
    assert torch.allclose(cell.predict(targets) - cell.control, cell.delta(targets), atol=1e-6)
    effects = cell.effects(targets)
    assert (effects.genes, effects.programs, effects.source) == (targets, PROGRAMS, "synthetic")


def test_a_cell_comes_back_as_it_went(cell, learnable, tmp_path):
    back = load_cell(save_cell(cell, tmp_path / "cell"))
    assert back.config == cell.config
    assert (back.genes, back.parts, back.source, back.best) == (cell.genes, cell.parts, cell.source, cell.best)
    assert torch.equal(back.effects().scores, cell.effects().scores)
    assert back.score(learnable[2]) == cell.score(learnable[2])
    file = tmp_path / "cell" / "cell.safetensors"
    damaged = bytearray(file.read_bytes())
    damaged[-2] ^= 1
    file.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match="not what was written"):
        load_cell(tmp_path / "cell")
    (tmp_path / "cell" / "cell.json").write_text("{}")
    with pytest.raises(DataError, match="no cell model of format 1"):
        load_cell(tmp_path / "cell")
    with pytest.raises(DataError, match="no cell model in"):
        load_cell(tmp_path)


def test_new_targets_need_embeddings_of_their_own(cell, learnable):
    _, screen, expression = learnable
    new = next(gene for gene in screen.genes if gene not in expression.targets)
    other = Expression(cell.genes, (new,) * 1, cell.control, expression.delta[:1], expression.cells[:1], "real")
    assert cell.score(other).missing == 1
    assert cell.score(other, screen.embeddings).missing == 0


def test_configs_round_trip():
    config = VirtualCell(correction=ControlSets(), screen=SyntheticScreen(structure=0.0))
    assert from_dict(to_dict(config)) == config


PREPARED = ["preparation.library", "preparation.variable_genes", "preparation.shrinkage"]
TRAINED = [
    *("split.validation", "split.test", "split.seed", "network.hidden", "network.dropout", "fitting.rate", "seed"),
    *("fitting.weight_decay", "fitting.program_weight", "fitting.score_weight", "fitting.steps", "fitting.patience"),
    *("correction", "correction.bins", "correction.size"),
]


@pytest.mark.parametrize("path", [*PREPARED, *TRAINED])
def test_no_dead_knob(path, small_screen):
    """Every field moves the trained cell. Left out: ``preparation.block``, which must not, and ``min_counts``, tested alone."""
    fitting = Fitting(steps=12, patience=3, rate=0.02)
    base = VirtualCell(split=SPLIT, fitting=fitting, preparation=Preparation())
    if path.startswith("correction."):
        base = replace(base, correction=ControlSets(bins=2, size=2))
    value = base
    for name in path.split("."):
        value = getattr(value, name)
    changes = {
        "preparation.variable_genes": 5,
        "fitting.steps": 2,
        "fitting.patience": None,
        "correction": ControlSets(),
    }
    moved = with_(base, path, changes.get(path, value + 1 if isinstance(value, int) else (value or 0) * 1.5))
    assert trained(moved, small_screen) != trained(base, small_screen)


def trained(config, screen):
    made = config.build(screen=screen)
    weights = sum(float(tensor.double().abs().sum()) for tensor in made.network.state_dict().values())
    return made.history, weights, made.genes, tuple(made.matrix.sum(1).tolist())


@pytest.mark.slow
def test_the_packaged_effects_are_those_of_the_default_cell():
    """``wetware cell train --data synthetic --out DIR``, then ``wetware cell program DIR --out FILE``, made the file."""
    made, kept = VirtualCell().build().effects(), packaged_effects()
    assert made.genes == kept.genes
    assert torch.allclose(made.scores, kept.scores, atol=1e-3)
