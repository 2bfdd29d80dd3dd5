"""The picture of stress over training."""

import json

import pytest

from wetware.pictures import stress


def folder(tmp_path, **more):
    rows = [{"kind": "step", "step": s, "tokens": 100 * s, "bits": 3.0 / s, **more} for s in range(1, 6)]
    rows.append({"kind": "held_out", "step": 5, "tokens": 500, "seconds": 1.0, "bits_per_byte": 2.0})
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize("more", [{"gain_spread": [0.1, 0.2]}, {}])
def test_the_picture(tmp_path, more):
    run = folder(tmp_path, stress=0.7, **more)
    assert stress(run, run / "out" / "stress.png").stat().st_size > 5000
    drawn = stress(run, run / "out" / "stress.svg").read_text()
    assert ("layer 1" in drawn) == bool(more) or "svg" in drawn


def test_a_run_without_stress_has_none(tmp_path):
    assert stress(folder(tmp_path), tmp_path / "stress.png") is None
    assert not (tmp_path / "stress.png").exists()
