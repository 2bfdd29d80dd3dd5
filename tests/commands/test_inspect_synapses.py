"""``wetware inspect`` of a bio-nanochat, as a user meets it."""

import json

import pytest

from wetware.cli import main

SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "tokenizer=Bytes", "--set", "model.width=16"),
    *("--set", "depth=2", "--set", "monitoring.evaluate_tokens=300", "--set", "monitoring.sample_tokens=5"),
    *("--threads", "1", "--steps", "3"),
]


@pytest.fixture(scope="module")
def trained(tiny_text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for recipe in ("bio_nanochat_1m", "bio_nanochat_distance"):
        assert main(["train", recipe, "--data", str(tiny_text), "--out", str(folder / recipe), *SMALL]) == 0
    return folder


def test_a_sceptic_is_shown_fatigue_and_steadiness(trained, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["inspect", str(trained / "bio_nanochat_1m"), "--out", str(out), "--json", "--threads", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measures"].keys() == {"synaptic_fatigue", "steadiness"} and not found["failed"]
    steady = found["measures"]["steadiness"]
    assert steady["read_twice_equal"] and steady["changed"] == [] and steady["token_by_token"] < 1e-3
    assert (out / "fatigue.png").read_bytes()[:4] == b"\x89PNG"
    assert "fatigue.png" in (out / "report.md").read_text()
    assert "data:image/png" in (out / "report.html").read_text()


def test_without_vesicles_it_says_so(trained, tmp_path, capsys):
    run = str(trained / "bio_nanochat_distance")
    assert main(["inspect", run, "--out", str(tmp_path / "out"), "--threads", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "without vesicles" in shown and "no parameter or buffer changes" in shown
    assert not (tmp_path / "out" / "fatigue.png").exists()
    assert main(["inspect", run, "--text", "the"]) == 2
    assert "--text" in capsys.readouterr().err
