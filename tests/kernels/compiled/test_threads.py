"""Work on several threads: every part once, by OpenMP and by Python's threads; errors; callers at the same time."""

from __future__ import annotations

import threading

import pytest
import torch

from wetware.kernels.compiled import threads


@pytest.fixture(params=["openmp", "pool"])
def way(request, monkeypatch):
    if request.param == "pool":
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    elif threads._openmp() is None:
        pytest.skip("PyTorch brings no OpenMP that can be reached here")
    return request.param


@pytest.fixture(autouse=True)
def _one_thread_afterwards():
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("parts", [1, 2, 5, 16])
def test_every_part_is_done_once(way, parts, count):
    """Also more parts than there are threads or cores."""
    torch.set_num_threads(count)
    given, done = [(part, part + 3) for part in range(parts)], []
    threads.run(lambda start, stop: done.append((start, stop)), given)
    assert sorted(done) == given


def test_parts_run_at_the_same_time(way):
    torch.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=20)  # neither comes through alone
    threads.run(lambda start, stop: meeting.wait(), [(0, 1), (1, 2)])


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_errors_are_raised_when_all_are_done(way, bad):
    torch.set_num_threads(3)
    done = []

    def work(start, stop):
        if start == bad:
            raise KeyError(f"part {start}")
        done.append(start)

    with pytest.raises(KeyError, match=f"part {bad}"):
        threads.run(work, [(0, 1), (1, 2), (2, 3)])
    assert sorted(done) == sorted({0, 1, 2} - {bad})
    threads.run(lambda start, stop: done.append(9), [(0, 1), (1, 2)])  # and it still works
    assert done.count(9) == 2


def test_callers_at_the_same_time(way):
    """Several threads of a server, each with its own work."""
    torch.set_num_threads(2)
    done: dict[int, list] = {caller: [] for caller in range(4)}

    def call(caller):
        for _ in range(50):
            threads.run(lambda start, stop: done[caller].append(start), [(0, 1), (1, 2), (2, 3)])

    callers = [threading.Thread(target=call, args=(caller,)) for caller in done]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(parts) == sorted([0, 1, 2] * 50) for parts in done.values())


def test_work_within_work(way):
    torch.set_num_threads(2)
    done = []
    inner = [(0, 1), (1, 2)]
    threads.run(lambda start, stop: threads.run(lambda a, b: done.append((start, a)), inner), inner)
    assert sorted(done) == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("count", "least", "most", "parts"), [(10, 1, 3, 3), (2, 1, 3, 2), (100, 40, 3, 2), (5, 9, 3, 1)]
)
def test_shares(count, least, most, parts):
    torch.set_num_threads(most)
    found = threads.shares(count, least)
    assert len(found) == parts
    assert [n for start, stop in found for n in range(start, stop)] == list(range(count))
    assert min(stop - start for start, stop in found) >= min(least, count)


def test_nothing_to_share():
    assert threads.shares(0) == [(0, 0)]
