"""Recipes of bio-nanochat: one skeleton, and what each says of itself holds; every field can be reached from a terminal."""

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.commands.train import configure
from wetware.config import ConfigError, get, mechanisms, walk
from wetware.models import GPT, BioNanochat

ALONE = {
    "release": {"synapse.release"},
    "distance": {"synapse.distance"},
    "septin": {"synapse.septin"},
    "two_hop": {"synapse.two_hop"},
    "fast_weights": {"memory"},
    "experts": {"experts"},
    "neuromodulators": {f"neuromodulators.{name}" for name in ("dopamine", "acetylcholine", "noradrenaline")},
    "rule30": set(),
    "reversible": {"residual.gauge"},
}
PRESETS = {
    "less_repetitive": {"synapse.release.priming", "synapse.release.strength"},
    "better_memory": {"memory.latch.potentiation", "memory.longest"},
    "focused": {"synapse.release.syt1"},
    "fast_growing": {"experts.lifecycle.min_age", "experts.lifecycle.quantile"},
    "lean": {"experts.lifecycle.score.tax"},
    "novelty_seeking": {"synapse.release.priming", "synapse.release.energy.cost", "synapse.release.strength"},
}


def model_of(name):
    return wetware.recipe(name).model


@pytest.mark.parametrize(("name", "millions"), [("bio_nanochat", 140), ("bio_nanochat_1m", 1.2), ("gpt_6m", 5.8)])
def test_they_have_as_many_parameters_as_is_said(name, millions):
    run = wetware.recipe(name)
    with torch.device("meta"):
        assert run.model.module().parameter_count() == pytest.approx(millions * 1e6, rel=0.02)
    assert run.model.vocab_size == run.tokenizer.vocab_size


@pytest.mark.parametrize("size", ["1m", "6m"])
def test_the_transformer_beside_it_is_its_skeleton(size):
    whole, plain = model_of(f"bio_nanochat_{size}"), model_of(f"gpt_{size}")
    assert type(plain) is GPT and {name: getattr(whole, name) for name in vars(plain)} == vars(plain)
    assert {**vars(wetware.recipe(f"bio_nanochat_{size}"))} | {"model": None} == {
        **vars(wetware.recipe(f"gpt_{size}"))
    } | {"model": None}


@pytest.mark.parametrize("name", ALONE)
def test_each_mechanism_stands_alone(name):
    model, plain = model_of(f"bio_nanochat_{name}"), model_of("gpt_1m")
    outer = {path for path in mechanisms(model) if not any(path.startswith(f"{other}.") for other in mechanisms(model))}
    assert outer - set(mechanisms(plain)) == ALONE[name]
    assert {field: getattr(model, field) for field in vars(plain)} == vars(plain)
    bare = replace(BioNanochat(**vars(plain)), synapse=wetware.Synapse(), memory=None, experts=None, neuromodulators=())
    assert model != bare


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_turns_what_it_says(name):
    plain = dict((path, value) for path, _, value in walk(model_of("bio_nanochat_1m")))
    turned = {
        path
        for path, _, value in walk(model_of(f"bio_nanochat_{name}"))
        if isinstance(value, (int, float)) and value != plain[path]
    }
    assert turned == PRESETS[name]


def test_every_field_can_be_set_from_a_terminal_with_and_without_model():
    run = wetware.recipe("bio_nanochat_1m")
    numbers = [
        (path, value)
        for path, _, value in walk(run.model)
        if isinstance(value, (int, float)) and path not in ("vocab_size", "boundary")
    ]
    assert len(numbers) > 80
    for path, value in numbers:
        for written in (f"model.{path}", path):
            assert configure(run, [f"{written}={value}"]) == run
            with pytest.raises(ConfigError):
                configure(run, [f"{written}=neither"])
    moved = configure(run, ["synapse.release.energy.cost=0.3", "memory.write=Hebbian", "neuromodulators.dopamine=none"])
    assert get(moved, "model.synapse.release.energy.cost") == 0.3
    assert type(get(moved, "model.memory.write")).__name__ == "Hebbian"
    assert "neuromodulators.dopamine" not in mechanisms(moved.model)


def test_a_word_that_others_have_too_is_not_the_models():
    run = wetware.recipe("bio_nanochat_1m")
    assert configure(run, ["seed=3"]).seed == 3  # the run's own
    with pytest.raises(ConfigError, match="unknown field of Run: 'vocab_size'"):  # the tokenizer has it too
        configure(run, ["vocab_size=300"])
    with pytest.raises(ConfigError, match="comes from the tokenizer"):
        configure(run, ["boundary=3"])
    with pytest.raises(ConfigError, match="unknown field of Run: 'batch'"):
        configure(run, ["batch=3"])
