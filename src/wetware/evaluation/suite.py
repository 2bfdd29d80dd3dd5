"""Suite: several measures asked of one model, each by itself: one that fails takes no other with it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from wetware.config import ConfigError, nearest, snake
from wetware.evaluation.measure import Measure, Subject, Table
from wetware.evaluation.measures import measures

SUITES = ("quick", "full")

Told = Callable[[float, str], None]  # the share of all that is done, from 0 to 1, and the title of what goes on


class Results(NamedTuple):
    """What came of a suite, by the measures' names: figures, tables made of them, the reasons of those that refused, the
    errors of those that failed, and the seconds each took. titles: of all of them, in the order in which they were asked."""

    titles: dict[str, str]
    figures: dict[str, dict[str, Any]]
    tables: dict[str, Table]
    refused: dict[str, str]
    failed: dict[str, str]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "measures": self.figures,
            "refused": self.refused,
            "failed": self.failed,
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
        }


def chosen(
    suite: str | None = None, names: Sequence[str] = (), given: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Measure]:
    """The measures to ask.

    Args:
        suite: ``quick`` or ``full``; None is quick, or when measures are named, those as they are in full.
        names: of measures (their beginning will do), instead of a suite; other names are tasks of lm-eval.
        given: fields of measures, by the measure's name. A measure that is given a field is asked in any case.

    Raises:
        ConfigError: an unknown suite, a name that is nearly that of a measure, a measure that is not there.
    """
    if suite is not None and suite not in SUITES:
        raise ConfigError(f"no suite {suite!r}{nearest(suite, SUITES)}")
    given, known = {name: dict(fields) for name, fields in (given or {}).items()}, measures()
    names = [_spelled_out(name) for name in names]
    own = [name for name in names if name in known]
    if others := [name for name in names if name not in known]:
        given[LM_EVAL] = {**given.get(LM_EVAL, {}), **_other_tasks(others, checked=LM_EVAL not in given)}
    if not names:
        own = [name for name, kind in known.items() if suite == "full" or kind.quick]
    wanted = list(dict.fromkeys([*own, *given]))
    asked = [_made(name, given.get(name, {})) for name in wanted]
    return [measure.quickly() for measure in asked] if (suite or ("full" if names else "quick")) == "quick" else asked


def _spelled_out(name: str) -> str:
    """The measure that a name is the beginning of, when it is that of one alone: ``needle`` is ``needle_accuracy``."""
    longer = [known for known in measures() if known.startswith(f"{name}_")]
    return longer[0] if len(longer) == 1 and name not in measures() else name


def _made(name: str, fields: dict[str, Any]) -> Measure:
    if name not in measures():
        raise ConfigError(f"no measure {name!r} in this wetware{nearest(name, measures())}")
    kind = measures()[name]
    allowed = {field.name for field in dataclasses.fields(kind)}
    for field in fields:
        if field not in allowed:
            raise ConfigError(f"unknown field of {name}: {field!r}{nearest(field, allowed)}")
    return kind(**fields)


LM_EVAL = "lm_eval"


def _other_tasks(names: Sequence[str], checked: bool = True) -> dict[str, Any]:
    """The fields that make the measure ``lm_eval`` ask for ``names``.

    A name that is nearly a measure of ours is taken for a typo, unless the user brings tasks of their own (``checked``).
    """
    known = measures()
    for name in names if checked else ():
        guess = nearest(name, known, 0.8)
        if "did you mean" in guess:
            raise ConfigError(f"no measure {name!r}{guess}")
    if LM_EVAL not in known:
        extra = "tasks of lm-eval need the extra 'eval': pip install 'wetware[eval]'"
        raise ConfigError(f"no measure {names[0]!r}{nearest(names[0], known)}; {extra}")
    return {"tasks": tuple(names)}


def ask(subject: Subject, asked: Sequence[Measure], told: Told | None = None) -> Results:
    """Ask every measure of ``subject``, one after the other. What goes wrong in one is written down and the others go on;
    the random numbers of the caller are left as they were."""
    results = Results({}, {}, {}, {}, {}, {})
    whole, done = sum(measure.weight for measure in asked) or 1.0, 0.0
    for measure in asked:
        name, share, before = snake(type(measure).__name__), measure.weight / whole, done

        def progress(part: float, share: float = share, before: float = before, title: str = measure.title) -> None:
            if told:
                told(before + share * min(1.0, max(0.0, part)), title)

        progress(0.0)
        started = time.monotonic()
        with torch.random.fork_rng(devices=()):
            _ask(subject, measure, name, progress, results)
        results.seconds[name] = time.monotonic() - started
        done += share
        progress(1.0)
    return results


def _ask(subject: Subject, measure: Measure, name: str, progress: Callable[[float], None], results: Results) -> None:
    results.titles[name] = measure.title or name
    try:
        if reason := measure.refusal(subject):
            results.refused[name] = reason
            return
        figures = plain(measure.take(subject, progress))
        results.tables[name] = measure.table(figures)
        results.figures[name] = figures
    except Exception as error:
        results.failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: tuples become lists, and what is not finite None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
