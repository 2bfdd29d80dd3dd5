"""The study of the curriculum: arms differ in their phases and in nothing else, and read equally many tokens."""

from dataclasses import replace

import pytest

from wetware.data import WholeText
from wetware.recipes import study

ARMS = {arm.name: arm for arm in study("real_sam_phases").arms()}
ENDS_WITH_STORIES = {name for name in ARMS if name.endswith("without conversations")}


def phases(name):
    return ARMS[name].run.training.curriculum.phases


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_changes_the_course_alone(name):
    run, whole = ARMS[name].run, ARMS["curriculum"].run
    assert replace(run, training=replace(run.training, curriculum=None)) == replace(
        whole, training=replace(whole.training, curriculum=None)
    )


@pytest.mark.parametrize("name", sorted(set(ARMS) - {"no curriculum"}))
def test_the_last_phase_goes_on_to_the_end_of_the_run(name):
    last = "stories" if name in ENDS_WITH_STORIES else "conversations"
    assert [phase.cap is None for phase in phases(name)][-1] and phases(name)[-1].name == last


@pytest.mark.parametrize(("name", "texts", "lengths"), [("length only", 1, 4), ("data only", 4, 1), ("constant", 1, 1)])
def test_what_an_ablation_holds_still(name, texts, lengths):
    for each in (name, f"{name}, without conversations"):
        four = phases(each)[:4]
        assert len({phase.text for phase in four}) == texts and len({phase.chunk for phase in four}) == lengths
        assert texts > 1 or four[0].text == WholeText()
