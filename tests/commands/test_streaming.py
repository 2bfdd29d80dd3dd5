"""Streamed text on the command line: train, lose the network, go on, evaluate without one."""

import json

from wetware.cli import main

DATA = "0.75*hf:short/pages+0.25*hf:long/proofs"
SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "tokenizer=Bytes", "--set", "model.width=24"),
    *("--set", "monitoring.evaluate_tokens=300", "--set", "monitoring.sample_tokens=5", "--threads", "1"),
    *("--set", "corpus.block=1500", "--set", "corpus.parts.pages.corpus.held_out=0.4"),
    *("--set", "corpus.held_out_documents=4"),
]


def test_train_lose_the_network_go_on_and_evaluate(hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("wetware.data.mixing.BATCH_CHARACTERS", 500)
    out = str(tmp_path / "run")

    def gone(name, row):
        if name == "short/pages" and row > 30:
            raise ConnectionError("no route to host")

    hub.before = gone
    assert main(["train", "gpt_small", "--data", DATA, "--out", out, "--steps", "120", *SMALL]) == 2
    said = capsys.readouterr()
    assert "text in blocks of 1.5 k tokens" in said.out
    (line,) = said.err.strip().splitlines()
    assert "cannot stream hf:short/pages: ConnectionError: no route to host" in line and "--resume goes on" in line
    hub.before = lambda name, row: None
    assert main(["train", "gpt_small", "--out", out, "--steps", "120", "--resume", "--threads", "1"]) == 0
    assert "done" in capsys.readouterr().out
    hub.contents.clear()
    assert main(["evaluate", out, "--tasks", "bits_per_byte", "--json", "--threads", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)["measures"]["bits_per_byte"]
    assert 0 < figures["carried"]["bits_per_byte"] < 10


def test_a_misspelt_part_is_one_line(hub, tmp_path, capsys):
    assert main(["train", "gpt_small", "--data", "0.5*stou+0.5*sotu", "--out", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no data 'stou'" in line and "did you mean 'sotu'" in line
    data = ["--data", DATA, "--set", "corpus.parts.page.share=2", "--out", str(tmp_path / "run")]
    assert main(["train", "gpt_small", *data]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "unknown field" in line and "corpus.parts.pages.share" in line
