"""The study of neurons: each arm is one change away from its reference, at the same size."""

import pytest

from wetware.evaluation.measures.memory_horizon import MemoryHorizon
from wetware.evaluation.study.matching import parameters
from wetware.recipes import study

ARMS = {arm.name: arm for arm in study("real_sam_neurons").arms()}
TIMESCALES = {"decay", "learned_decay", "slow", "learned_slow", "weight"}  # what makes it one compartment or two
RESET = {"reset", "normalise", "by_input"}  # what a neuron has that is reset, and what one that is not


def test_it_measures_the_horizon_of_every_cell():
    assert study("real_sam_neurons").measures == (MemoryHorizon(longest=128, targets=1024),)


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.group == "control"])
def test_an_arm_is_one_change_away_from_its_reference(name):
    arm, other = ARMS[name].run.model, ARMS[ARMS[name].against].run.model
    assert parameters(arm) == pytest.approx(parameters(other), rel=0.01)
    parts = {part for part in vars(arm.block) if getattr(arm.block, part) != getattr(other.block, part)}
    assert len(parts) == 1
    if parts == {"neuron"}:
        mine, its = vars(arm.block.neuron), vars(other.block.neuron)
        moved = {field for field in mine.keys() | its.keys() if mine.get(field) != its.get(field)}
        assert moved <= TIMESCALES or moved <= RESET or len(moved) == 1
    else:
        assert parts < {"currents", "recurrence", "output", "delays"}


def test_the_peer_has_as_many_parameters():
    assert parameters(ARMS["GRU"].run.model) == pytest.approx(parameters(ARMS["everything"].run.model), rel=0.02)
