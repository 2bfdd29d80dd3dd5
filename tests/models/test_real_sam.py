"""Real Sam: what stress it is at when nobody tells it, and what its readout reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import ConfigError, with_
from wetware.models import MembraneReading, reconfigured
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.modulation import (
    Environment,
    FixedStress,
    FrozenStress,
    LogNormalDiversity,
    NeutralStress,
    Signals,
    SurpriseStress,
)
from wetware.plasticity import Between
from wetware.state import leaves, select

STRONG = Environment(common=1.5, diversity=LogNormalDiversity(deviation=1.0, strength=2.0))


def config(inference):
    return with_(wetware.tiny("real_sam"), "modulators.environment", replace(STRONG, inference=inference))


def surprised():
    return config(SurpriseStress(fast=0.6, slow=0.8)).build(seed=0)


def text(steps=30, rows=3):
    drawn = torch.randint(1, 67, (rows, steps), generator=torch.Generator().manual_seed(0))
    return drawn


def documents():
    """Three texts; in two of them another document starts."""
    drawn = text()
    drawn[0, 11] = drawn[2, 20] = 0
    return drawn


@torch.no_grad()
def test_surprise_streams_exactly():
    """Whatever the chunks, and whoever is beside it: the same logits and the same state, to the bit for chunks."""
    model, given = surprised(), documents()
    whole, state, parts = model(given), None, []
    for part in given.split((7, 1, 22), 1):
        output = model(part, state)
        state = output.state
        parts.append(output.logits)
    assert torch.equal(torch.cat(parts, 1), whole.logits)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(leaves(state), leaves(whole.state), strict=True))
    alone = model(given[1:2])
    torch.testing.assert_close(alone.logits, whole.logits[1:2], atol=1e-5, rtol=0)
    after = model(given[:1, 11:])  # what follows a boundary knows nothing of what was before it
    torch.testing.assert_close(after.logits, whole.logits[:1, 11:], atol=1e-5, rtol=0)


@torch.no_grad()
def test_surprise_reads_each_token_under_the_stress_that_it_makes():
    model, given = surprised(), text(steps=16, rows=2)
    given[0, 9] = 0
    whole = model(given)
    for row in range(2):
        memory, state = model.surprise.init_state(1, 67, torch.device("cpu")), model.init_state(1)
        told = []
        for step, token in enumerate(given[row]):
            fresh = (token == 0)[None]
            stress, memory = model.surprise.hear(memory, token[None], fresh)
            output = model.step(token[None], state, signals=Signals(stress=float(stress)))
            state, memory = output.state, memory.expect(output.logits)
            torch.testing.assert_close(output.logits[0], whole.logits[row, step], atol=1e-4, rtol=0)
            told.append(float(stress))
        assert max(told) - min(told) > 0.1


@torch.no_grad()
def test_a_told_stress_is_obeyed_and_then_nothing_is_remembered_of_the_text():
    model, given = surprised(), text()
    plain = config(NeutralStress()).build(seed=0)
    told = Signals(stress=0.9)
    output = model(given, signals=told)
    assert torch.equal(output.logits, plain(given, signals=told).logits)
    assert not output.state.surprise.expecting.any()
    assert not torch.equal(model(given).logits, plain(given).logits)
    assert plain(given).state.surprise == ()


def test_no_gradient_passes_through_the_surprise():
    model = surprised()
    output = model(text())
    assert not any(tensor.requires_grad for tensor in output.state.surprise)
    output.logits.sum().backward()


@torch.no_grad()
def test_the_last_stress_of_training_is_kept_by_a_rule():
    model, given = config(FrozenStress()).build(seed=0), text()
    plain = config(NeutralStress()).build(seed=0)
    assert torch.equal(model(given).logits, plain(given).logits)
    assert plain.rules() == {}
    for rule in model.rules().values():
        assert rule.apply(Between(1, 0, (), lambda p: {}, Signals(stress=0.9))) == []
    assert len(model.rules()) == 2
    assert torch.equal(model(given).logits, plain(given, signals=Signals(stress=0.9)).logits)
    again = reconfigured(model, config(FixedStress(value=0.9)))
    torch.testing.assert_close(again(given).logits, model(given).logits)


@torch.no_grad()
def test_engines_are_at_the_stress_in_use_or_refuse():
    given = text(steps=9, rows=1)
    fixed, neutral = (config(FixedStress(value=value)).build(seed=0) for value in (0.95, 0.5))
    said = []
    for model in (fixed, neutral):
        session = Session(model, Sampling(temperature=0.0))
        session.read(given)
        torch.testing.assert_close(session.logits, model(given).logits[:, -1], atol=1e-4, rtol=0)
        said.append(session.logits)
    assert not torch.allclose(*said, atol=1e-3)
    refuses = engines.backends["numba"].refuses
    assert "surprise" in refuses(surprised())
    model = surprised()
    session = Session(model, Sampling(temperature=0.0))
    session.read(given)
    assert torch.equal(session.logits, model(given).logits[:, -1])


@torch.no_grad()
def test_membranes_are_read_beside_what_is_handed_on():
    plain = wetware.tiny("real_sam").build(seed=0)
    model = replace(wetware.tiny("real_sam"), membranes=MembraneReading()).build(seed=0)
    given, handed = text(), []
    plain.blocks[-1].register_forward_hook(lambda module, args, out: handed.append(out[0]))
    output = plain(given)
    expected = plain.readout(handed[0] + torch.tanh(output.activity[-1].membrane), plain.encoder.table)
    assert torch.equal(model(given).logits, expected)
    assert "membranes" in engines.backends["numba"].refuses(model)


def test_spikewhale_says_that_it_cannot_be_surprised():
    whale = wetware.tiny("spikewhale")
    fixed = with_(whale, "modulators.environment", Environment(inference=FixedStress(value=0.9))).build(seed=0)
    plain = with_(whale, "modulators.environment", Environment()).build(seed=0)
    given = text()
    assert torch.equal(fixed(given).logits, plain(given, signals=Signals(stress=0.9)).logits)
    with pytest.raises(ConfigError, match="SurpriseStress"):
        with_(whale, "modulators.environment", Environment(inference=SurpriseStress()))


def test_states_of_surprise_can_be_selected():
    state = surprised()(text()).state
    assert select(state, slice(0, 2)).surprise.fast.shape == (2,)
