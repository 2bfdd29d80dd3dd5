"""From rows to verdicts: planted effects are found, planted nulls are equivalent, what is missing is said."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from wetware.commands.console import Console
from wetware.commands.study_report import write_report
from wetware.evaluation.study import Study
from wetware.evaluation.study.plan import draw_up
from wetware.evaluation.study.results import results
from wetware.evaluation.study.store import Store

PLANTED = {
    "everything": 0.0,
    "skeleton": 0.05,
    "without block.recurrence": 0.03,  # taking it out is worse: it helps
    "without modulators.environment": 0.0,  # nothing
    "without firing_target": -0.03,  # taking it out is better: it hurts
    "only block.recurrence": -0.03,  # putting it in is better: it helps
    "stronger": 0.003,
}
SPREAD = 0.002


@pytest.fixture(scope="module")
def plan(small_run):
    paths = ("block.recurrence", "modulators.environment", "firing_target")
    study = Study(run=small_run, leave_out=paths, add=("block.recurrence",), plain=None, tokens=640, match=False)
    drawn = draw_up("planted", study, measure=False, command="wetware study something")
    control = replace(drawn.arms[0], name="stronger", group="control", against="everything")
    return replace(drawn, arms=(*drawn.arms, control), speeds=(*drawn.speeds, 0.5))


def fill(store, plan, skip=(), fail=()):
    """Rows as workers would have written them: what a seed shares, what an arm adds, and noise of its own."""
    store.register(plan)
    dice = np.random.default_rng(1)
    shared = dice.normal(0, 0.03, plan.seeds)
    noise = {key: dice.normal(0, SPREAD) for key in plan.cells}
    base = {"skeleton": PLANTED["skeleton"], "only block.recurrence": PLANTED["skeleton"]}
    while cell := store.claim("host:1:0"):
        key = (cell.arm, cell.seed)
        if key in skip:
            continue
        if key in fail:
            store.failed(cell, "ValueError: it broke")
            continue
        effect = PLANTED[cell.arm] + (base["only block.recurrence"] if cell.arm.startswith("only") else 0.0)
        bits = 1.8 + shared[cell.seed] + effect + noise[key]
        curve = [[320, bits + 1, 1.0], [640, bits, 2.0]]
        about = {"tokens": 400, "bytes": 500, "machine": "x", "torch": "y", "version": "z", "processor_seconds": 1.0}
        store.done(cell, {"bits_per_byte": bits, "firing": [0.1, 0.2], "curve": curve, **about})


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'study.db'}")


def by_name(found):
    return {outcome.arm.name: outcome for outcome in found.outcomes}


def test_planted_effects_are_found_and_planted_nulls_equivalent(store, plan):
    fill(store, plan)
    arms = by_name(results(store, "planted"))
    assert arms["without block.recurrence"].verdict == "helps"
    assert arms["without firing_target"].verdict == "hurts"
    assert arms["without modulators.environment"].verdict == "makes no difference"
    assert arms["only block.recurrence"].verdict == "helps"
    assert arms["skeleton"].verdict == "worse"
    assert arms["stronger"].verdict in ("equivalent", "worse, by less than the margin")
    assert arms["everything"].judged is None and arms["everything"].verdict == ""
    assert arms["stronger"].cost == 2.0  # half the speed of what it is compared with


def test_effects_are_paired_by_seed_and_corrected_within_their_group(store, plan):
    fill(store, plan)
    arms = by_name(results(store, "planted"))
    left = [outcome for outcome in arms.values() if outcome.arm.group == "left out"]
    expected = {}
    for outcome in left:
        mine, other = outcome.scores, arms["everything"].scores
        differences = [mine[seed] - other[seed] for seed in range(6)]
        assert outcome.judged.effect.differences == pytest.approx(differences)
        expected[outcome.arm.name] = stats.ttest_1samp(differences, 0).pvalue
    for rank, (name, p) in enumerate(sorted(expected.items(), key=lambda item: item[1])):
        assert arms[name].judged.p == pytest.approx(min(1.0, p * (3 - rank)), rel=1e-6)
    differences = [arms["only block.recurrence"].scores[s] - arms["skeleton"].scores[s] for s in range(6)]
    assert arms["only block.recurrence"].judged.effect.differences == pytest.approx(differences)
    unpaired = np.std(list(arms["everything"].scores.values()), ddof=1)
    assert unpaired > 5 * left[0].judged.effect.sd  # what a seed does to both sides is gone


def test_missing_and_failed_cells_leave_only_their_own_comparison(store, plan):
    missing = {("without block.recurrence", 1), ("everything", 2)}
    broken = {("without block.recurrence", 4)}
    fill(store, plan, skip=missing, fail=broken)
    found = results(store, "planted")
    arms = by_name(found)
    assert arms["without block.recurrence"].judged.effect.n == 3
    assert arms["without firing_target"].judged.effect.n == 5
    assert arms["without block.recurrence"].failed == {4: "ValueError: it broke"}
    assert found.done == len(found.cells) - 3


def test_the_report_says_it_all(store, plan, tmp_path, capsys):
    fill(store, plan, fail={("without firing_target", 0)})
    write_report(store, "planted", tmp_path / "out", Console())
    page, html = ((tmp_path / "out" / name).read_text() for name in ("report.md", "report.html"))
    for text in (page, html):
        for wanted in (
            store.digest("planted"),
            "wetware study something",
            "ValueError: it broke",
            "makes no difference",
        ):
            assert wanted in text
    assert "![effects with 95 % intervals](forest.png)" in page and "data:image/png;base64," in html
    assert "41 of 42 cells are done, 1 failed" in page
    assert "smallest" in page or "sign-flip" in page  # the limits of six seeds
    line = next(line for line in page.splitlines() if line.startswith("| without block.recurrence"))
    assert "+0.03" in line and "| helps |" in line
    saved = json.loads((tmp_path / "out" / "results.json").read_text())
    effects = {effect["arm"]: effect for effect in saved["effects"]}
    assert effects["without block.recurrence"]["verdict"] == "helps"
    assert (
        effects["without block.recurrence"]["interval"][0] < 0.03 < effects["without block.recurrence"]["interval"][1]
    )
    rows = list(csv.DictReader((tmp_path / "out" / "cells.csv").open()))
    assert len(rows) == len(plan.cells)
    assert [row["error"] for row in rows if row["status"] == "failed"] == ["ValueError: it broke"]
    assert len((tmp_path / "out" / "cells.jsonl").read_text().splitlines()) == len(plan.cells)
    assert "helps" in capsys.readouterr().out


def test_a_study_without_a_row_has_a_report_too(store, plan, tmp_path):
    store.register(plan)
    write_report(store, "planted", tmp_path, Console(quiet=True))
    assert "0 of 42 cells are done" in (tmp_path / "report.md").read_text()


def test_at_equal_time(small_run):
    """An arm that takes 1.5 times as long a token is worth what it beats the whole by at 1.5 times the tokens."""
    import math

    from wetware.evaluation.study.results import at_equal_time

    study = Study(run=small_run, leave_out=("firing_target",), plain=None, tokens=640, match=False, longer=(2.0,))
    plan = draw_up("longer", study, measure=False)
    names = [arm.name for arm in plan.arms]
    assert names[-1] == "everything, 2 x tokens" and plan.arms[-1].tokens == 1280
    speeds = tuple({"skeleton": 2.5, "without firing_target": 4.0 / 1.5}.get(name, 4.0) for name in names)
    plan = replace(plan, speeds=speeds)
    scores = {"everything": {0: 2.0, 1: 2.2}, "everything, 2 x tokens": {0: 1.8, 1: 2.1}, "skeleton": {0: 3.0}}
    scores["without firing_target"] = {0: 1.95, 1: 2.0}
    share = math.log(1.5) / math.log(2.0)
    timed = at_equal_time(plan, plan.arm("without firing_target"), scores)
    assert timed == pytest.approx([1.95 - (2.0 - 0.2 * share), 2.0 - (2.2 - 0.1 * share)])
    assert len(at_equal_time(plan, plan.arm("skeleton"), scores)) == 1  # 1.6 times the time: between the rungs too
    slow = replace(plan, speeds=tuple(1.0 if name == "skeleton" else 4.0 for name in names))
    assert at_equal_time(slow, slow.arm("skeleton"), scores) == ()  # 4 times: nothing was trained as long
    fast = replace(plan, speeds=tuple(8.0 if name == "skeleton" else 4.0 for name in names))
    assert at_equal_time(fast, fast.arm("skeleton"), scores) == pytest.approx([1.0])  # at equal tokens
    assert at_equal_time(plan, plan.arms[-1], scores) == at_equal_time(plan, plan.arms[0], scores) == ()
