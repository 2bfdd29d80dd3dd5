"""Fatigue: what is told of a repeated token is what its synapses did."""

import math
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.data import DataError
from wetware.evaluation.inspection import SynapticFatigue, tired, tiring_text
from wetware.layers import SelfAttention
from wetware.models import BioNanochat
from wetware.synapses import NormalSample, Synapse, VesicleRelease

SHORT = {"before": 6, "repeats": 20, "after": 30}
PLAIN = {"memory": None, "experts": None, "neuromodulators": ()}


@pytest.fixture(scope="module")
def nano(subject):
    """One whose synapses take part: what tires counts."""
    release = VesicleRelease(threshold=-1.0, strength=0.7)
    config = replace(wetware.tiny("bio_nanochat"), synapse=Synapse(release=release), **PLAIN)
    return subject(replace(config, attention=SelfAttention(heads=2)))


def test_the_text_says_one_token_again_and_again(nano):
    text = tiring_text(nano.held_out, nano.tokenizer, **SHORT)
    tokens, start, stop = text.tokens, text.start, text.start + text.repeats
    assert (start, len(tokens)) == (7, 57) and tokens[0] == nano.tokenizer.boundary
    assert set(tokens[start:stop]) == {tokens[start]} and tokens[start] in tokens[1:start]
    first = int(nano.held_out.starts[0]) + 1
    assert list(tokens[1:start] + tokens[stop:]) == nano.held_out.tokens(first, first + 36).tolist()
    with pytest.raises(DataError, match="no held-out document"):
        tiring_text(nano.held_out, nano.tokenizer, before=10**6, repeats=2, after=2)


def test_it_falls_while_it_is_repeated_and_recovers(nano):
    text = tiring_text(nano.held_out, nano.tokenizer, **SHORT)
    (layer, *_), stop = tired(nano.model, text).values(), text.start + text.repeats
    assert layer.ready.shape == layer.release.shape == (2, 57)
    assert layer.ready[:, : text.start].isnan().all() and layer.release[:, : text.start].isnan().all()
    assert torch.allclose(layer.release[:, text.start], torch.ones(2), atol=1e-4)  # nobody had asked it before
    calcium = layer.calcium[:, text.start :]
    assert calcium[:, : stop - text.start].amax(1).gt(calcium[:, 0]).any() and (calcium >= 0).all()
    assert (layer.release[:, stop - 1] < 0.8).all() and (layer.ready[:, stop - 1] < 0.8).all()
    assert not nano.model.blocks[0].synapse.release._forward_pre_hooks


def test_it_is_what_shifts_the_score(nano):
    """The shift that the model itself adds is lambda times the logarithm of what is told."""
    text = tiring_text(nano.held_out, nano.tokenizer, **SHORT)
    vesicles, seen = nano.model.blocks[0].synapse.release, []
    with torch.inference_mode():
        hook = vesicles.register_forward_hook(lambda module, given, out: seen.append(out[0] - given[0]))
        nano.model(torch.tensor([text.tokens]))
        hook.remove()
    told = next(iter(tired(nano.model, text).values())).release
    shift = seen[0][0, :, text.start :, text.start]
    assert torch.allclose(shift, 0.7 * told[:, text.start :].log(), atol=1e-4)
    assert shift.abs().max() > 0.1


def test_a_sampler_draws_but_what_is_told_is_the_mean(subject, nano):
    config = nano.model.config
    drawing = with_(config, "synapse.release.sampler", NormalSample())
    text, models = tiring_text(nano.held_out, nano.tokenizer, **SHORT), (config.build(seed=3), drawing.build(seed=3))
    mine, other = (tired(model, text)["blocks.0.synapse.release"] for model in models)
    assert torch.allclose(mine.release, other.release, atol=1e-5, equal_nan=True)
    assert torch.allclose(mine.ready, other.ready, atol=1e-5, equal_nan=True)


def test_out_of_the_window_nothing_is_told(subject):
    windowed = subject(wetware.tiny("bio_nanochat"))  # it sees 12 tokens
    text = tiring_text(windowed.held_out, windowed.tokenizer, **SHORT)
    for layer in tired(windowed.model, text).values():
        assert not layer.ready[:, text.start : text.start + 12].isnan().any()
        assert layer.ready[:, text.start + 12 :].isnan().all()


def test_the_measure_has_both_and_says_why_not(nano, subject):
    figures = SynapticFatigue(**SHORT).take(nano, lambda share: None)
    assert figures["layers"] == ["blocks.0.synapse.release", "blocks.1.synapse.release"]
    assert len(figures["pieces"]) == len(figures["trained"][0]["ready"][0]) == 57
    assert math.isnan(figures["untrained"][1]["release"][0][0])
    before = tired(nano.model.config.build(0), tiring_text(nano.held_out, nano.tokenizer, **SHORT))
    assert figures["untrained"][0]["calcium"][1][20:] == next(iter(before.values())).calcium[1, 20:].tolist()
    seeded = replace(nano, run=replace(wetware.recipe("bio_nanochat_1m"), seed=1))  # nano itself is of seed 1
    figures = SynapticFatigue(**SHORT).take(seeded, lambda share: None)
    assert str(figures["untrained"]) == str(figures["trained"])  # nan is not equal to itself
    table = SynapticFatigue(**SHORT).table(wetware.evaluation.suite.plain(figures))
    assert len(table.rows) == 4 and {len(row) for row in table.rows} == {len(table.columns)}
    assert SynapticFatigue().refusal(nano) is None
    assert "without vesicles" in SynapticFatigue().refusal(subject("gpt"))
    assert isinstance(nano.model.config, BioNanochat)
