"""What a spiking block hands on, and what drives it: formulas of every part, and spikes that stay spikes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.kernels import rms_norm
from wetware.layers import InputGate, ProjectedOutput, ResidualOutput, RMSNorm, SpikeOutput, SpikingBlock, Unnormalised
from wetware.modulation import NEUTRAL
from wetware.neurons import LIF, GradedLIF
from wetware.operations import Workload, operations
from wetware.parameters import initialize


def call(x, **fields):
    fields.setdefault("neuron", LIF(threshold=0.4))
    block = SpikingBlock(**fields).build(width=12, depth=2)
    initialize(block, 0)
    out, activity, _ = block(x, block.init_state(len(x)), NEUTRAL, None)
    return block, out, activity


@pytest.fixture
def x():
    return torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("gate", [None, InputGate(rank=3)])
def test_outputs(x, gate):
    block, out, activity = call(x, gate=gate, output=ResidualOutput())
    spikes, u = activity.spikes, rms_norm(x)
    g = torch.sigmoid(block.gate.up(block.gate.down(u)) + block.gate.bias) if gate else 1.0
    torch.testing.assert_close(out, x + g * (spikes @ block.fc_out.weight.T))
    block, out, activity = call(x, gate=gate, output=ProjectedOutput())
    assert torch.equal(activity.spikes, spikes)  # drawn by path: the same neurons
    torch.testing.assert_close(out, g * (spikes @ block.fc_out.weight.T))
    block, out, activity = call(x, gate=gate, output=SpikeOutput())
    torch.testing.assert_close(out, g * spikes)
    assert "fc_out.weight" not in dict(block.named_parameters())
    assert torch.equal(activity.spikes, spikes) and 0.1 < spikes.mean() < 0.6


def test_norms(x):
    assert torch.equal(RMSNorm().of(x), rms_norm(x)) and Unnormalised().of(x) is x
    (_, _, normed), (_, _, plain) = call(x, norm=RMSNorm()), call(x, norm=Unnormalised())
    assert not torch.equal(normed.membrane, plain.membrane)
    (_, _, normed), (_, _, plain) = call(9 * x, norm=RMSNorm()), call(9 * x, norm=Unnormalised())
    assert plain.membrane.abs().mean() > 3 * normed.membrane.abs().mean()


RELAYING = SpikingBlock(neuron=LIF(threshold=0.3), gate=None, norm=Unnormalised(), output=SpikeOutput())


def test_spikes_drive_the_next_block_as_they_are():
    assert RELAYING.relays_spikes
    for other in (replace(RELAYING, gate=InputGate()), replace(RELAYING, norm=RMSNorm()), SpikingBlock(gate=None)):
        assert not other.relays_spikes
    model = replace(wetware.tiny("real_sam"), block=RELAYING).build(seed=0)
    seen = []
    model.blocks[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    output = model(torch.randint(1, 67, (2, 20), generator=torch.Generator().manual_seed(0)))
    assert torch.equal(seen[0], output.activity[0].spikes) and 0.02 < seen[0].mean() < 0.9


def test_only_spikes_are_counted_as_spikes():
    """The second block adds a row for each spike of the first, where nothing but spikes comes in; else it multiplies."""

    def fc_in(block):
        model = replace(wetware.tiny("real_sam"), block=block).build(seed=0)
        work = Workload({b.neuron: 3.0 + i for i, b in enumerate(model.blocks)}, torch.full((67,), 1 / 67), 1)
        return [operation.events for operation in operations(model, work) if operation.name.endswith("fc_in")]

    assert fc_in(RELAYING) == [None, 3.0]
    assert fc_in(SpikingBlock(gate=None)) == [None, None]
    assert replace(RELAYING, neuron=GradedLIF()).relays_spikes  # a workload knows of no spikes where there are none
