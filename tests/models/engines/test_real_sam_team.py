"""Threads that share one sequence: the same to the last bit as one thread alone, and only as long as it pays."""

import signal
import threading

import pytest
import torch

import wetware
from wetware.kernels.compiled import threads
from wetware.layers import AxonalDelays
from wetware.models.engines.pace import Pace
from wetware.models.engines.real_sam import RealSamEngine
from wetware.models.generation import Sampling, Session
from wetware.state import leaves


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def written(model, parts, monkeypatch, sampling, weights):
    session = Session(model, sampling, seed=5, weights=weights)
    assert isinstance(session.engine, RealSamEngine)
    turns = iter(parts)
    monkeypatch.setattr(session.engine._pace, "parts", lambda: next(turns))
    session.read([0, 5, 9, 0, 7, 7])
    tokens = torch.cat([session.tokens(5) for _ in range(5)], 1)
    return tokens, session.logits, session.state


@pytest.mark.parametrize(
    ("width", "late", "weights", "sampling"),
    [
        (32, (), "int8", Sampling(temperature=0.0)),
        (70, (), "float32", Sampling()),
        (33, (), "float32", Sampling(top_k=7)),
        (33, (0, 3, 1), "float32", Sampling()),
        (70, (0, 1), "int8", Sampling()),
    ],
    ids=str,
)
def test_shared_equals_alone(two_threads, monkeypatch, width, late, weights, sampling):
    if not threads.together(lambda part: None, 2):
        assert threads._openmp() is None  # only where PyTorch's OpenMP cannot be reached
        return
    config = wetware.with_(wetware.tiny("real_sam"), "width", width)
    if late:
        config = wetware.with_(config, "block.delays", AxonalDelays(late=late))
    model = config.build(seed=3)
    alone = written(model, [1] * 6, monkeypatch, sampling, weights)
    shared = written(model, [2] * 6, monkeypatch, sampling, weights)
    turning = written(model, [1, 2, 2, 1, 2, 1], monkeypatch, sampling, weights)
    for other in (shared, turning):
        assert torch.equal(alone[0], other[0]) and torch.equal(alone[1], other[1])
        for (path, mine), (_, theirs) in zip(leaves(alone[2]), leaves(other[2]), strict=True):
            assert torch.equal(mine, theirs), path


def paced(pace, seconds, turns):
    """The choices of ``turns`` pieces of 100 tokens, which take ``seconds[parts]`` each."""
    chosen = []
    for _ in range(turns):
        parts = pace.parts()
        chosen.append(parts)
        pace.seconds[parts] = [*pace.seconds[parts][-1:], seconds[parts]]
        pace.since += 100
    return chosen


def test_the_faster_way_is_taken_and_the_other_tried_again(two_threads):
    pace = Pace(2)
    assert paced(pace, {1: 2.0, 2: 1.0}, 20).count(1) == 5  # twice at first, then after every 512 tokens
    assert paced(pace, {1: 2.0, 2: 9.0}, 30).count(2) < 10  # the other core was taken meanwhile
    assert Pace(1).parts() == 1


def test_one_thread_is_never_shared(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert paced(Pace(2), {1: 9.0, 2: 1.0}, 5) == [1] * 5
    assert not threads.together(lambda part: None, 2)


def test_errors_of_either_thread_are_raised(two_threads):
    def work(part):
        if part == 1:
            raise ValueError("of the second")

    if threads._openmp() is not None:
        with pytest.raises(ValueError, match="of the second"):
            threads.together(work, 2)


def test_more_than_all_tokens_is_no_limit():
    """Top-k of more than there are leaves top-p to itself."""
    model = wetware.tiny("real_sam").build(seed=3)
    texts = []
    for top_k in (None, 500):
        session = Session(model, Sampling(top_k=top_k, top_p=0.3), seed=1)
        session.read([0, 4])
        texts.append(session.tokens(30).tolist())
    assert texts[0] == texts[1]
    loose = Session(model, Sampling(), seed=1)
    loose.read([0, 4])
    assert loose.tokens(30).tolist() != texts[0]


def test_an_interrupt_waits_for_the_end(two_threads):
    """Ctrl-C in one thread before it begins must not leave the other waiting for it."""
    done = []

    def work(part):
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        done.append(part)

    if threads._openmp() is not None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
        try:
            with pytest.raises(KeyboardInterrupt):
                threads.together(work, 2)
        finally:
            signal.signal(signal.SIGINT, before)
        assert sorted(done) == [0, 1]
