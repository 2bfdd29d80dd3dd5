"""Neuromodulators: what each makes of the losses, that it is neutral as usual, and that its controls are."""

from __future__ import annotations

import json
import math
import random
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.modulation import Acetylcholine, ConstantSignal, Dopamine, FromLoss, Noradrenaline, ShuffledSignal
from wetware.modulation.neuromodulators import Gain
from wetware.modulation.trackers import RunningMean, SignalTracker, signals_of

KINDS = (Dopamine, Acetylcholine, Noradrenaline)
losses = st.lists(st.floats(width=32) | st.floats(0.0, 12.0), max_size=40)
memories = st.floats(1.0, 200.0, exclude_min=True)
sources = st.builds(FromLoss, memory=memories, warmup=st.integers(2, 20)) | st.builds(
    ShuffledSignal, memory=memories, warmup=st.integers(2, 20), seed=st.integers(0, 9)
)
neuromodulators = st.sampled_from(KINDS).flatmap(lambda kind: st.builds(kind, source=sources))


def hear(tracker, values):
    told = []
    for value in values:
        tracker.update(value)
        told.append(tracker.value)
    return told


def noise(steps, seed=0, mean=3.0, deviation=0.1):
    dice = random.Random(seed)
    return [dice.gauss(mean, deviation) for _ in range(steps)]


@given(neuromodulators, losses)
def test_within_range_whatever_is_heard(neuromodulator, values):
    reach = 1.0 if isinstance(neuromodulator, Noradrenaline) else 2.0
    assert all(-reach <= told <= reach for told in hear(neuromodulator.tracker(), values))


@given(neuromodulators, losses, st.integers(0, 40))
def test_interrupted_equals_uninterrupted(neuromodulator, values, cut):
    whole, first, second = (neuromodulator.tracker() for _ in range(3))
    expected = hear(whole, values)
    told = hear(first, values[:cut])
    second.load(json.loads(json.dumps(first.to_dict())))
    assert second.value == first.value
    assert told + hear(second, values[cut:]) == expected
    assert second.to_dict() == whole.to_dict()


@given(neuromodulators, losses)
def test_what_is_no_number_is_not_heard(neuromodulator, values):
    plain, bothered = neuromodulator.tracker(), neuromodulator.tracker()
    expected = hear(plain, [value for value in values if math.isfinite(value)])
    told = hear(bothered, values)
    assert [t for value, t in zip(values, told, strict=True) if math.isfinite(value)] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_and_lacks_something_is_refused(kind):
    tracker = kind().tracker()
    for name in tracker.to_dict():
        with pytest.raises(KeyError):
            tracker.load({key: value for key, value in tracker.to_dict().items() if key != name})


def test_a_running_mean_by_hand():
    """w = 3/4; after 4 and 2: (3/4 * 4 + 2) / (7/4) = 20/7; after 5 also: (9/16 * 4 + 3/4 * 2 + 5) / (37/16) = 140/37."""
    mean = RunningMean(4.0)
    assert [mean.add(number) or mean.value for number in (4.0, 2.0, 5.0)] == pytest.approx([4.0, 20 / 7, 140 / 37])


def first_told(kind, *values):
    """What is told of the last of ``values``: memory 2, so w = 1/2, and a warm-up of 2."""
    return hear(kind(source=FromLoss(memory=2.0, warmup=2)).tracker(), values)[-1]


# Losses 4, 2, 4, 5. Means before each: -, 4, 8/3, 24/7; errors -, -2, 4/3, 11/7. Mean squares before the third and the
# fourth: 4 and (1/2 * 4 + 16/9) / (3/2) = 68/27. The third is the first of which anything is made, a; made less its mean is
# a - a = 0, then b - (a/2 + b) / (3/2) = (b - a) / 3.


def test_dopamine_by_hand():
    assert first_told(Dopamine, 4.0, 2.0) == first_told(Dopamine, 4.0, 2.0, 4.0) == 0.0
    made = [-math.tanh(4 / 3 / 2.0), -math.tanh(11 / 7 / math.sqrt(68 / 27))]
    assert first_told(Dopamine, 4.0, 2.0, 4.0, 5.0) == pytest.approx((made[1] - made[0]) / 3)


def test_noradrenaline_by_hand():
    assert first_told(Noradrenaline, 4.0, 2.0, 4.0, 5.0) == 0.0  # neither error was beyond the deviation
    surprise = math.tanh((9.0 - 24 / 7) / math.sqrt(68 / 27) - 1.0)
    assert first_told(Noradrenaline, 4.0, 2.0, 4.0, 9.0) == pytest.approx(surprise / 3)


