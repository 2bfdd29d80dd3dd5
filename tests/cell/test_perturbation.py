import math

import pytest
import torch

from wetware.cell import DeltaMLP, Expression, Fitting
from wetware.cell.perturbation import fit, loss_for
from wetware.parameters import initialize

MATRIX = torch.tensor([[0.5, 0.5, 0.0]])


def expression(delta, cells=None, targets=None, genes=("G1", "G2", "G3")):
    delta = torch.tensor(delta)
    targets = targets or tuple(f"T{index}" for index in range(len(delta)))
    cells = torch.ones(len(delta)) if cells is None else torch.tensor(cells)
    return Expression(genes, targets, torch.zeros(len(genes)), delta, cells, "synthetic")


def toy(n=60, seed=0):
    """Changes that are linear in a four-dimensional embedding; the last third is for validation."""
    dice = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 4, generator=dice)
    truth = (inputs @ torch.randn(4, 3, generator=dice)).tolist()
    cut = 2 * n // 3
    held = expression(truth[cut:], targets=tuple(f"V{index}" for index in range(n - cut)))
    return expression(truth[:cut]), held, (inputs[:cut], inputs[cut:])


def test_an_untrained_model_predicts_control():
    network = DeltaMLP().build(1280, 2177)
    initialize(network, seed=3)
    assert torch.equal(network(torch.randn(5, 1280)), torch.zeros(5, 2177))
    assert sum(p.numel() for p in network.parameters()) == 1280 * 64 + 64 + 2 * 64 + 64 * 2177 + 2177  # 223,617
    network.inner.data.zero_()
    network.outer.data.normal_()
    assert torch.equal(network(torch.randn(5, 1280)), torch.zeros(5, 2177))  # LayerNorm of zeros, gelu(0) = 0


def test_constant_dimensions_are_left_out():
    network = DeltaMLP().build(3, 2)
    initialize(network, seed=0)
    torch.nn.init.normal_(network.outer)
    network.standardise(torch.tensor([[1.0, 5.0, 0.0], [3.0, 5.0, 2.0]]))
    one, other = network(torch.tensor([[1.0, 5.0, 0.0], [1.0, 99.0, 0.0]]))
    assert torch.equal(one, other)
    assert torch.isfinite(one).all()


def test_loss_by_hand():
    """Two targets of 1 and 9 cells, so weights 1 and 3; G1 and G2 are of the program and weigh 5."""
    train = expression([[1.0, 1.0, 2.0], [-1.0, 1.0, 0.0]], cells=[1.0, 9.0])
    loss = loss_for(Fitting(score_weight=2.0), train, MATRIX)
    assert loss.genes.tolist() == [5.0, 5.0, 1.0]
    size = (1 * (5 + 5 + 4) + 3 * (5 + 5 + 0)) / 4
    assert float(loss.size) == pytest.approx(size)
    assert loss.variance.tolist() == [0.25]  # scores 1 and 0
    # nothing predicted: the error of expression is 1, that of scores 1 and 0 over .25, weighted 1 and 3
    assert float(loss(torch.zeros(2, 3), train)) == pytest.approx(1.0 + 2.0 * (1 * 4.0 + 3 * 0.0) / 4)
    assert float(loss(train.delta, train)) == 0.0


def test_the_own_target_is_not_scored_but_is_predicted():
    train = expression([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], targets=("G1", "OTHER"))
    loss = loss_for(Fitting(), train, MATRIX)
    off = train.delta.clone()
    off[0, 0] += 1.0
    error = (5.0 * 1.0 / 2) / float(loss.size)
    assert float(loss(off, train)) == pytest.approx(error)  # no term of the scores


def test_a_program_without_genes_does_no_harm():
    train, held, inputs = toy()
    fitted = fit(DeltaMLP(), Fitting(steps=5), train, held, inputs, torch.cat([MATRIX, torch.zeros(1, 3)]))
    assert all(math.isfinite(loss) for loss in fitted.history)


def test_training_learns_and_keeps_its_best():
    train, held, inputs = toy()
    fitted = fit(DeltaMLP(dropout=0.0), Fitting(rate=0.01, steps=200), train, held, inputs, MATRIX)
    assert fitted.history[fitted.best] == min(fitted.history) < 0.3 * fitted.history[0]
    loss = loss_for(Fitting(), train, MATRIX)
    assert loss(fitted.network(inputs[1]), held).item() == pytest.approx(min(fitted.history))


def test_patience_stops_and_none_goes_on():
    train, held, inputs = toy()
    noise = (inputs[0][torch.randperm(len(inputs[0]))], inputs[1])
    stopped = fit(DeltaMLP(), Fitting(rate=0.05, steps=400, patience=10), train, held, noise, MATRIX)
    assert len(stopped.history) - 1 == stopped.best + 10
    ended = fit(DeltaMLP(), Fitting(rate=0.05, steps=40, patience=None), train, held, noise, MATRIX)
    assert len(ended.history) == 41
    assert ended.best == 40


def test_the_seed_is_the_run():
    train, held, inputs = toy()

    def run(seed):
        torch.rand(seed + 1)  # the global generator has no say
        return fit(DeltaMLP(), Fitting(steps=10), train, held, inputs, MATRIX, seed)

    one, same, other = run(0), run(0), run(1)
    assert one.history == same.history != other.history
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, same.network.state_dict()[name])
