"""Kuramoto coupling: one step by hand, Kuramoto's own equation, synchrony, boundaries."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.kernels import kuramoto_scan, rms_norm
from wetware.operations import Workload, operations, uncounted
from wetware.parameters import initialize
from wetware.traits import Context, Kuramoto, Place, order_parameter

PLACE = Place(width=24, neurons=16, layers=2, vocab_size=11, boundary=0)
SMALL = Kuramoto(oscillators=7, dimension=4, rank=3)


def opened(config, a=0.7, seed=0):
    trait = config.build(PLACE)
    initialize(trait, seed)
    with torch.no_grad():
        trait.opening.fill_(a)
    return trait


def reading(steps, seed=0, batch=3):
    """Hidden vectors, and their context: one row starts a document in its middle, one at its first token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, 11, (batch, steps), generator=generator)
    tokens[0, steps // 2] = tokens[1, 0] = 0
    hidden = rms_norm(torch.randn(batch, steps, 24, generator=generator))
    return hidden, Context(tokens, (tokens != 0).float(), torch.zeros(11, 24), lambda x: x)


def alone(state, turns, coupling, steps, step):
    """Oscillators in the plane [2, G], in float32, that nothing drives and nothing couples in pairs: [T, 2, G]."""
    count = state.shape[1]
    rotation = torch.zeros(2, 2, count)
    rotation[1, 0], rotation[0, 1] = turns, -turns
    none = torch.zeros(2 * count, 1)
    drive = torch.zeros(1, steps, 2, count)
    return kuramoto_scan(drive, state[None], state, rotation, none, none, torch.tensor([coupling]), step=step)[0]


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_two_oscillators_by_hand(backend):
    """At a right angle, mean (1/2, 1/2). The first is pulled up by 1/2 and turns up by 1, the second is pulled right by 1/2 and
    turns left by 1."""
    state = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # columns are oscillators
    with kuramoto_scan.using(backend):
        made = alone(state, torch.ones(2), coupling=1.0, steps=1, step=0.5)[0]
    first, second = torch.tensor([1.0, 0.75]) / 1.25, torch.tensor([-0.25, 1.0]) / 1.0625**0.5
    torch.testing.assert_close(made, torch.stack([first, second], 1))


def test_in_the_plane_it_is_kuramotos_equation():
    """``theta <- theta + atan(step (omega + K r sin(psi - theta)))``: Euler's step of his, but for the chord."""
    generator = torch.Generator().manual_seed(0)
    theta, omega = 6.0 * torch.rand(9, generator=generator).double(), torch.randn(9, generator=generator).double()
    made = alone(torch.stack([theta.cos(), theta.sin()]).float(), omega.float(), 2.0, 12, 0.1)
    for x in made:
        mean = torch.complex(theta.cos(), theta.sin()).mean()
        theta = theta + (0.1 * (omega + 2.0 * mean.abs() * (mean.angle() - theta).sin())).atan()
        torch.testing.assert_close(x, torch.stack([theta.cos(), theta.sin()]).float(), atol=1e-5, rtol=0)


def order_of_an_endless_crowd(coupling):
    """Kuramoto's r for frequencies from N(0, 1): ``1 = K * integral of cos^2(t) g(K r sin t)`` over t in [-pi/2, pi/2]; 0 up to
    K = 2 / (pi g(0)) = 1.60."""
    angles = (torch.arange(2000) + 0.5) / 2000 * math.pi - math.pi / 2

    def excess(r):
        density = (-0.5 * (coupling * r * angles.sin()) ** 2).exp() / (2 * math.pi) ** 0.5
        return coupling * (angles.cos() ** 2 * density).mean().item() * math.pi - 1.0

    if excess(0.0) < 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return low


@pytest.mark.parametrize(("coupling", "off"), [(0.0, 0.1), (0.8, 0.15), (2.5, 0.02), (4.0, 0.01)])
def test_synchrony_begins_at_the_critical_coupling(coupling, off):
    omega = torch.special.ndtri((torch.arange(512) + 0.5) / 512)
    theta = 2 * math.pi * torch.rand(512, generator=torch.Generator().manual_seed(1))
    order = order_parameter(alone(torch.stack([theta.cos(), theta.sin()]), omega, coupling, 1500, 0.05))
    assert order[0] < 0.1
    assert order[700:].mean().item() == pytest.approx(order_of_an_endless_crowd(coupling), abs=off)


@pytest.mark.parametrize(("coupling", "together"), [(5.0, True), (0.0, False)])
@torch.no_grad()
def test_equal_frequencies_on_the_sphere(coupling, together):
    """The trait's own oscillators, undriven: with coupling all point one way in the end, without they never do."""
    trait = opened(Kuramoto(oscillators=64, coupling=coupling))
    trait.turns.copy_(trait.turns[:, :1].expand_as(trait.turns))
    trait.drive.weight.zero_()
    trait.left.zero_()
    hidden, context = reading(200)
    order = trait.trace(hidden, trait.init_state(3), context)["order"]
    assert order.shape == (3, 200)
    assert order_parameter(trait.start) < 0.25
    if together:
        assert order[:, -1].min() > 0.999
        assert order[0, 100] < 0.5  # a document starts afresh
    else:
        assert order.max() < 0.25


@torch.no_grad()
def test_they_stay_on_the_sphere_and_are_given_on():
    trait = opened(SMALL)
    hidden, context = reading(50)
    made, state, _ = trait(hidden, trait.init_state(3), context)
    walked = trait.walk(hidden, trait.init_state(3), context)
    torch.testing.assert_close(walked.norm(dim=2), torch.ones(3, 50, 7))
    assert torch.equal(walked[:, -1], state) and state.shape == (3, 4, 7)
    expected = hidden + torch.tanh(torch.tensor(0.7)) * walked.flatten(2) @ trait.out.weight.T
    torch.testing.assert_close(made, expected)
    rotation = trait.rotation()
    assert torch.equal(rotation, -rotation.transpose(0, 1)) and rotation[0, 1, 0] == trait.turns[0, 0]


@torch.no_grad()
def test_chunks_are_the_whole():
    trait = opened(SMALL)
    hidden, context = reading(83)
    whole, final, _ = trait(hidden, trait.init_state(3), context)
    for sizes in ((1,) * 83, (5, 70, 1, 7), (41, 42)):
        state, parts, first = trait.init_state(3), [], 0
        for size in sizes:
            part = slice(first, first + size)
            piece = context._replace(tokens=context.tokens[:, part], keep=context.keep[:, part])
            out, state, _ = trait(hidden[:, part], state, piece)
            parts.append(out)
            first += size
        torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)
        torch.testing.assert_close(state, final, atol=1e-5, rtol=0)


