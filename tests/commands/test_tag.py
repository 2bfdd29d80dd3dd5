"""The commands of the tagger, from the command line to the bytes that come out."""

import json

import pytest
from tests.tagging.conftest import TAGGERS

from wetware.cli import main
from wetware.config import to_dict
from wetware.tagging import TagRun
from wetware.training import checkpoint

RAW = b"Dear Mr. Lee,\r\nwrite to ann.lee@example.com\r\n\xff 10.1.2.3"


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_bytes(RAW)
    return path


def test_a_file_is_redacted_and_the_rest_is_what_it_was(letter, tmp_path):
    out = tmp_path / "public.txt"
    assert main(["tag", str(letter), "--with", "rules", "--redact", "--out", str(out)]) == 0
    assert out.read_bytes() == b"Dear Mr. [NAME],\r\nwrite to [EMAIL]\r\n\xff [IP]"
    assert letter.read_bytes() == RAW


def test_what_is_found_is_told_in_lines_and_in_json(letter, capfdbinary):
    assert main(["tag", "find", str(letter), "--with", "rules"]) == 0
    assert b"24\t43\tEMAIL\tann.lee@example.com\n" in capfdbinary.readouterr().out
    assert main(["tag", "mail a@b.de", "--json", "--with", "rules"]) == 0
    out = capfdbinary.readouterr().out
    assert json.loads(out) == {"start": 5, "end": 11, "kind": "EMAIL", "text": "a@b.de"}


@pytest.mark.parametrize("name", ["spiking", "delayed"])
def test_a_trained_tagger_is_read_from_its_run(name, tmp_path, letter, capfdbinary):
    config = TAGGERS[name]
    checkpoint.write_folder(
        tmp_path / "run",
        lambda folder: checkpoint.fill_model(folder, config.build(3), None, run=to_dict(TagRun(model=config))),
    )
    assert main(["tag", "--with", str(tmp_path / "run"), str(letter), "--device", "cpu"]) == 0
    lines = capfdbinary.readouterr().out.decode("utf-8", "surrogateescape").splitlines()
    text = RAW.decode("utf-8", "surrogateescape")
    for line in lines:
        start, end, _, value = line.split("\t", 3)
        assert json.dumps(text[int(start) : int(end)], ensure_ascii=False)[1:-1] == value


def test_evaluate_is_pure_json_and_training_data_can_be_a_file(tmp_path, capsys):
    mask = {"start": 5, "end": 11, "label": "EMAIL"}
    rows = [json.dumps({"source_text": f"mail a@b.de {index}", "privacy_mask": [mask]}) for index in range(60)]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    assert main(["tag", "evaluate", "rules", "--data", str(tmp_path / "x.jsonl"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["all"]["character_recall"] == 1.0 and figures["kinds"]["EMAIL"]["f1"] == 1.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "tag_spikin"], "no recipe for a tagger 'tag_spikin'; did you mean 'tag_spiking'?"),
        (["train", "--data", "nowhere.jsonl"], "no marked texts at 'nowhere.jsonl'"),
        (["train", "--set", "model.cell=LSTMCell"], "expected GRUCell or SpikingCell"),
        (["text", "--with", "nowhere"], "no such run or checkpoint: 'nowhere'"),
        (["text"], "no tagger in runs/tag_spiking: make one (wetware tag train)"),
        (["x", "--with", "rules", "--redact", "--json"], "choose one"),
        (["evaluate", "rules", "--data", "x.doc"], "--data 'x.doc': allowed are 'templates'"),
    ],
)
def test_bad_input_is_one_line_and_two(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["tag", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("wetware tag: ") and says in error


def test_a_file_is_not_written_over_while_it_is_read(letter, capsys):
    assert main(["tag", str(letter), "--with", "rules", "--redact", "--out", str(letter)]) == 2
    assert letter.read_bytes() == RAW
