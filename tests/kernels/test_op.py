"""Op: the first backend that does not refuse; by name, that one or an error; never a silent fallback."""

from __future__ import annotations

import contextlib
import threading

import pytest
import torch

from wetware.kernels import OPS, Op, Refused, attention, lif_scan


@pytest.fixture
def double():
    """An op with two backends: ``tens`` refuses what is no multiple of 10, ``even`` what is odd."""
    op = Op("double", lambda x, *, note="": ("reference", 2 * x), lambda: [])
    op.backend("tens", lambda x, *, note="": f"{x} is no multiple of 10" if x % 10 else None)(
        lambda x, *, note="": ("tens", 2 * x)
    )
    op.backend("even", lambda x, *, note="": f"{x} is odd" if x % 2 else None)(lambda x, *, note="": ("even", 2 * x))
    yield op
    del OPS["double"]


def test_registered():
    assert OPS["lif_scan"] is lif_scan and OPS["attention"] is attention
    assert all(op.name == name and op.names[-1] == "reference" for name, op in OPS.items())


def test_the_first_that_does_not_refuse(double):
    assert double.names == ("tens", "even", "reference")
    assert double(20) == ("tens", 40)
    assert double(4, note="keywords pass") == ("even", 8)
    assert double(3) == ("reference", 6)


def test_by_name(double):
    for name in double.names:
        with double.using(name):
            assert double(20) == (name, 40)
    assert double(20)[0] == "tens"


def test_an_unknown_name(double):
    with pytest.raises(ValueError, match="double has no backend 'evn'; did you mean 'even'?"), double.using("evn"):
        raise AssertionError("never entered")
    allowed = "double has no backend 'xyz'; allowed: even, reference, tens"
    with pytest.raises(ValueError, match=allowed), double.using("xyz"):
        pass
    assert double(20)[0] == "tens"


def test_a_forced_backend_that_refuses_says_why(double):
    with double.using("even"), pytest.raises(Refused, match="double: backend 'even' refused: 3 is odd"):
        double(3)
    with double.using("tens"), pytest.raises(Refused, match="4 is no multiple of 10"):
        double(4)  # though ``even`` would take it


def test_nested(double):
    with double.using("even"):
        with double.using("reference"):
            assert double(20)[0] == "reference"
        assert double(20)[0] == "even"
    assert double(20)[0] == "tens"


def test_an_error_inside_leaves_nothing_forced(double):
    with pytest.raises(KeyError), double.using("reference"):
        raise KeyError
    assert double(20)[0] == "tens"
    with double.using("even"):
        with pytest.raises(Refused), double.using("tens"):
            double(4)
        assert double(20)[0] == "even"


def test_another_op_is_not_forced(double):
    case = next(iter(attention.cases()))
    with double.using("even"):
        assert attention.explain(*case.args, **case.keywords).count("chosen") == 1
        attention(*case.args, **case.keywords)


def test_another_thread_is_not_forced(double):
    seen = {}
    inside, done = threading.Event(), threading.Event()

    def look():
        seen["before"] = double(20)[0]
        with double.using("even"):
            inside.set()
            done.wait(5)
            seen["own"] = double(20)[0]

    thread = threading.Thread(target=look)
    with double.using("reference"):
        thread.start()
        inside.wait(5)
        seen["here"] = double(20)[0]
        done.set()
        thread.join(5)
    assert seen == {"before": "tens", "here": "reference", "own": "even"}


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (20, "tens: chosen; even: available; reference: available"),
        (4, "tens: refused, 4 is no multiple of 10; even: chosen; reference: available"),
        (3, "tens: refused, 3 is no multiple of 10; even: refused, 3 is odd; reference: chosen"),
    ],
)
def test_explain(double, x, text):
    assert double.explain(x) == text


def test_explain_tells_what_is_run():
    """For the real ops: what ``explain`` calls chosen, forced, gives what the unforced call gives, to the last bit."""
    for op in (lif_scan, attention):
        for case in op.cases():
            parts = op.explain(*case.args, **case.keywords).split("; ")
            [chosen] = [part.split(":")[0] for part in parts if part.endswith("chosen")]
            with op.using(chosen):
                forced = op(*case.args, **case.keywords)
            free = op(*case.args, **case.keywords)
            pair = (forced, free) if isinstance(free, torch.Tensor) else (forced[0], free[0])
            assert torch.equal(*pair)


def test_what_is_explained_is_what_runs(double):
    for x in (20, 4, 3):
        for name in (None, *double.names):
            with contextlib.nullcontext() if name is None else double.using(name):
                text = double.explain(x)
                try:
                    ran = double(x)[0]
                except Refused:
                    assert f"{name}: refused" in text and "chosen" not in text
                    continue
            assert [part.split(":")[0] for part in text.split("; ") if part.endswith("chosen")] == [ran]
