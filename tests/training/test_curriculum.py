"""When a phase ends, how many lanes replay, and what the learning rate does after a transition."""

import pytest

from wetware.config import ConfigError
from wetware.data import Words
from wetware.training import AtCap, Converged, Curriculum, Phase, Replay, Rewarm, ShareCap, TokenCap


def test_five_phases_that_grow():
    phases = Curriculum().phases
    assert [phase.name for phase in phases] == ["words", "phrases", "sentences", "stories", "conversations"]
    assert [phase.chunk for phase in phases] == [8, 16, 32, 64, 64]
    assert phases[0].text == Words()


FALLING = [4.0, 3.5, 3.1, 2.8, 2.6, 2.5]


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([], False),
        (FALLING, False),
        ([*FALLING, *[2.5] * 4], False),  # the last five are flat, the five before them are not
        ([*FALLING, *[2.5] * 5], True),
        ([2.5] * 5, False),  # one test only
        ([2.5] * 6, True),
        ([2.5, 2.6, 2.7, 2.8, 2.9, 3.0], True),  # what rises has converged too
        ([2.5 * 0.9975**index for index in range(9)], False),
        ([2.5 * 0.9985**index for index in range(9)], True),
    ],
)
def test_a_phase_is_over_when_its_loss_is_flat_twice(losses, over):
    assert Converged().met(losses) is over


def test_thresholds_are_those_of_the_config():
    slow = [2.5 * 0.9975**index for index in range(9)]
    assert Converged(flat=0.003).met(slow)
    assert Converged(window=2, tests=1).met([3.0, 3.0]) and not Converged(window=2, tests=2).met([3.0, 3.0])


def test_evaluations_come_at_even_shares():
    rule = Converged(every=0.1, tokens=77)
    assert rule.due(0.09, 0) is None
    assert rule.due(0.1, 0) == 77
    assert rule.due(0.19, 1) is None
    assert rule.due(0.35, 1) == 77


def test_at_cap_hears_nothing():
    assert AtCap().due(0.9, 0) is None
    assert not AtCap().met([1.0] * 20)


def test_caps():
    assert [TokenCap(count=50).reached(tokens, 0.0) for tokens in (49, 50)] == [False, True]
    assert [ShareCap(share=0.2).reached(0, share) for share in (0.19, 0.2)] == [False, True]


@pytest.mark.parametrize(("share", "batch", "lanes"), [(0.2, 16, 3), (0.01, 16, 1), (0.9, 2, 1), (0.2, 1, 0)])
def test_some_lanes_replay_and_never_all(share, batch, lanes):
    assert Replay(share=share).lanes(batch) == lanes


def test_the_rate_rises_to_its_peak_and_falls_back():
    rewarm = Rewarm(peak=0.5, rise=0.1, fall=0.2)
    factors = [rewarm.factor(0.1, share) for share in (0.0, 0.05, 0.1, 0.2, 0.3, 0.9)]
    assert factors == pytest.approx([0.1, 0.3, 0.5, 0.3, 0.1, 0.1])
    assert [rewarm.factor(0.8, share) for share in (0.05, 0.1)] == [0.8, 0.8]
    assert Rewarm(rise=0.0).factor(0.1, 0.0) == 0.5


def test_phases_that_cannot_be():
    with pytest.raises(ConfigError, match="empty"):
        Curriculum(phases=())
    with pytest.raises(ConfigError, match="two parts of one name"):
        Curriculum(phases=(Phase(name="a"), Phase(name="a")))
    with pytest.raises(ConfigError, match=r"Phase.name = 'a b'"):
        Phase(name="a b")