def test_acetylcholine_by_hand():
    """recent 4/3, so w = 1/4: mean squares after the third and the fourth loss (1/4 * 4 + 16/9) / (5/4) = 20/9 and
    (1/4 * (1/4 * 4 + 16/9) + 121/49) / (21/16), beside 68/27 and (1/2 * (2 + 16/9) + 121/49) / (7/4)."""
    tracker = Acetylcholine(source=FromLoss(memory=2.0, warmup=2), recent=4 / 3).tracker()
    told = hear(tracker, [4.0, 2.0, 4.0, 5.0])[-1]
    recent = [20 / 9, (25 / 36 + 121 / 49) / (21 / 16)]
    usual = [68 / 27, (17 / 9 + 121 / 49) / (7 / 4)]
    pairs = [(math.sqrt(r), math.sqrt(s)) for r, s in zip(recent, usual, strict=True)]
    first, second = ((r - s) / (r + s) for r, s in pairs)
    assert told == pytest.approx((second - first) / 3)


@pytest.mark.parametrize("kind", KINDS)
def test_no_spike_at_the_start(kind):
    """A loss that starts to fall, faster and faster, then slower: the first tellings are 0 and the next are small."""
    falling = [5.5 - 3.0 / (1.0 + math.exp(-(step - 12) / 4)) for step in range(40)]
    told = hear(kind().tracker(), falling)
    assert told[:11] == [0.0] * 11
    assert any(told[11:])
    assert all(abs(value) < 0.1 for value in told[11:16])


@pytest.mark.parametrize("kind", KINDS)
def test_neutral_on_average_while_the_loss_is_steady_or_falls_steadily(kind):
    for slope in (0.0, 0.002):
        told = hear(kind().tracker(), [loss - slope * step for step, loss in enumerate(noise(3000))])
        assert abs(statistics.mean(told[500:])) < 0.02
        assert statistics.pstdev(told[500:]) > 0.02
    assert hear(kind().tracker(), [3.0] * 40) == [0.0] * 40  # nothing to measure by


def test_a_surprising_batch_raises_noradrenaline():
    """Be it worse or better; dopamine tells which."""
    for shift, sign in ((1.0, -1), (-1.0, 1)):
        values = [*noise(300), 3.0 + shift]
        assert hear(Noradrenaline().tracker(), values)[-1] > 0.7
        assert sign * hear(Dopamine().tracker(), values)[-1] > 0.8
        assert abs(hear(Acetylcholine().tracker(), values)[-1]) < 1.0


def test_noise_that_grows_raises_acetylcholine_until_it_is_usual():
    calm, loud = noise(300), noise(800, seed=1, deviation=0.4)
    told = hear(Acetylcholine().tracker(), [*calm, *loud])
    assert statistics.mean(told[305:330]) > 0.15
    assert abs(statistics.mean(told[800:])) < 0.1
    assert statistics.mean(hear(Acetylcholine().tracker(), [*loud, *calm])[805:830]) < -0.15


def test_shuffled_has_the_values_and_not_their_order():
    values = noise(400)
    for kind in KINDS:
        told, shuffled = (hear(kind(source=source).tracker(), values) for source in (FromLoss(), ShuffledSignal()))
        assert set(shuffled) <= set(told)
        assert len(set(shuffled)) > 100
        assert shuffled != hear(kind(source=ShuffledSignal(seed=1)).tracker(), values)
        assert abs(statistics.correlation(told[100:], shuffled[100:])) < 0.3


def test_constant_hears_nothing():
    assert hear(Dopamine(source=ConstantSignal(value=0.4)).tracker(), [9.0, 1.0, math.nan]) == [0.4] * 3
    assert Dopamine(source=ConstantSignal()).tracker().value == 0.0


def test_signals_of_what_is_tracked():
    told = signals_of({"dopamine": SignalTracker(0.25)})
    assert told == (None, 0.25, 0.0, 0.0)


def test_the_gain():
    gain = Dopamine().build()
    assert isinstance(gain, Gain)
    with torch.no_grad():
        gain.sensitivity.fill_(0.5)
    assert gain(0.0).item() == 1.0  # exactly
    assert gain(-1.2).item() == pytest.approx(math.exp(-0.6))
    assert (torch.ones(2, dtype=torch.bfloat16) * gain(0.3)).dtype == torch.bfloat16
