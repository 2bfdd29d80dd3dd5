"""The spiking block: residual stream, gate, recurrence, modulators in order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from wetware.config import REGISTRY
from wetware.kernels import rms_norm
from wetware.layers import InputGate, NeuronGate, Recurrence, SpikingBlock
from wetware.modulation import NEUTRAL, Environment, Modulator, ModulatorConfig, Signals
from wetware.neurons import LIF, UniformDecay
from wetware.parameters import MATRIX, NEURON, initialize, role


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def built(width=12, depth=4, modulators=(), **fields):
    fields.setdefault("neuron", LIF(threshold=0.4))  # lively at once, uncalibrated
    made = SpikingBlock(**fields).build(width=width, depth=depth, modulators=modulators)
    initialize(made, 0)
    return made


def call(block, x, signals=NEUTRAL, keep=None):
    return block(x, block.init_state(len(x)), signals, keep)


def test_formula():
    block, x = built(gate=InputGate(rank=3)), noise(2, 7, 12)
    out, activity, state = call(block, x)
    u = rms_norm(x)
    again, after = block.neuron(block.fc_in(u), block.init_state(2), block.neuron.params(), block.fc_rec, None)
    assert torch.equal(activity.spikes, again.spikes) and torch.equal(state.membrane, after.membrane)
    gate = torch.sigmoid(u @ block.gate.down.weight.T @ block.gate.up.weight.T + block.gate.bias)
    torch.testing.assert_close(out, x + gate * (activity.spikes @ block.fc_out.weight.T))
    assert 0.1 < activity.spikes.mean() < 0.6


def test_only_spikes_cross():
    """A drive that makes no neuron fire leaves the stream as it was."""
    block, x = built(neuron=LIF(threshold=100.0)), noise(2, 7, 12)
    out, activity, _ = call(block, x)
    assert not activity.spikes.any() and torch.equal(out, x)


def test_without_gate_and_recurrence():
    block, x = built(gate=None, recurrence=None), noise(2, 7, 12)
    out, activity, _ = call(block, x)
    torch.testing.assert_close(out, x + block.fc_out(activity.spikes))
    assert {name.split(".")[0] for name, _ in block.named_parameters()} == {"fc_in", "neuron", "fc_out"}


@pytest.mark.parametrize("bias", [-1.0, 2.0])
def test_gates_start_at_their_bias(bias):
    x, nothing, all_ones = noise(50, 12), torch.zeros(50, 12), torch.ones(50, 12)
    plain, by_input = (config.build(width=12) for config in (NeuronGate(bias=bias), InputGate(bias=bias, rank=4)))
    for gate in (plain, by_input):
        initialize(gate, 0)
    start = torch.sigmoid(torch.tensor(bias))
    # what comes into an empty stream of an update of ones is the gate itself
    torch.testing.assert_close(plain(nothing, x, all_ones), start.expand(50, 12))
    opened = by_input(nothing, x, all_ones)
    assert torch.logit(opened).mean().item() == pytest.approx(bias, abs=0.15)
    assert torch.logit(opened).std().item() == pytest.approx(0.5, rel=0.3)
    torch.testing.assert_close(by_input(x, x, 2.0 * all_ones), x + 2.0 * opened)
    assert role(plain.bias) == NEURON


def test_recurrence_reaches_the_next_token_only():
    block, x = built(neuron=LIF(decay=UniformDecay(value=0.5), threshold=0.4)), noise(1, 2, 12)
    _, activity, _ = call(block, x)
    before = activity.membrane.detach()
    with torch.no_grad():
        block.fc_rec.mul_(2.0)
    _, activity, _ = call(block, x)
    assert torch.equal(activity.membrane[:, 0], before[:, 0])
    expected = before[:, 1] + activity.spikes[:, 0] @ (0.5 * block.fc_rec)
    torch.testing.assert_close(activity.membrane[:, 1], expected)
    assert activity.spikes[:, 0].any()


def test_recurrent_weights_start_small_and_without_a_diagonal():
    weight = Recurrence(scale=0.3).build(size=30)
    weight.draw(weight.data, torch.Generator().manual_seed(0))
    assert (weight.diagonal() == 0).all() and role(weight) == MATRIX
    assert weight.norm().item() == pytest.approx(0.3 * 29**0.5, rel=0.05)


def test_the_output_is_scaled_by_depth():
    shallow, deep = built(width=64, depth=1), built(width=64, depth=16)
    assert (shallow.fc_out.weight / deep.fc_out.weight).mean().item() == pytest.approx(4.0)


def test_a_boundary_forgets():
    block, x = built(), noise(2, 9, 12)
    keep = torch.ones(2, 9)
    keep[0, 4] = 0.0
    out, _, _ = call(block, x, keep=keep)
    torch.testing.assert_close(out[:1, 4:], call(block, x[:1, 4:])[0])
    torch.testing.assert_close(out[1:], call(block, x[1:])[0])


def test_stress_reaches_the_neurons():
    block, x = built(modulators=(Environment(),)), noise(2, 9, 12)
    plain = built()
    assert torch.equal(call(block, x)[1].membrane, call(plain, x)[1].membrane)
    alarmed = call(block, x, Signals(stress=1.0))[1].membrane
    params = block.modulators["environment"](block.neuron.params(), Signals(stress=1.0))
    torch.testing.assert_close(
        alarmed[:, 0], block.fc_in(rms_norm(x))[:, 0] * (1 - params.decay**2).sqrt() * params.gain
    )
    assert not torch.allclose(alarmed, call(plain, x)[1].membrane)


class Changed(Modulator):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, params, signals):
        return params._replace(gain=self.change(params.gain))


@pytest.fixture
def modulators():
    """Two modulators that do not commute, gone from the registry afterwards: the laws run over what is in there."""

    @dataclass(frozen=True, kw_only=True)
    class Doubled(ModulatorConfig):
        def build(self, *, size):
            return Changed(lambda gain: 2.0 * gain)

    @dataclass(frozen=True, kw_only=True)
    class Raised(ModulatorConfig):
        def build(self, *, size):
            return Changed(lambda gain: gain + 1.0)

    yield Doubled(), Raised()
    del REGISTRY["Doubled"], REGISTRY["Raised"]


def test_modulators_are_folded_in_their_order(modulators):
    x = noise(1, 1, 12)
    neuron = LIF(normalise=None, threshold=100.0)
    drive = {}
    for order in (modulators, modulators[::-1]):
        block = built(neuron=neuron, modulators=order)
        assert isinstance(block.modulators, nn.ModuleDict)
        drive[tuple(block.modulators)] = call(block, x)[1].membrane / block.fc_in(rms_norm(x))
    torch.testing.assert_close(drive["doubled", "raised"], torch.full((1, 1, 12), 3.0))
    torch.testing.assert_close(drive["raised", "doubled"], torch.full((1, 1, 12), 4.0))
