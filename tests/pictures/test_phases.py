"""The picture of a run's phases."""

import json

import pytest

from wetware.pictures.phases import phases


@pytest.fixture
def folder(tmp_path):
    base = {"kind": "phase", "chunk": 8, "perplexity": 7.0, "fixed_bits_per_byte": 2.0}
    rows = [
        {**base, "step": 0, "tokens": 0, "event": "start", "phase": "words", "number": 1},
        {"kind": "held_out", "step": 3, "tokens": 300, "seconds": 1.0, "bits_per_byte": 2.5},
        {**base, "step": 5, "tokens": 500, "event": "end", "phase": "words", "number": 1},
        {**base, "step": 5, "tokens": 500, "event": "start", "phase": "phrases", "number": 2},
        {"kind": "step", "step": 9, "tokens": 900},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture(folder, suffix):
    picture = phases(folder, folder / "out" / f"phases.{suffix}")
    assert picture is not None
    assert picture.stat().st_size > 5000


def test_a_run_without_phases_has_none(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step", "step": 1, "tokens": 3}\n')
    assert phases(tmp_path, tmp_path / "phases.png") is None
    assert not (tmp_path / "phases.png").exists()
