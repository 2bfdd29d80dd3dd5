"""Experts: what they compute, token by token and by hand; what tires; what a router prefers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from wetware.config import ConfigError
from wetware.layers import DotRouting, Fatigue, RabSnareRouting, RouterInhibition, SynapticExperts, UltrametricRouting
from wetware.layers.fatigue import decoded, leaky
from wetware.operations import Workload, operations, uncounted
from wetware.parameters import initialize

WIDTH = 12


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def built(seed=0, gate=0.5, **given):
    layer = SynapticExperts(**{"experts": 3, "most": 5, "hidden": 7} | given).build(width=WIDTH, depth=2)
    initialize(layer, seed)
    with torch.no_grad():
        layer.gate.fill_(gate)
    return layer


def kept(batch, steps, *starts):
    keep = torch.ones(batch, steps, dtype=torch.bool)
    for row, step in starts:
        keep[row, step] = False
    return keep


def walked(drive, state, decay, keep):
    tired = []
    for t in range(drive.shape[1]):
        state = state * keep[:, t, None]
        tired.append(state)
        state = decay * state + (1 - decay) * drive[:, t]
    return torch.stack(tired, 1), state


@pytest.mark.parametrize("steps", [1, 5, 17, 46])
def test_fatigue_is_the_walk(steps):
    drive, state = noise(3, steps, 4).double().softmax(-1), noise(3, 4, seed=1).double().sigmoid()
    decay = torch.tensor([0.01, 0.5, 0.9, 0.999], dtype=torch.float64)
    keep = torch.rand(3, steps, generator=torch.Generator().manual_seed(2)) > 0.15
    inputs = [tensor.requires_grad_() for tensor in (drive, state, decay)]
    mine, hand = leaky(*inputs, keep), walked(*inputs, keep)
    torch.testing.assert_close(mine, hand, atol=1e-12, rtol=1e-12)
    grads = [
        torch.autograd.grad((u * noise(*u.shape, seed=3)).sum() + v.square().sum(), inputs) for u, v in (mine, hand)
    ]
    torch.testing.assert_close(*grads, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("top_k", [1, 2, 5])
@pytest.mark.parametrize(
    "routing", [DotRouting(), RabSnareRouting(dim=3), UltrametricRouting()], ids=lambda r: type(r).__name__
)
def test_the_formula(top_k, routing):
    """Every living expert in turn for one token, with fatigue walked along."""
    layer, x, keep = built(top_k=top_k, routing=routing), noise(2, 9, WIDTH), kept(2, 9, (0, 4))
    with torch.no_grad():
        layer.log_share[1] = -0.7
    found = layer(x, layer.init_state(2), keep).hidden
    genes = decoded(layer.genes)
    scores = (genes.selectivity * layer.router(x))[..., :3]
    drive = scores.exp() / (scores + layer.log_share[:3]).exp().sum(-1, keepdim=True)
    tired, _ = walked(drive, torch.zeros(2, 3), torch.exp(-1 / (32 * genes.tau[:3])), keep)
    scores = scores - 0.25 * genes.strength[:3] * tired
    for row, step in torch.cartesian_prod(torch.arange(2), torch.arange(9)).tolist():
        best = scores[row, step].argsort(descending=True)[: min(top_k, 3)]
        weights = (scores[row, step] + layer.log_share[:3])[best].softmax(0)
        made = [layer.down[e] @ (layer.up[e] @ x[row, step]).relu().square() * genes.gain[e] for e in best]
        expected = torch.tanh(layer.gate) * sum(w * y for w, y in zip(weights, made, strict=True))
        torch.testing.assert_close(found[row, step], expected, atol=1e-5, rtol=1e-4)


def test_the_dead_are_not_asked():
    layer, x = built(top_k=2), noise(2, 20, WIDTH)
    with torch.no_grad():
        layer.alive[0] = False
        for parameter in (layer.up, layer.down, layer.router.weight):
            parameter[[0, 3, 4]] = torch.nan
    answered = layer(x.requires_grad_(), layer.init_state(2), kept(2, 20))
    assert answered.hidden.isfinite().all()
    assert answered.evidence.counts.tolist() == [0, 40, 40, 0, 0]


def test_the_router_learns_though_one_expert_has_all_the_weight():
    """At top-1, the derivative by a score is that of log p times what the chosen one is worth."""
    layer, x = built(fatigue=None, balance=None, inhibition=None), noise(1, 1, WIDTH).requires_grad_()
    with torch.no_grad():
        layer.genes.zero_()
    answered = layer(x, (), kept(1, 1))
    weigh = noise(WIDTH, seed=5)
    (gradient,) = torch.autograd.grad((answered.hidden * weigh).sum(), layer.router.weight)
    scores = layer.router(x)[0, 0, :3]
    chosen = scores.argmax()
    worth = (answered.hidden[0, 0] * weigh).sum()
    slope = worth * (functional.one_hot(chosen, 3) - scores.softmax(0))
    torch.testing.assert_close(gradient[:3], slope[:, None] * x[0], atol=1e-6, rtol=1e-4)
    assert gradient[3:].abs().sum() == 0


def test_the_evidence_is_the_income():
    """Silencing an expert a little changes the loss by as much as its income says."""
    layer, x = built(top_k=2).double(), noise(2, 15, WIDTH).double()
    weigh = noise(2, 15, WIDTH, seed=5).double()
    answered = layer(x.requires_grad_(), layer.init_state(2), kept(2, 15))
    loss = (answered.hidden * weigh).sum()
    loss.backward()
    quieter = built(top_k=2).double()
    with torch.no_grad():
        quieter.genes[1, 3] += torch.log1p(torch.tensor(-1e-6, dtype=torch.float64))
        change = (quieter(x, quieter.init_state(2), kept(2, 15)).hidden * weigh).sum() - loss
    assert -answered.evidence.multipliers.grad[1] * 1e-6 == pytest.approx(float(change), rel=1e-3)


def test_a_tired_expert_is_chosen_less():
    x = noise(1, 1, WIDTH).expand(1, 60, WIDTH)
    rested, tired = (built(fatigue=fatigue, lifecycle=None) for fatigue in (None, Fatigue(tau=10.0, strength=8.0)))
    counts = []
    for layer in (rested, tired):
        scores, _ = layer.scores(x, layer.init_state(1), kept(1, 60), decoded(layer.genes))
        counts.append(len(set(scores.argmax(-1).flatten().tolist())))
    assert counts[0] == 1 < counts[1]


def test_inhibition_pushes_apart_what_is_alike():
    codes, alive = noise(3, 8).requires_grad_(), torch.tensor([True, True, False])
    with torch.no_grad():
        codes[1] = codes[0] + 0.1 * codes[2]
    cosine = lambda: functional.cosine_similarity(codes[0], codes[1], dim=0)  # noqa: E731
    before = cosine().item()
    loss = RouterInhibition(push=1.0).loss(codes, alive)
    assert loss.item() == pytest.approx(before**2, rel=1e-5)
    loss.backward()
    assert codes.grad[2].abs().sum() == 0
    with torch.no_grad():
        codes -= 5.0 * codes.grad
    assert cosine() < before - 0.01
    assert RouterInhibition().loss(noise(2, 3), torch.tensor([True, False])) == 0


def test_an_address_counts_from_its_first_digit():
    router = UltrametricRouting(depth=2, base=2).build(width=4, slots=4)
    with torch.no_grad():
        router.sharpness.fill_(1.0)
        router.digits.weight.copy_(50.0 * torch.eye(4))  # digits 0 of level 0, 0 of level 1
        router.address.copy_(50.0 * functional.one_hot(torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), 2))
    scores = router(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    torch.testing.assert_close(scores, torch.tensor([2.0, 1.0, 0.0, 0.0]))


@pytest.mark.parametrize(
    "routing", [DotRouting(), RabSnareRouting(dim=3), UltrametricRouting()], ids=lambda r: type(r).__name__
)
def test_operations_read_every_matrix(routing):
    layer = built(routing=routing)
    assert uncounted(layer, operations(layer, Workload({}, torch.ones(3), 8))) == []


@pytest.mark.parametrize("wrong", [{"experts": 9}, {"top_k": 9}])
def test_more_than_there_are(wrong):
    with pytest.raises(ConfigError, match="allowed 1 to most = 8"):
        SynapticExperts(**wrong)
