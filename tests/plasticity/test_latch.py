"""The bistable latch has two states at one drive, and the linear pair has not."""

import pytest
import torch

from wetware import ConfigError
from wetware.kernels import latch_scan
from wetware.parameters import initialize
from wetware.plasticity import BistableLatch, LinearLatch

NEUTRAL, BURST, SILENCE = 0.125, 2.5, -2.5


def built(config):
    enzymes = config.build(heads=1)
    initialize(enzymes, 0)
    return enzymes


def driven(config, calcium, start=None):
    """m and p [T] under calcium [T], after ``start``, and the state."""
    enzymes = built(config)
    z = torch.tensor(calcium)[None, :, None]
    state = torch.zeros(1, 2, 1) if start is None else start
    with torch.no_grad():
        m, p, state = enzymes.walk(*enzymes.rates(z), state, torch.ones(1, len(calcium)))
    return m[0, :, 0], p[0, :, 0], state


def slope(config, m):
    """Of the map of one token at m, with PP1 where it settles; between -1 and 1 where m is a stable state."""
    ends = [driven(config, [NEUTRAL], torch.tensor([[[m + d], [i]]]))[0][-1] for d in (-1e-3, 1e-3) for i in (0.1,)]
    return float(ends[1] - ends[0]) / 2e-3


def test_two_stable_states_at_neutral_calcium_and_a_threshold_between():
    def settled(m):
        start = torch.tensor([[[m], [0.1]]])
        return float(driven(BistableLatch(), [NEUTRAL] * 400, start)[0][-1])

    ends = [settled(m) for m in (0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.85, 1.0)]
    low, high = ends[:4], ends[4:]
    assert max(low) < 0.05 and min(high) > 0.75
    assert max(low) - min(low) < 1e-3 and max(high) - min(high) < 1e-3
    assert abs(slope(BistableLatch(), low[0])) < 1 and abs(slope(BistableLatch(), high[0])) < 1
    assert max(slope(BistableLatch(), m / 20) for m in range(6, 12)) > 1  # a state between is not stable


def test_hysteresis():
    """At one and the same calcium the pair is where it came from: a burst is remembered, and so is silence after it."""
    rest, _, state = driven(BistableLatch(), [NEUTRAL] * 200)
    latched, pp1, state = driven(BistableLatch(), [BURST] * 4 + [NEUTRAL] * 300, state)
    erased, _, _ = driven(BistableLatch(), [SILENCE] * 20 + [NEUTRAL] * 300, state)
    assert rest[-1] < 0.05 and latched[-1] > 0.75 and erased[-1] < 0.05
    assert pp1[-1] < 0.4
    assert float(latched[-200:].max() - latched[-200:].min()) < 1e-3  # it does not fade


def test_a_weak_or_single_pulse_relaxes():
    for pulse in ([BURST], [0.7] * 4):
        m, _, _ = driven(BistableLatch(), pulse + [NEUTRAL] * 200)
        assert m.max() > 0.05 and m[-1] < 0.05


def test_the_linear_pair_has_no_hysteresis():
    loud, _, _ = driven(LinearLatch(), [BURST] * 50 + [NEUTRAL] * 500)
    quiet, _, _ = driven(LinearLatch(), [SILENCE] * 50 + [NEUTRAL] * 500)
    assert loud[49] > 0.8
    assert abs(float(loud[-1] - quiet[-1])) < 1e-6


def test_enzymes_stay_between_zero_and_one_whatever_the_rates():
    generator = torch.Generator().manual_seed(0)
    rise, fall = (100.0 * torch.rand(2, 200, 3, generator=generator) ** 4 for _ in range(2))
    made = latch_scan(
        rise, fall, torch.rand(2, 2, 3, generator=generator), 10.0 * torch.rand(6, 3, generator=generator) / 10
    )
    assert made.min() >= 0 and made.max() <= 1


def test_both_states_are_used_by_ordinary_values():
    """Neither silent nor stuck on random data: the latch opens and closes within some hundred tokens."""
    for spread in (0.0, 0.4):
        generator = torch.Generator().manual_seed(0)
        values = torch.randn(16, 512, 1, 64, generator=generator)
        values = values * torch.exp(spread * torch.randn(16, 512, 1, 1, generator=generator))
        latch = built(BistableLatch())
        on = latch(values.square().mean(-1).sqrt(), latch.init_state(16), torch.ones(16, 512)).camkii > 0.5
        assert 0.2 < on.float().mean() < 0.8
        assert 0.003 < (on[:, 1:] != on[:, :-1]).float().mean() < 0.03


def test_calcium_does_not_see_the_scale_of_the_values():
    values = torch.randn(2, 60, 3, 8, generator=torch.Generator().manual_seed(0))
    latch = built(BistableLatch()).calcium
    with torch.no_grad():
        state = torch.zeros(2, 1, 3).expand(2, 3, 3)
        latch.window = torch.nn.Parameter(latch.window.expand(3).clone())
        small, large = (latch(values.norm(dim=-1) * scale, state, torch.ones(2, 60))[0] for scale in (0.01, 100.0))
    torch.testing.assert_close(small, large, atol=1e-3, rtol=0)
    assert small[:, 0].abs().max() < 1e-4 and 0.5 < small[:, 20:].std() < 1.5


def test_low_must_lie_below_high():
    with pytest.raises(ConfigError, match="below"):
        BistableLatch(low=2.0)
