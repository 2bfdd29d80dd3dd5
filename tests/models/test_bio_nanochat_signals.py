"""What neuromodulators do to bio-nanochat: each at its own site, exactly nothing at its neutral signal."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import ablate
from wetware.kernels import rms_norm
from wetware.modulation import NEUTRAL, Signals

NAMES = ("dopamine", "acetylcholine", "noradrenaline")
TEXT = torch.randint(1, 67, (2, 20), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    """A model that has learned to heed its signals."""
    made = wetware.tiny("bio_nanochat").build(seed=0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("sensitivity"):
                parameter.fill_(0.5)
    return made


@torch.no_grad()
def test_neutral_is_exact(model):
    """At neutral signals a model that heeds them is the one that has no neuromodulators, bit for bit."""
    bare = replace(model.config, neuromodulators=()).build(seed=0)
    assert torch.equal(model(TEXT).logits, bare(TEXT, signals=Signals(dopamine=1.0)).logits)
    assert torch.equal(model(TEXT, signals=NEUTRAL).logits, model(TEXT, signals=Signals(stress=1.0)).logits)


@torch.no_grad()
def test_untrained_it_heeds_no_signal():
    model = wetware.tiny("bio_nanochat").build(seed=0)
    signals = Signals(dopamine=1.0, acetylcholine=1.0, noradrenaline=1.0)
    assert torch.equal(model(TEXT).logits, model(TEXT, signals=signals).logits)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_each_signal_is_heard_by_its_own_neuromodulator(model, name):
    signal = Signals(**{name: 0.8})
    assert not torch.allclose(model(TEXT).logits, model(TEXT, signals=signal).logits, atol=1e-3)
    deaf = ablate(model.config, f"neuromodulators.{name}").build(seed=0)
    deaf.load_state_dict({key: value for key, value in model.state_dict().items() if name not in key})
    assert torch.equal(deaf(TEXT).logits, deaf(TEXT, signals=signal).logits)


@torch.no_grad()
def test_the_sites(model):
    """Of one block, by the plain parts: the gain is that of the queries, of what is written, of the MLP's input."""
    block, x = model.blocks[0], torch.randn(2, 20, 32, generator=torch.Generator().manual_seed(1))
    plain, gain = model._span(TEXT, model.init_state(2), NEUTRAL)[0], torch.tensor(0.4).exp()
    spans = {name: plain._replace(signals=Signals(**{name: 0.8})) for name in NAMES}
    state = block.init_state(2)
    mixed = {name: block.mix(x, state, span)[0] for name, span in (("none", plain), *spans.items())}
    torch.testing.assert_close(mixed["dopamine"], mixed["none"] * gain)
    assert torch.equal(mixed["noradrenaline"], mixed["none"])
    normed = rms_norm(x)
    seen = block.attention.look(normed, state.cache, plain)
    weights = []
    for query in (seen.query, seen.query * gain):
        scores = torch.einsum("bqhd,bkhd->bhqk", query, seen.keys[-1]) * query.shape[-1] ** -0.5
        hidden = torch.ones(20, 20, dtype=torch.bool).triu(1) | (torch.arange(20) < seen.first[..., None])[:, None]
        weights.append(scores.masked_fill(hidden, -torch.inf).softmax(-1))
    expected = [torch.einsum("bhqk,bkhd->bqhd", share, seen.values[-1]).flatten(2) for share in weights]
    torch.testing.assert_close(mixed["none"], block.attention.out(expected[0]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mixed["acetylcholine"], block.attention.out(expected[1]), atol=1e-5, rtol=1e-4)
    fed = block.feed(x, state, spans["noradrenaline"])[0]
    torch.testing.assert_close(fed, block.mlp(normed * gain))


@torch.no_grad()
def test_signals_are_heard_in_steps_as_in_chunks(model):
    signals = Signals(dopamine=-0.7, acetylcholine=0.9, noradrenaline=0.5)
    whole = model(TEXT, signals=signals).logits
    state, steps = model.init_state(2), []
    for token in TEXT.unbind(1):
        output = model.step(token, state, signals=signals)
        state = output.state
        steps.append(output.logits)
    torch.testing.assert_close(torch.stack(steps, 1), whole, atol=1e-4, rtol=0)
