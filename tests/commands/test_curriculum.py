"""``wetware curriculum``, and what ``wetware train`` shows of phases."""

import json

import pytest

from wetware.cli import main

SMALL = [
    "model.width=24",
    "model.encoder.bits=24",
    "tokenizer=Bytes",
    "training.batch=4",
    "training.curriculum.transition=AtCap",
    "training.curriculum.phases.stories=none",
    "training.curriculum.phases.conversations.text=Conversations(count=200)",
    "monitoring.evaluate_tokens=200",
    "monitoring.sample_tokens=2",
]


@pytest.fixture(scope="module")
def runs(tiny_text, tmp_path_factory):
    """Two seeds of a small curriculum of four phases."""
    folder = tmp_path_factory.mktemp("runs")
    settings = [word for setting in SMALL for word in ("--set", setting)]
    for seed in ("0", "1"):
        words = ["train", "real_sam_curriculum", "--data", str(tiny_text), "--tokens", "2000", "--seed", seed]
        assert main([*words, "--out", str(folder / seed), "--threads", "1", *settings]) == 0
    return [str(folder / seed) for seed in ("0", "1")]


def test_the_table_of_several_seeds(runs, capsys):
    assert main(["curriculum", *runs, "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)
    assert group["runs"] == runs
    assert [(end["name"], end["chunk"], end["runs"]) for end in group["phases"]] == [
        ("words", 8, 2),
        ("phrases", 16, 2),
        ("sentences", 32, 2),
        ("conversations", 64, 2),
    ]
    assert [end["why"] for end in group["phases"]] == [{"cap": 2}] * 3 + [{"limit": 2}]
    assert main(["curriculum", *runs]) == 0
    shown = capsys.readouterr().out
    assert "mean of 2 runs" in shown
    assert all(end["name"] in shown and f"{end['fixed']:.4f}" in shown for end in group["phases"])


def test_seeds_of_a_recipe_are_trained_once_and_shown(runs, tiny_text, tmp_path, capsys):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    words = ["curriculum", "real_sam_curriculum", "--seeds", "2", "--data", str(tiny_text), "--threads", "1"]
    words += ["--out", str(tmp_path / "out"), *settings]
    assert main([*words, "--tokens", "2000", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)
    assert group["runs"] == [str(tmp_path / "out" / f"seed-{seed}") for seed in (0, 1)]
    assert main(["curriculum", *runs, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["phases"] == group["phases"]  # what training by hand gave
    before = (tmp_path / "out" / "seed-1" / "metrics.jsonl").read_bytes()
    assert main([*words, "--tokens", "2000"]) == 0
    assert "mean of 2 runs" in capsys.readouterr().out
    assert (tmp_path / "out" / "seed-1" / "metrics.jsonl").read_bytes() == before
    assert main([*words, "--tokens", "3000"]) == 2
    assert "holds another run" in capsys.readouterr().err


def test_inspect_draws_the_phases(runs, tmp_path, capsys):
    assert main(["inspect", runs[0], "--picture", "--out", str(tmp_path / "out")]) == 0
    assert {"phases.png", "phases.svg"} <= {file.name for file in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["real_sam_curriculum", "--tokens", "10"], "--tokens is for training a recipe: add --seeds N"),
        (["a", "b", "--seeds", "2"], "--seeds trains one recipe, got 2: a, b"),
        (["real_sam_curriculu", "--seeds", "2"], "did you mean 'real_sam_curriculum'?"),
        (["real_sam_mini", "--seeds", "2"], "this recipe has no curriculum"),
    ],
)
def test_what_cannot_be_trained_is_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["curriculum", *words]) == 2
    assert says in capsys.readouterr().err


def test_bad_input_is_one_line(tmp_path, capsys):
    assert main(["curriculum", str(tmp_path / "none")]) == 2
    assert "no run's folder" in capsys.readouterr().err
