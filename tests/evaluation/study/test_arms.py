"""Arms: made from the model itself, matched in parameters, each beside its reference."""

from dataclasses import replace

import pytest

import wetware
from wetware.config import ConfigError, get, mechanisms
from wetware.evaluation.study import Arm, Change, Study
from wetware.evaluation.study.arms import ADDED, ANCHOR, EVERYTHING, LEFT_OUT, PEER, PLAIN, SKELETON
from wetware.evaluation.study.matching import CLOSE, STEP, matched, parameters
from wetware.recipes import study, study_names


def arms_of(run, **changes) -> dict[str, Arm]:
    return {arm.name: arm for arm in Study(run=run, **changes).arms()}


def test_every_mechanism_is_left_out_and_added_by_itself(small_run):
    known = mechanisms(small_run.model)
    arms = arms_of(small_run, add=("all",), match=False)
    assert list(arms)[:3] == [EVERYTHING, SKELETON, PLAIN]
    assert [arm.name for arm in arms.values() if arm.group == LEFT_OUT] == [f"without {path}" for path in known]
    assert [arm.name for arm in arms.values() if arm.group == ADDED] == [f"only {path}" for path in known]
    assert mechanisms(arms[EVERYTHING].run.model) == known
    assert mechanisms(arms[SKELETON].run.model) == ()
    for path in known:
        inside = {other for other in known if other == path or other.startswith(f"{path}.")}
        assert set(mechanisms(arms[f"without {path}"].run.model)) == set(known) - inside
        held = {other for other in known if path.startswith(f"{other}.")}
        assert set(mechanisms(arms[f"only {path}"].run.model)) == held | {path}
        above = max(held, key=len, default=None)
        assert arms[f"only {path}"].against == (f"only {above}" if above else SKELETON)
        assert arms[f"without {path}"].against == EVERYTHING


def test_a_part_of_a_part_needs_its_whole_beside_it(small_run):
    with pytest.raises(ConfigError, match="what holds it too: modulators.environment$"):
        arms_of(small_run, leave_out=(), add=("modulators.environment.diversity",))


@pytest.mark.parametrize("paths", [{"leave_out": ("block.recurence",)}, {"add": ("block.recurence",)}])
def test_an_unknown_mechanism_is_refused_with_the_nearest(small_run, paths):
    with pytest.raises(ConfigError, match="did you mean 'block.recurrence'"):
        arms_of(small_run, **paths)


def test_all_arms_read_the_same_tokens_of_the_same_text(small_run):
    arms = arms_of(small_run, tokens=12_345, peers=(("GPT", wetware.tiny("gpt")),))
    assert {arm.tokens for arm in arms.values()} == {12_345}
    assert {arm.run.corpus for arm in arms.values()} == {small_run.corpus}
    assert arms["GPT"].group == PEER and arms["GPT"].run.model.vocab_size == small_run.model.vocab_size


def test_parameters_are_matched_by_width_and_both_counts_kept():
    run = wetware.recipe("real_sam_mini")
    target = parameters(run.model)
    arms = arms_of(run, leave_out=("block.recurrence", "firing_target"))
    without = arms["without block.recurrence"]
    assert without.unmatched < 0.9 * target
    assert abs(parameters(without.run.model) - target) < 0.02 * target
    assert without.run.model.width > run.model.width and without.run.model.width % STEP == 0
    assert arms["without firing_target"].run.model.width == run.model.width
    for arm in (arms[SKELETON], arms[PLAIN]):
        assert abs(parameters(arm.run.model) - target) < 0.02 * target
    raw = arms_of(run, leave_out=("block.recurrence",), match=False)["without block.recurrence"]
    assert raw.run.model.width == run.model.width and raw.unmatched == parameters(raw.run.model)


def test_matching_finds_the_nearest_width():
    config = wetware.recipe("gpt_mini").model
    for target in (100_000, 390_000, 2_000_000):
        near = matched(config, target)
        gap = abs(parameters(near) - target)
        for other in (near.width - STEP, near.width + STEP):
            assert gap <= CLOSE * target or gap <= abs(parameters(replace(near, width=other)) - target)


def test_a_control_changes_its_reference_and_keeps_what_it_shares(small_run):
    settings = (("model.encoder", "CurrentEncoder"),)
    change = Change("current", settings, against="without block.recurrence")
    arms = arms_of(small_run, leave_out=("block.recurrence",), changes=(change,), match=False)
    model = arms["current"].run.model
    assert type(model.encoder).__name__ == "CurrentEncoder"
    assert model.encoder.bits == small_run.model.encoder.bits == 24
    assert model.block.recurrence is None
    with pytest.raises(ConfigError, match="did you mean 'without block.recurrence'"):
        arms_of(
            small_run, leave_out=("block.recurrence",), changes=(change._replace(against="without block.recurence"),)
        )


@pytest.mark.parametrize("name", study_names())
def test_every_study_of_the_package_has_arms_that_round_trip(name):
    asked = study(name)
    arms = asked.arms()
    assert len({arm.name for arm in arms}) == len(arms) > 3
    assert [arm.name for arm in arms if arm.against is None] == [asked.called]
    for arm in arms:
        assert Arm.from_dict(arm.to_dict()) == arm
        assert arm.group == ANCHOR or arm.run != get_arm(arms, arm.against).run


def get_arm(arms, name):
    return next(arm for arm in arms if arm.name == name)


def test_a_recipe_is_a_study_of_its_mechanisms():
    asked = study("real_sam_small")
    assert asked.run == wetware.recipe("real_sam_small") and asked.leave_out == ("all",)
    with pytest.raises(ConfigError, match="did you mean 'real_sam_mechanisms'"):
        study("real_sam_mechanism")
    assert get(asked.run, "model.width") == 256
