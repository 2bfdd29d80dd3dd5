"""Events and the products made of them, against numpy; whole numbers, so that sums are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wetware.kernels.compiled import events

RATES = (0.0, 0.02, 0.3, 0.4, 1.0)  # on both sides of the switch


@pytest.fixture(params=[1, 3])
def threads(request):
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(1)


def spikes(rows, columns, rate, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(rows, columns, generator=generator) < rate).float()


def whole(rows, columns, seed=1):
    return torch.randint(-99, 100, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 300])
def test_list_events(kind, count):
    for rate in RATES:
        now = spikes(1, count, rate)[0].numpy().astype(kind)
        ids = np.full(count + events.SPARE, -7, np.int32)
        found = events.list_events(now, ids)
        assert ids[:found].tolist() == now.nonzero()[0].tolist()
        assert (ids[count:] == -7).all()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("rows", "sources", "columns"), [(1, 1, 1), (7, 5, 33), (40, 70, 100), (3, 129, 16)])
def test_inner(rows, sources, columns, rate, threads):
    given, table = spikes(rows, sources, rate), whole(sources, columns)
    made, fired = events.inner(given, table)
    assert torch.equal(made, given @ table)
    assert fired.dtype == np.uint8 and np.array_equal(fired, given.numpy())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("rows", "sources", "columns"), [(1, 1, 1), (7, 5, 33), (40, 70, 100), (3, 129, 16)])
def test_outer(rows, sources, columns, rate, threads, monkeypatch):
    fired, values = spikes(rows, sources, rate, 2), whole(rows, columns, 3)
    for switch in (events.SWITCH, -1.0, 2.0):  # as it is; always dense; never
        monkeypatch.setattr(events, "SWITCH", switch)
        made = events.outer(fired.numpy().astype(np.uint8), values)
        assert torch.equal(made, fired.t() @ values)


def test_which_way_outer_goes(monkeypatch):
    """Sums over events up to the switch, a dense product above."""
    went = []
    made = events._sum_by_source
    monkeypatch.setattr(events, "_sum_by_source", lambda *args: (went.append(True), made(*args)))
    for rate, ways in ((0.1, 1), (0.9, 0)):
        went.clear()
        events.outer(spikes(50, 40, rate).numpy().astype(np.uint8), whole(50, 8))
        assert len(went) == ways


def test_inputs_may_lie_anyhow():
    given, table = spikes(9, 30, 0.2).t(), whole(9, 40)[:, ::2]
    assert torch.equal(events.inner(given, table)[0], given @ table)
    fired, values = spikes(30, 9, 0.2).numpy().astype(np.uint8), whole(40, 30).t()
    assert torch.equal(events.outer(fired, values), torch.from_numpy(fired).float().t() @ values)


@pytest.mark.parametrize("wrong", [2.0, -1.0, 0.5, torch.nan, 1.0 + 2.0**-23])
@pytest.mark.parametrize("place", [(0, 0), (8, 29)])
def test_spikes_are_0_or_1(wrong, place, threads):
    given = spikes(9, 30, 0.2)
    given[place] = wrong
    with pytest.raises(ValueError, match="spikes must be 0 or 1"):
        events.inner(given, whole(30, 4))
