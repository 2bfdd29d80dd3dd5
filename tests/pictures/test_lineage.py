"""Who descends from whom, from a run's metrics."""

import json

import pytest

from wetware.pictures.lineage import Life, events_of, lineage, lives


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"kind": "event", "step": 10, "rule": "blocks.0.experts", "what": "split", "parent": 0, "child": 2},
        {"kind": "event", "step": 20, "rule": "blocks.0.experts", "what": "merge", "parent": 0, "child": 1},
        {"kind": "event", "step": 30, "rule": "blocks.0.experts", "what": "revive", "parent": 2, "child": 1},
        {"kind": "event", "step": 30, "rule": "blocks.1.experts", "what": "starve", "parent": 1, "child": 1},
        {"kind": "event", "step": 35, "rule": "blocks.1.memory", "what": "write", "norm": 1.0},
        {"kind": "step", "step": 40},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "config.json").write_text(json.dumps({"model": {"experts": {"experts": 2}}}))
    return tmp_path


def test_lives(folder):
    events = events_of(folder)
    assert list(events) == ["blocks.0.experts", "blocks.1.experts"]
    first, second = (lives(rows, 2) for rows in events.values())
    assert first == [Life(0, 0, None), Life(1, 0, 20), Life(2, 10, None), Life(1, 30, None)]
    assert second == [Life(0, 0, None), Life(1, 0, 30)]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture(folder, suffix):
    picture = lineage(folder, folder / "out" / f"lineage.{suffix}")
    assert picture is not None
    assert picture.stat().st_size > 5000


def test_a_run_without_events_has_none(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step", "step": 1}\n')
    assert lineage(tmp_path, tmp_path / "lineage.png") is None
    assert not (tmp_path / "lineage.png").exists()
