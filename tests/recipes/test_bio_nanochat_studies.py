"""Studies of bio-nanochat: each arm differs from its reference in one thing, and controls are of one size."""

import pytest
import torch

from wetware.config import walk
from wetware.evaluation.study.matching import parameters
from wetware.recipes import study
from wetware.training import cross_entropy

CONTROLS = {
    "bio_nanochat_mechanisms": {
        ("vesicle release", "static release"),
        ("vesicle release", "frequency penalty"),
        ("fast weights", "gpt"),
        ("fast weights", "fast weights, Hebb"),
        ("fast weights", "fast weights, random consolidation"),
        ("experts", "gpt"),
        ("experts", "experts that stay"),
        ("all of it", "gpt"),
        ("Rule 30", "Rule 116"),
    },
    "bio_nanochat_beyond_distance": {("vesicle release", "frequency penalty"), ("vesicle release", "without distance")},
    "bio_nanochat_recall": {
        ("vesicle release", "frequency penalty"),
        ("fast weights", "gpt"),
        ("fast weights", "fast weights, Hebb"),
        ("fast weights", "fast weights, no latch"),
    },
    "bio_nanochat_recall_of_two": {
        ("vesicle release", "frequency penalty"),
        ("fast weights", "gpt"),
        ("fast weights", "fast weights, Hebb"),
        ("fast weights", "fast weights, bare"),
    },
}
ALL = {"synapse", "memory", "experts", "neuromodulators"}  # parts that are on in "all of it"


def changed(one, other):
    """The parts of the model in which two arms differ; the MLP makes room for them."""
    mine, its = one.run.model, other.run.model
    return {field for field in vars(mine) if getattr(mine, field) != getattr(its, field)} - {"expansion"}


@pytest.mark.parametrize("name", CONTROLS)
def test_each_arm_differs_from_its_reference_in_one_part(name):
    asked = study(name)
    arms = {arm.name: arm for arm in asked.arms()}
    assert asked.seeds == 6
    for arm in arms.values():
        if arm.against is not None and arm.name != "all of it":
            assert len(changed(arm, arms[arm.against])) == 1
        rest = [field for field in vars(arm.run) if field not in ("model",)]
        assert all(getattr(arm.run, field) == getattr(arms[asked.called].run, field) for field in rest)
    if "all of it" in arms:
        assert changed(arms["all of it"], arms["gpt"]) == ALL


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_have_as_many_parameters(name):
    arms = {arm.name: arm for arm in study(name).arms()}
    for one, other in CONTROLS[name]:
        counts = [parameters(arms[arm].run.model) for arm in (one, other)]
        assert counts[0] == pytest.approx(counts[1], rel=0.001), (one, other)
    assert len({arm.run.model.width for arm in arms.values()}) == 1


def test_it_begins_as_the_plain_transformer():
    plain = study("bio_nanochat_mechanisms").run.model
    bare = {path for path, _, value in walk(plain) if value is None or value == ()}
    assert {"synapse.release", "synapse.distance", "synapse.septin", "synapse.two_hop", "memory", "experts"} <= bare
    assert plain.neuromodulators == ()


@pytest.mark.parametrize("name", CONTROLS)
def test_every_arm_takes_a_step(name):
    tokens = torch.randint(1, 100, (2, 17), generator=torch.Generator().manual_seed(0))
    losses = {}
    for arm in study(name).arms():
        model = arm.run.model.build(seed=0)
        optimizer = arm.run.training.optimizer.build(model)
        for _ in range(2):
            output = model(tokens[:, :-1])
            loss = cross_entropy(output.logits, tokens[:, 1:])
            (loss + sum(output.losses.values())).backward()
            optimizer.step(1.0)
            optimizer.zero_grad()
        losses[arm.name] = loss.item()
    assert all(0.0 < loss < losses[study(name).called] + 1.0 for loss in losses.values())
