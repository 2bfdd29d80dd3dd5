"""Pictures of memory tasks: what is drawn is what the figures say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from wetware.evaluation.shares import wilson
from wetware.pictures.measures import draw


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, kept open."""
    kept = []
    close = plt.close
    monkeypatch.setattr(plt, "close", kept.append)
    yield kept
    close("all")


def point(size, correct, trained_to, questions=100, **place):
    low, high = wilson(correct, questions)
    counts = {"questions": questions, "correct": correct, "accuracy": correct / questions, "low": low, "high": high}
    return {"size": size, **place, **counts, "chance": 0.1, "beyond_training": size > trained_to}


def figures(points, trained=True):
    return {"size_name": "pairs", "trained": trained, "points": points}


def test_accuracy_draws_every_run_and_marks_what_was_not_trained(drawn, tmp_path):
    good = figures([point(size, correct, 4) for size, correct in ((2, 100), (4, 90), (8, 20))])
    idle = figures([point(size, 10, 99) for size in (2, 4, 8)], trained=False)
    file = draw("associative_recall_accuracy", {"good": good, "idle": idle}, tmp_path / "deep" / "a.png")
    assert file.stat().st_size > 5000
    [axis] = drawn[0].axes
    marks = [line for line in axis.lines if line.get_marker() == "o"]
    assert [float(line.get_ydata()[0]) for line in marks] == [100, 90, 20, 10, 10, 10]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, False, True, True, True, True]
    labels = {text.get_text() for text in axis.get_legend().get_texts()}
    assert labels == {"good", "idle (untrained on this task)", "guessing"}


def test_depths_of_one_size_count_together(drawn, tmp_path):
    points = [point(32, 100, 64, depth=0.1), point(32, 40, 64, depth=0.9), point(64, 7, 64, depth=0.1)]
    draw("copying_accuracy", {"run": figures(points)}, tmp_path / "a.png")
    [axis] = drawn[0].axes
    assert [float(line.get_ydata()[0]) for line in axis.lines if line.get_marker() == "o"] == pytest.approx([70, 7])


def test_the_map_has_a_cell_for_each_depth_and_length(drawn, tmp_path):
    points = [
        point(size, size // 32 + int(10 * depth), 64, depth=depth) for size in (32, 64, 128) for depth in (0.1, 0.9)
    ]
    draw("needle_accuracy", {"run": figures(points)}, tmp_path / "m.png")
    axis = drawn[0].axes[0]
    assert axis.images[0].get_array().tolist() == [[2, 3, 5], [10, 11, 13]]
    assert [line.get_xdata()[0] for line in axis.lines] == [1.5]  # between 64 and 128
    assert axis.get_title() == "Needle: run"
    draw("needle_accuracy", {"run": figures(points, trained=False)}, tmp_path / "n.png")
    assert drawn[1].axes[0].get_title() == "Needle: run (untrained on this task)"
    assert not drawn[1].axes[0].lines
