"""``wetware import`` as a user meets it."""

import json
import os

import pytest
import torch
from tests.training.importing.conftest import checkpoint, logits_of

import wetware
from wetware.cli import main, parser

TOKENS = [3, 7, 1, 22, 5, 5, 0, 9]


def test_a_file_becomes_a_checkpoint(tmp_path, capsys):
    torch.save(checkpoint(), tmp_path / "theirs.pth")
    assert main(["import", "spikewhale", str(tmp_path / "theirs.pth"), "--out", str(tmp_path / "ours")]) == 0
    shown = capsys.readouterr().out
    assert "layers.0.fc_rec = layers.0.fc_rec.weight" in shown
    assert "engram.table [50, 4]" in shown
    assert "use_engram" in shown
    model, tokenizer = wetware.load(tmp_path / "ours")
    assert tokenizer is None
    with torch.inference_mode():
        logits = model(torch.tensor([TOKENS])).logits[0].double()
    torch.testing.assert_close(logits, logits_of(checkpoint(), TOKENS), atol=2e-5, rtol=0)
    about = json.loads((tmp_path / "ours" / "config.json").read_text())["imported"]
    assert about["not_placed"] == {"engram.table": [50, 4]}
    assert main(["inspect", str(tmp_path / "ours"), "--picture", "--threads", "1"]) == 0


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("never_made",)


@pytest.mark.parametrize("spoiled", ["malicious", "shape", "missing", "rubbish"])
def test_what_cannot_be_imported_is_one_line_and_leaves_nothing(spoiled, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = checkpoint()
    if spoiled == "malicious":
        data["vocab"] = Malicious()
    elif spoiled == "shape":
        data["model_state_dict"]["embedding.weight"] = torch.ones(3, 3)
    elif spoiled == "missing":
        del data["model_state_dict"]["readout.weight"]
    torch.save(data, "theirs.pth")
    if spoiled == "rubbish":
        (tmp_path / "theirs.pth").write_text("rubbish")
    assert main(["import", "spikewhale", "theirs.pth", "--out", "ours"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("wetware import: ")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


@pytest.mark.parametrize("command", ["import", "inspect"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert "example" in capsys.readouterr().out
