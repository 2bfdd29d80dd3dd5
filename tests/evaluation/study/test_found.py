"""Tokens until a task is found: where a curve crosses a level, and how arms compare."""

from dataclasses import replace

import pytest

from wetware.evaluation.study import Study
from wetware.evaluation.study.found import first_below, found
from wetware.evaluation.study.plan import CURVE, FINE, Plan, draw_up
from wetware.evaluation.study.report import _found

CURVES = {"everything": (400, 600, 500), "twice": (800, 1200, 1010), "never": (400, None, 500)}


def test_where_a_curve_crosses():
    curve = [(100, 3.0), (200, 1.0), (300, 1.0), (400, 0.0)]
    assert first_below(curve, 2.0) == 150 and first_below(curve, 0.5) == 350
    assert first_below(curve, 4.0) == 100 and first_below(curve, 0.0) is None and first_below([], 1.0) is None
    assert first_below(curve, 1.0) == 300  # below, not at


@pytest.fixture(scope="module")
def plan(small_run):
    study = Study(run=small_run, leave_out=(), plain=None, tokens=64_000, match=False, found=0.5)
    drawn = draw_up("cliff", study, measure=False)
    arms = [replace(drawn.arms[0], name=name, group="control", against="everything") for name in ("twice", "never")]
    return replace(drawn, arms=(drawn.arms[0], *arms), speeds=(1.0,) * 3)


def curves():
    def curve(at):
        return [(0, 3.0), (2000, 2.9)] if at is None else [(at - 100, 1.0), (at + 100, 0.0)]

    return {name: {seed: curve(at) for seed, at in enumerate(times)} for name, times in CURVES.items()}


def test_arms_are_compared_by_seed_where_all_found_it(plan):
    whole, twice, never = found(plan, curves())
    assert whole.tokens == {0: 400, 1: 600, 2: 500} and whole.median == 500 and whole.ratio is None
    assert twice.ratio is not None and twice.ratio.n == 3 and twice.p is not None and twice.p < 0.001
    assert _found(twice)[:3] == ("twice", "3 of 3", "1,010") and _found(twice)[3].startswith("2.01 [1.")
    assert len(never.tokens) == 2 and never.runs == 3 and never.ratio is None and never.p is None
    assert never.median == 500 and _found(never) == ("never", "2 of 3", "500", "", "")


def test_a_plan_without_keeps_its_digest_and_one_with_looks_more_often(plan, small_run):
    assert "found" not in replace(plan, found=None).to_dict() and plan.to_dict()["found"] == 0.5
    assert Plan.from_dict(plan.to_dict()) == plan and found(replace(plan, found=None), curves()) == ()
    assert "below 0.5 bits per byte" in plan.markdown()
    study = Study(run=small_run, leave_out=(), plain=None, tokens=64_000, match=False)
    often, seldom = (
        plan.arms[0].run.monitoring.evaluate_every,
        draw_up("x", study, measure=False).arms[0].run.monitoring,
    )
    assert seldom.evaluate_every // often in range(FINE // CURVE, FINE // CURVE + 3)
