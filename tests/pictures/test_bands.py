"""Learning curves with bands: means, intervals and differences by seed, whatever the runs hold."""

import math

import numpy as np
import pytest

from wetware.config import ConfigError
from wetware.evaluation.statistics import interval
from wetware.pictures import Curve, bands
from wetware.pictures.bands import aligned, bands_figure, finite, minus

TOKENS = (0, 1e6, 2e6, 3e6)


def curve(shift, tokens=TOKENS):
    return Curve(tokens, [8.0 + shift, 3.0 + shift, 2.5 + shift, 2.2 + shift][: len(tokens)])


REFERENCE = {0: curve(0.0), 1: curve(0.1), 2: curve(0.3)}
ARM = {0: curve(0.02), 2: curve(0.34), 3: curve(9.0)}  # of its seeds 0 and 2 are the reference's too


def line(axis, colour):
    (found,) = [line for line in axis.lines if line.get_color() == colour and len(line.get_xdata()) == 4]
    return found


def test_means_and_bands():
    whole, apart = bands_figure({"arm": ARM, "plain": REFERENCE}, "plain", margin=0.01).axes
    mean = line(whole, "black")
    assert list(mean.get_xdata()) == [0, 1, 2, 3] and mean.get_linewidth() > 2
    assert mean.get_ydata()[-1] == pytest.approx(2.2 + 0.4 / 3)
    band = whole.collections[1].get_paths()[0].vertices
    at_end = band[np.isclose(band[:, 0], 3.0)][:, 1]
    assert (at_end.min(), at_end.max()) == pytest.approx(interval([2.2, 2.3, 2.5]))
    (difference,) = [line for line in apart.lines if len(line.get_xdata()) == 4]
    assert list(difference.get_ydata()) == pytest.approx(
        [0.03] * 4
    )  # 0.02 and 0.04; the seed without a partner is not in it


def test_the_legend_has_the_order_of_the_ends():
    figure = bands_figure({"low": {0: curve(-0.5)}, "plain": REFERENCE, "high": {0: curve(1.0)}}, "plain")
    assert [text.get_text() for text in figure.legends[0].texts] == ["high  3.2000", "plain  2.3333", "low  1.7000"]


def test_twelve_arms_look_different():
    figure = bands_figure({f"arm {i}": {0: curve(i / 100)} for i in range(12)}, "arm 0")
    looks = {(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in figure.axes[0].lines}
    assert len(looks) == 12


def test_one_bad_run_does_not_hide_the_others():
    """An arm far off is cut on the right, and an evaluation that gave no number is left out."""
    arms = {
        "plain": REFERENCE,
        "a": {0: curve(0.01)},
        "b": {0: curve(0.02)},
        "c": {0: curve(0.015)},
        "lost": {0: curve(5.0)},
    }
    whole, apart = bands_figure(arms, "plain", margin=0.01).axes
    assert apart.get_ylim()[1] < 0.1 and whole.get_ylim()[1] > 7
    broken = finite(
        {0: Curve(TOKENS, [8, math.nan, 2.5, math.inf]), 1: Curve(TOKENS, [math.nan] * 4), 2: Curve([], [])}
    )
    assert list(broken) == [0] and list(broken[0].tokens) == [0, 2e6]


def test_runs_of_other_lengths_are_compared_where_both_are():
    arm = aligned([curve(0.0), Curve((5e5, 1.5e6, 2.5e6), (4.0, 3.0, 2.0))])
    assert list(arm.tokens) == [1e6, 2e6] and arm.bits.tolist() == [[3.0, 2.5], [3.5, 2.5]]
    assert aligned([curve(0.0), Curve((9e6,), (2.0,))]) is None and aligned([]) is None
    assert minus({1: curve(0.0)}, {2: curve(0.0)}) is None


def test_files_and_errors(tmp_path):
    assert bands({"plain": REFERENCE, "arm": ARM}, tmp_path / "b.svg").read_bytes().startswith(b"<?xml")
    assert bands({"plain": {0: Curve((1e6,), (2.0,))}}, tmp_path / "b.png", margin=0.01, title="one point").exists()
    with pytest.raises(ConfigError, match="no curve of the reference 'plane'; did you mean 'plain'"):
        bands({"plain": REFERENCE}, tmp_path / "b.png", reference="plane")
