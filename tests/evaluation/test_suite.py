"""The suite: what is asked, and that each measure stands by itself."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from wetware.config import ConfigError, snake
from wetware.evaluation import Measure, Table, ask, chosen
from wetware.evaluation.measures import measures
from wetware.evaluation.suite import plain
from wetware.evaluation.suite_report import document


@dataclass(frozen=True, kw_only=True)
class Dicing(Measure):
    """Draws a number and gives figures that JSON cannot hold as they are."""

    title: ClassVar[str] = "a | b"

    def take(self, subject, progress):
        progress(0.5)
        return {"drawn": float(torch.rand(1)), "never": math.nan, "pair": (1, 2)}

    def table(self, figures):
        return Table(("name", "figure"), (("x|y", "1"),), "how to read it")


@dataclass(frozen=True, kw_only=True)
class Broken(Measure):
    """Fails."""

    def take(self, subject, progress):
        raise RuntimeError("two\nlines")


@dataclass(frozen=True, kw_only=True)
class Shy(Measure):
    """Refuses."""

    def refusal(self, subject):
        return "it would rather not"


def test_each_stands_by_itself(subject):
    shares = []
    torch.manual_seed(3)
    expected = float(torch.rand(1))
    torch.manual_seed(3)
    results = ask(subject("gpt"), [Broken(), Shy(), Dicing()], lambda share, title: shares.append(share))
    assert float(torch.rand(1)) == expected  # what a measure draws is not missing afterwards
    assert results.failed == {"broken": "RuntimeError: two lines"}
    assert results.refused == {"shy": "it would rather not"}
    assert results.figures["dicing"]["never"] is None
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    json.dumps(results.to_dict(), allow_nan=False)
    text = document("it", ["1 parameter"], results, {"dicing": Path("dicing.png")}).markdown()
    assert "| x\\|y | 1 |" in text
    assert "](dicing.png)" in text
    assert "it would rather not" in text
    assert "two lines" in text


def test_the_quick_suite_changes_nothing_and_says_the_same_twice(subject):
    it = subject("real_sam")
    before = {name: tensor.clone() for name, tensor in it.model.state_dict().items()}
    asked = [measure for measure in chosen("quick") if snake(type(measure).__name__) != "speed"]
    first, second = ask(it, asked), ask(it, asked)
    assert not first.failed
    assert first.figures == second.figures
    assert all(torch.equal(tensor, before[name]) for name, tensor in it.model.state_dict().items())
    assert all(parameter.grad is None for parameter in it.model.parameters())
    for name, table in first.tables.items():
        assert {len(row) for row in table.rows} == {len(table.columns)}, name


def names(asked):
    return {snake(type(measure).__name__) for measure in asked}


def test_what_is_chosen():
    every = measures()
    quick = {name for name, kind in every.items() if kind.quick}
    assert {"bits_per_byte", "speed", "energy", "activity"} <= quick
    assert names(chosen()) == names(chosen("quick")) == quick
    assert names(chosen("full")) == set(every)
    kinds = {suite: {type(m): m for m in chosen(suite)} for suite in ("quick", "full")}
    horizon = every["memory_horizon"]
    assert kinds["quick"][horizon].longest < kinds["full"][horizon].longest
    assert chosen(names=["memory_horizon"]) == [horizon()]
    given = {"energy": {"context": 9}}
    assert chosen(names=["activity"], given=given)[1] == every["energy"](context=9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"names": ["memory_horizn"]}, "did you mean 'memory_horizon'"),
        ({"suite": "ful"}, "did you mean 'full'"),
        ({"given": {"energy": {"contxt": 3}}}, "did you mean 'context'"),
        ({"given": {"nothing_such": {}}}, "no measure 'nothing_such'"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        chosen(**call)


def test_other_names_are_tasks_of_lm_eval(monkeypatch):
    import wetware.evaluation.suite as suite

    @dataclass(frozen=True, kw_only=True)
    class Harness(Measure):
        tasks: tuple[str, ...] = ()
        folder: str | None = None

    own = {name: kind for name, kind in measures().items() if name != suite.LM_EVAL}
    monkeypatch.setattr(suite, "measures", lambda: own)
    with pytest.raises(ConfigError, match="the extra 'eval'"):
        chosen(names=["hellaswag"])
    monkeypatch.setattr(suite, "measures", lambda: {**own, suite.LM_EVAL: Harness})
    assert chosen(names=["hellaswag", "activity", "piqa"])[1] == Harness(tasks=("hellaswag", "piqa"))
    mine = {suite.LM_EVAL: {"folder": "mine"}}
    assert chosen(names=["activityx"], given=mine) == [Harness(tasks=("activityx",), folder="mine")]


def test_plain():
    assert plain({"a": (1, math.inf), 2: [math.nan, "x", None, True]}) == {"a": [1, None], "2": [None, "x", None, True]}


def test_the_beginning_of_a_name_will_do():
    assert [snake(type(measure).__name__) for measure in chosen(names=["needle", "energy"])] == [
        "needle_accuracy",
        "energy",
    ]
