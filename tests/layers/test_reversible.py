"""Reversible blocks: undone exactly, volumes kept, the gradients of plain autograd, and less kept for them."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

import wetware
from wetware.layers import Gauge, Linear, ReversibleResidual
from wetware.layers.attention import Span
from wetware.parameters import initialize
from wetware.state import detach, leaves


class Both(NamedTuple):
    mixed: Tensor
    fed: Tensor
    seen: Tensor


class Told(NamedTuple):
    probe: Tensor
    hidden: Tensor
    count: int


class Block(nn.Module):
    """Everything a block may do: state in both halves, a state handed through, integers, losses, evidence with gradients."""

    def __init__(self, width):
        super().__init__()
        self.one, self.two, self.unused = Linear(width, width), Linear(width, width), Linear(width, width)

    def mix(self, x, state, span):
        probe = torch.zeros(x.shape[-1], dtype=x.dtype).requires_grad_()
        hidden = self.one(x).tanh() + probe
        evidence = {}
        if torch.is_grad_enabled():
            hidden.retain_grad()
            evidence = {"mixer": Told(probe, hidden, 3)}
        added = hidden + state.mixed[:, None] + hidden.roll(1, 1)
        left = state._replace(mixed=state.mixed * 0.5 + hidden.mean(1), seen=state.seen + x.shape[1])
        return added, left, evidence

    def feed(self, x, state, span):
        hidden = self.two(x).sin()
        added = hidden * (1 + state.fed[:, None])
        return added, state._replace(fed=state.fed + hidden[:, -1]), {"size": hidden.square().mean()}, {}


def stack(gauge=True, depth=3, width=5, dtype=torch.float64):
    config = ReversibleResidual(gauge=Gauge() if gauge else None)
    made = nn.ModuleDict(
        {"blocks": nn.ModuleList(Block(width) for _ in range(depth)), "stack": config.build(depth=depth)}
    )
    initialize(made, 0)
    if gauge:
        with torch.no_grad():
            made.get_parameter("stack.gauge.angle").copy_(torch.linspace(0.5, -0.9, depth))
    return made.to(dtype)


def given(depth=3, width=5, steps=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    states = tuple(Both(draw(2, width), draw(2, width), torch.zeros(2, dtype=torch.long)) for _ in range(depth))
    return draw(2, steps, width), states, Span(torch.zeros(2, steps), torch.zeros(2, steps), 0)


def everything(made, run):
    """A loss of all that comes out, and the gradients of all that went in; of evidence too."""
    x, states, span = given()
    hidden, passed = run(list(made["blocks"]), x, states, span)
    loss = hidden.square().sum() + sum(3.0 * part.losses["size"] for part in passed)
    loss = loss + sum(part.state.mixed.sin().sum() + part.state.fed.square().sum() for part in passed)
    made.zero_grad()
    loss.backward()
    sources = [x, *(leaf for _, leaf in leaves(states) if leaf.requires_grad), *made.parameters()]
    probes = [told for part in passed for told in part.evidence["mixer"][:2]]
    return loss, [tensor.grad for tensor in (*sources, *probes)], passed


def plain(made):
    def run(*args):
        pair, passed = made["stack"].plainly(*args)
        return (pair[0] + pair[1]) / 2, passed

    return run


@pytest.mark.parametrize("gauge", [True, False])
def test_the_gradients_of_plain_autograd(gauge):
    made = stack(gauge)
    loss, found, passed = everything(made, made["stack"])
    expected_loss, expected, plainly_passed = everything(made, plain(made))
    torch.testing.assert_close(loss, expected_loss, rtol=0, atol=0)
    assert sum(gradient is None for gradient in expected) == 3  # of what no block uses
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(passed, plainly_passed, strict=True):
        assert torch.equal(mine.state.seen, theirs.state.seen) and mine.evidence["mixer"].count == 3


def test_the_gradients_of_a_model_over_two_chunks():
    config = replace(wetware.tiny("bio_nanochat"), residual=ReversibleResidual(), depth=3)
    model, found = config.build(seed=1).double(), []
    with torch.no_grad():
        model.residual.gauge.angle.copy_(torch.tensor([0.3, -0.7, 0.2]))
    text = torch.randint(0, 67, (2, 30), generator=torch.Generator().manual_seed(0))
    own = model.residual

    class Plain(nn.Module):
        def forward(self, *args):
            return plain({"stack": own})(*args)

    for way in (own, Plain()):
        model.residual = way
        first = model(text)
        second = model(text[:, :9], first.state)  # gradients go through the cache
        weights = [*model.blocks.parameters(), model.table, own.gauge.angle]
        found.append(torch.autograd.grad(first.logits.square().mean() + second.logits.logsumexp(-1).mean(), weights))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_undone_exactly_and_in_float32_over_twelve_blocks():
    for dtype, allowed in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        config = replace(wetware.tiny("bio_nanochat"), residual=ReversibleResidual(), depth=12, width=64)
        model = config.build(seed=0).to(dtype)
        blocks, state = list(model.blocks), model.init_state(2)
        with torch.no_grad():
            model.residual.gauge.angle.normal_(generator=torch.Generator().manual_seed(0))
            span, _ = model._span(torch.randint(1, 67, (2, 40)), state, wetware.Signals())
            x = torch.randn(2, 40, 64, generator=torch.Generator().manual_seed(1), dtype=dtype)
            pair, _ = model.residual.plainly(blocks, x, state.layers, span)
            back = model.residual.undo(blocks, pair, state.layers, span)
        assert (pair[0] - x).abs().max() > 0.5
        assert max((part - x).abs().max().item() for part in back) < allowed


def test_volumes_are_kept():
    made, (_, states, span) = stack(width=4), given(width=4)

    def through(flat):
        pair = tuple(flat.view(2, 1, 3, 4))
        for index, block in enumerate(made["blocks"]):
            alone = detach(tuple(leaf[:1] for leaf in states[index]))
            mixed, state, _ = block.mix(pair[1], Both(*alone), span)
            first = pair[0] + mixed
            pair = made["stack"].gauge((first, pair[1] + block.feed(first, state, span)[0]), index)
        return torch.stack(pair).flatten()

    jacobian = torch.autograd.functional.jacobian(through, torch.randn(24, dtype=torch.float64))
    assert torch.linalg.det(jacobian).item() == pytest.approx(1.0, abs=1e-9)
    assert (jacobian - torch.eye(24)).abs().max() > 0.3


def test_a_turn_keeps_the_norm_and_is_turned_back():
    gauge, pair = stack()["stack"].gauge, tuple(torch.randn(2, 3, dtype=torch.float64))
    turned = gauge(pair, 0)
    assert torch.stack(turned).norm().item() == pytest.approx(torch.stack(pair).norm().item())
    torch.testing.assert_close(gauge(turned, 0, -1), pair)


def without_all(config):
    while paths := wetware.mechanisms(config):
        config = wetware.ablate(config, paths[0])
    return config


def saved_bytes(residual, depth=6):
    """Bytes of activations that are alive for the way back after a forward, weights and the state given on left out."""
    config = replace(
        without_all(wetware.tiny("bio_nanochat")), depth=depth, **({"residual": residual} if residual else {})
    )
    model, alive = config.build(), weakref.WeakSet()

    class Held:
        def __init__(self, tensor):
            self.tensor = tensor

    def pack(tensor):
        held = Held(tensor.detach())  # with its graph it would hold itself
        alive.add(held)
        return held

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.tensor):
        output = model(torch.arange(1, 61)[None] % 67)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    weights |= {leaf.untyped_storage().data_ptr() for _, leaf in leaves(output.state)}
    sizes = {held.tensor.untyped_storage().data_ptr(): held.tensor.untyped_storage().nbytes() for held in alive}
    return sum(size for place, size in sizes.items() if place not in weights)


def test_what_is_kept_does_not_grow_with_depth():
    assert saved_bytes(None, 6) > 2.5 * saved_bytes(None, 2)
    assert saved_bytes(ReversibleResidual(), 6) == saved_bytes(ReversibleResidual(), 2)
    assert saved_bytes(ReversibleResidual(), 6) < 0.3 * saved_bytes(None, 6)


def test_second_derivatives_are_refused():
    made, (x, states, span) = stack(), given()
    hidden, _ = made["stack"](made["blocks"], x, states, span)
    with pytest.raises(RuntimeError, match="create_graph"):
        torch.autograd.grad(hidden.sum(), x, create_graph=True)


def test_the_way_back_runs_in_the_types_of_the_way_there():
    model = replace(wetware.tiny("bio_nanochat"), residual=ReversibleResidual()).build()
    text, found = torch.arange(1, 31)[None], []
    for bfloat16 in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(text).logits
        found.append(torch.autograd.grad(logits.float().square().mean(), model.blocks[0].attention.query.weight)[0])
    assert 1e-4 < (found[0] - found[1]).norm() / found[1].norm() < 0.2
