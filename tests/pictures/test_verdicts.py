"""The forest plot shows what was found: figures at their places, cut off only with an arrow."""

import pytest

from wetware.config import ConfigError
from wetware.evaluation.statistics import family, paired
from wetware.pictures import Row, forest, terminal_forest
from wetware.pictures.verdicts import forest_figure, reach

WORSE = Row("no recurrence", "leave one out", (0.018, 0.020, 0.025), (0.012, 0.030), 0.004, "worse", 1.0)
SAME = Row("no curriculum", "leave one out", (-0.001, 0.001, 0.003), (-0.004, 0.006), 0.8, "equivalent", 0.0002)
CONTROL = Row("shuffled", "control", (-0.015, -0.01, -0.011), (-0.019, -0.005), None, "better, by less than the margin")
FAR = Row("no attention", "", (0.6, 0.7, 0.8), (0.45, 0.95), 0.01, "worse", 1.0)


def lines(figure, marker):
    """Drawn with that marker: (x, y) of every point, and its colour."""
    found = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return [(tuple(line.get_xdata()), tuple(line.get_ydata()), line.get_color()) for line in found]


def test_everything_stands_at_its_place():
    figure = forest_figure([WORSE, CONTROL, SAME], 0.01, "Real Sam", "A study")
    texts = [text.get_text() for text in figure.axes[0].texts]
    # groups together, in the order in which they first come: heading, worse, same, heading, control
    assert [
        text for text in texts if text in ("leave one out", "control", *(row.name for row in (WORSE, SAME, CONTROL)))
    ] == [
        "leave one out",
        "no recurrence",
        "no curriculum",
        "control",
        "shuffled",
    ]
    ((mean,), (place,), red), *_ = lines(figure, ">")
    assert (mean, place) == (pytest.approx(0.021), 1)
    ((mean,), (place,), green), *_ = lines(figure, "s")
    assert (mean, place) == (pytest.approx(0.001), 2) and red != green
    assert sorted(x for (x,), (y,), _ in lines(figure, "|") if y == 1) == [0.012, 0.030]
    assert [x for x, y, _ in lines(figure, "o") if 1 < y[0] < 2] == [WORSE.differences]
    (band,) = figure.axes[0].patches
    assert (band.get_x(), band.get_width()) == (-0.01, 0.02)
    assert {"+0.0210", ".004", "1.000", "worse", "< .001", "equivalent", "none", CONTROL.verdict} <= set(texts)
    assert "Real Sam" in figure.axes[0].get_xlabel() and "A study" in figure.get_suptitle()


def test_an_arm_far_away_hides_nothing():
    """It is cut off with an arrow, and its figure stands beside it; where all are far, none is cut."""
    low, high = reach([WORSE, SAME, CONTROL, FAR], 0.01)
    assert -0.03 < low < -0.019 and 0.03 < high < 0.04
    figure = forest_figure([WORSE, SAME, CONTROL, FAR], 0.01)
    assert [x for (x, *_), y, _ in lines(figure, ">") if y == (5,)].count(high) == 2  # both ends of its interval
    assert "+0.7000" in [text.get_text() for text in figure.axes[0].texts]
    assert reach([FAR, FAR], 0.01)[1] > 0.95


def test_files(tmp_path):
    """Nothing is written outside of the picture: names and verdicts fit on it."""
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        file = forest([WORSE, SAME], 0.01, tmp_path / "new" / f"forest{suffix}")
        assert file.read_bytes().startswith(start)
    with pytest.raises(ConfigError, match=r"'forest.bmp': allowed suffixes .png"):
        forest([WORSE], 0.01, tmp_path / "forest.bmp")
    with pytest.raises(ConfigError, match="no arm to draw"):
        forest([], 0.01, tmp_path / "forest.png")


def test_all_text_is_inside_the_picture():
    figure = forest_figure([WORSE._replace(name="a rather long name of an arm, as some are"), CONTROL], 0.01)
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 and box.y1 <= figure.bbox.height, text


def test_in_characters():
    drawn = terminal_forest([WORSE, SAME, CONTROL, FAR], 0.01, width=100).splitlines()
    assert max(map(len, drawn)) <= 100
    head, group, worse, same, control, shuffled, far, scale = drawn
    assert (group, control) == ("leave one out", "control")
    zero = head.index("▸") - 1
    assert scale[zero] == "0"
    assert worse.index("▶") > worse.index("├") > zero and worse.endswith("+0.0210  p   .004  worse")
    assert same[zero : same.index("┤")].count("■") == 1 and same.endswith(
        "p < .001  equivalent"
    )  # the p of equivalence
    assert shuffled.index("◀") < shuffled.index("┤") < zero and shuffled.endswith("better, < margin")
    assert "▷" in far and "▶" not in far and "+0.7000" in far
    assert worse[zero] == "│" and worse[zero - 1] == worse[zero + 1] == "░"


@pytest.mark.parametrize("width", [1, 60, 200])
def test_in_characters_at_any_width(width):
    drawn = terminal_forest([WORSE, SAME._replace(name="x" * 99)], 0.01, width)
    assert max(map(len, drawn.splitlines())) <= max(width, 90) and "▶" in drawn and "■" in drawn


def test_from_a_judged_arm_and_from_a_single_seed(tmp_path):
    judged = family([paired([0.02, 0.021, 0.022], 0.01), paired([0.001], 0.01)])
    rows = [Row.of("a", judged[0], "group"), Row.of("b", judged[1])]
    assert (
        rows[0][1:] == ("group", (0.02, 0.021, 0.022), *rows[0][3:]) and rows[0].interval == judged[0].effect.interval
    )
    assert (rows[0].p, rows[0].verdict, rows[1].interval, rows[1].verdict) == (judged[0].p, "worse", None, "undecided")
    assert forest(rows, 0.01, tmp_path / "f.png").exists() and "○" in terminal_forest(rows, 0.01)