def test_gradients_end_at_a_boundary():
    trait = opened(SMALL)
    hidden, context = reading(12, batch=2)
    hidden.requires_grad_()
    state = trait.init_state(2).requires_grad_()
    made, after, _ = trait(hidden, state, context)
    by_hidden, by_state = torch.autograd.grad(made[0, 8:].sum() + after[0].sum(), (hidden, state), retain_graph=True)
    assert by_hidden[0, :6].abs().max() == by_hidden[1].abs().max() == by_state.abs().max() == 0
    assert by_hidden[0, 6:].abs().sum(-1).min() > 0
    by_hidden, by_state = torch.autograd.grad(made[0, 4].sum(), (hidden, state))
    assert by_hidden[0, 5:].abs().max() == 0 and by_state[0].abs().sum() > 0


def test_half_precision_keeps_its_state_whole():
    trait = opened(SMALL)
    hidden, context = reading(20)
    with torch.autocast("cpu", torch.bfloat16):
        made, state, _ = trait(hidden, trait.init_state(3), context)
        made.float().sum().backward()
    assert state.dtype == torch.float32
    exact = trait(hidden, trait.init_state(3), context).hidden
    assert (made - exact).abs().mean() < 0.02 * (exact - hidden).abs().mean()


def test_every_matrix_is_counted():
    model = replace(wetware.tiny("spikewhale"), traits=(SMALL,)).build(seed=0)
    work = Workload(dict.fromkeys(model.modules(), 1.0), torch.ones(67) / 67, 8)
    assert uncounted(model, operations(model, work)) == []
