"""``wetware cell`` as a user meets it: a simulated file, all the way to the matrix P."""

import json

import pytest
import torch

from wetware.cell import load_cell, load_embeddings
from wetware.cli import main, parser
from wetware.modulation import read_effects

SMALL = [
    f"--set={name}={value}"
    for name, value in {"genes": 500, "targets": 60, "cells": 8, "control_cells": 100, "embedding": 8}.items()
]
QUICK = ["--set", "fitting.steps=30", "--set", "split.test=0.2", "--threads", "1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A screen and its embeddings as files, and a cell model trained on them."""
    pytest.importorskip("anndata")
    folder = tmp_path_factory.mktemp("cell")
    screen, embeddings = folder / "screen.h5ad", folder / "screen.npz"
    assert main(["cell", "simulate", "--out", str(screen), "--seed", "3", *SMALL]) == 0
    data = ["--data", str(screen), "--embeddings", str(embeddings)]
    assert main(["cell", "train", *data, "--out", str(folder / "model"), *QUICK]) == 0
    return folder


@pytest.mark.parametrize("action", ["train", "score", "program", "embed", "simulate"])
def test_help_teaches(action, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["cell", action, "--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_a_file_becomes_a_model_and_effects(files, capsys):
    cell = load_cell(files / "model")
    assert cell.source == "synthetic"  # the file says so, and everything made of it
    assert set(cell.embeddings.genes) <= set(load_embeddings(files / "screen.npz").genes)
    path = files / "effects.safetensors"
    words = ["--out", str(path), "--size", "40", "--draws", "2"]
    assert main(["cell", "program", str(files / "model"), *words]) == 0
    out = capsys.readouterr().out
    assert "P [40 x 12]; neurons by their dominant program" in out
    assert f"ProgramFile(path={path})" in out
    effects = read_effects(path)
    assert effects.source == "synthetic"
    assert torch.equal(effects.scores, cell.effects().scores.float())


def test_score_gives_a_table_and_json(files, capsys):
    assert main(["cell", "score", str(files / "model"), "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "signaling_identity" in out
    assert max(map(len, out.splitlines())) <= 80
    words = ["--data", str(files / "screen.h5ad"), "--json"]
    assert main(["cell", "score", str(files / "model"), *words]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((files / "model" / "held_out.json").read_text())
    assert result["source"] == result["trained_on"] == "synthetic"
    assert set(result["programs"][0]["error"]) == {"model", "mean", "zero"}


def test_the_matrix_needs_no_data(capsys):
    assert main(["cell", "program", "--size", "16"]) == 0
    out = capsys.readouterr().out
    assert "synthetic" in out and "P [16 x 18]" in out


def test_training_on_a_simulated_screen(tmp_path, capsys):
    small = [word.replace("--set=", "--set=screen.") for word in SMALL]
    words = ["--data", "synthetic", "--out", str(tmp_path / "model"), "--seed", "4", *small, *QUICK]
    assert main(["cell", "train", *words]) == 0
    assert "held-out targets, synthetic screen" in capsys.readouterr().out
    assert load_cell(tmp_path / "model").config.seed == 4


BAD = {
    "no such file": (["train", "--data", "nothing.h5ad", "--out", "o"], "no such .h5ad file"),
    "no such data": (["train", "--data", "synthetik", "--out", "o"], "did you mean 'synthetic'"),
    "another kind of file": (["train", "--data", "a.csv", "--out", "o"], "allowed a .h5ad file"),
    "unknown field": (["train", "--data", "synthetic", "--out", "o", "--set", "fitting.rat=1"], "fitting.rate"),
    "no sign": (["train", "--data", "synthetic", "--out", "o", "--set", "seed"], "PATH=VALUE"),
    "folder in use": (["train", "--data", "synthetic", "--out", "."], "is there already"),
    "columns of nothing": (["train", "--data", "synthetic", "--out", "o", "--control", "NT"], "no columns"),
    "no embeddings file": (
        ["train", "--data", "synthetic", "--out", "o", "--embeddings", "e.npz"],
        "no such file of embeddings",
    ),
    "no model to score": (["score", "nowhere"], "no cell model in 'nowhere'"),
    "no model for a matrix": (["program", "nowhere", "--out", "P"], "no cell model in 'nowhere'"),
    "no fasta": (["embed", "nothing.fasta", "--out", "e.npz"], "no such FASTA"),
    "not h5ad": (["simulate", "--out", "screen.csv"], ".h5ad"),
    "too many targets": (["simulate", "--out", "s.h5ad", "--set", "targets=9999"], "knocks down 9999"),
}


@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_clear_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("the folder is not empty")
    assert main(["cell", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_file_without_embeddings_says_so(files, tmp_path, capsys):
    data = ["--data", str(files / "screen.h5ad"), "--out", str(tmp_path / "o")]
    assert main(["cell", "train", *data]) == 2
    assert "--embeddings is needed" in capsys.readouterr().err
    other = ["--embeddings", str(files / "screen.npz"), "--target-column", "target"]
    assert main(["cell", "train", *data, *other]) == 2
    assert "did you mean 'target_gene'" in capsys.readouterr().err
