"""Pictures of measures: from figures that went through JSON, of one model and of two."""

import json
import pkgutil

import pytest

import wetware.pictures.measures as pictures
from wetware.config import Config, snake

FIGURES = {
    "memory_horizon": {
        "contexts": [1, 2, 4],
        "nats": [3.0, 2.5, 2.4],
        "bits_per_byte": [1.5, 1.25, 1.2],
        "difference": [0.6, 0.1, 0.0],
        "standard_error": [0.1, 0.1, 0.0],
        "horizon": 2,
        "at_least": False,
    },
    "confidence_calibration": {
        "expected_calibration_error": 0.1,
        "tokens": 10,
        "bins": [
            {"low": 0.0, "high": 0.5, "tokens": 10, "accuracy": 0.3, "confidence": 0.4},
            {"low": 0.5, "high": 1.0, "tokens": 0, "accuracy": None, "confidence": None},
        ],
    },
    "synaptic_fatigue": {
        "start": 1,
        "repeats": 2,
        "pieces": ["⊢", " a$", " a", "\n"],
        "layers": ["blocks.0.synapse.release"],
        "trained": [
            {
                "release": [[None, 1.0, 0.5, 0.7]] * 2,
                "ready": [[None, 0.9, 0.8, 0.9]] * 2,
                "calcium": [[None, 0.1, 0.4, 0.2]] * 2,
            }
        ],
        "untrained": [
            {
                "release": [[None, 1.0, 0.9, 1.0]] * 2,
                "ready": [[None, 0.9, 0.9, None]] * 2,
                "calcium": [[None, 0.1, 0.2, None]] * 2,
            }
        ],
    },
    "activity": {
        "layers": [
            {"neurons": 4, "rate": 0.2, "median": 0.1, "dead": 0.25, "saturated": 0.0, "histogram": [3, 0, 0, 1]}
        ]
        * 2
    },
    "energy": {
        "picojoules_per_multiply_accumulate": 4.6,
        "picojoules_per_accumulate": 0.9,
        "multiply_accumulates": 1000.0,
        "synaptic_operations": 500.0,
        "dense_picojoules": 9000.0,
    },
}


@pytest.mark.parametrize("name", FIGURES)
def test_draws(name, tmp_path):
    figures = json.loads(json.dumps(FIGURES[name]))
    for models in ({"one": figures}, {"one": figures, "two": figures}):
        file = pictures.draw(name, models, tmp_path / "pictures" / f"{len(models)}.png")
        assert file.read_bytes()[:4] == b"\x89PNG"
    one, two = ((tmp_path / "pictures" / f"{count}.png").read_bytes() for count in (1, 2))
    assert one != two


def test_no_picture_no_file(tmp_path):
    assert pictures.draw("bits_per_byte", {"one": {}}, tmp_path / "x.png") is None
    assert not (tmp_path / "x.png").exists()


def test_every_picture_is_that_of_a_measure():
    from wetware.evaluation.inspection import questions, synaptic_questions
    from wetware.evaluation.measures import measures

    asked = {snake(type(question).__name__) for question in (*questions(100), *synaptic_questions(100))}
    assert {module.name for module in pkgutil.iter_modules(pictures.__path__)} <= set(measures()) | asked
    assert all(issubclass(kind, Config) for kind in measures().values())


def test_fatigue_is_a_panel_for_each_quantity_and_a_line_for_each_head_trained_and_before():
    from wetware.pictures.measures.synaptic_fatigue import figure

    axes = figure({"it": FIGURES["synaptic_fatigue"]}).axes
    assert [axis.get_title(loc="left") for axis in axes] == [
        "release that counts, 1 at rest",
        "ready pool",
        "calcium left over",
    ]
    drawn = [line for line in axes[2].lines if len(line.get_xdata()) == 4]
    assert [line.get_linestyle() for line in drawn] == [":", ":", "-", "-"]
    assert drawn[-1].get_ydata()[2] == 0.4
