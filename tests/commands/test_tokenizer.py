"""``wetware tokenizer``, and training by what it leaves."""

import json

import pytest

from wetware.cli import main, parser
from wetware.commands.tokenizer import measure
from wetware.data import Bytes, LengthMaxTokenizer, load_tokenizer
from wetware.training import checkpoint

SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "model.width=24", "--threads", "1"),
    *("--set", "monitoring.evaluate_tokens=300", "--set", "monitoring.sample_tokens=5", "--steps", "4"),
]


@pytest.fixture(scope="module")
def saved(tiny_text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    for kind in ("LengthMax", "BPE"):
        options = ["--vocab", "320", "--data", str(tiny_text), "--out", str(folder / kind)]
        assert main(["tokenizer", "train", kind, *options]) == 0
    return folder


def test_train_says_what_it_made(tiny_text, tmp_path, capsys):
    options = ["--data", str(tiny_text), "--vocab", "300", "--set", "max_piece=5", "--set", "specials=<|user|>,<|end|>"]
    assert main(["tokenizer", "train", "LengthMax", *options, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "LengthMax: 302 tokens" in printed and "bytes per token of held-out text" in printed
    made = load_tokenizer(tmp_path)
    assert isinstance(made, LengthMaxTokenizer)
    assert (made.vocab_size, made.longest, list(made.specials)[1:]) == (302, 5, ["<|user|>", "<|end|>"])


def test_compare_tells_them_apart(saved, tiny_text, capsys):
    names = [str(saved / "LengthMax"), str(saved / "BPE"), "Bytes"]
    assert main(["tokenizer", "compare", *names, "--data", str(tiny_text), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == names
    ours, bpe, plain = found.values()
    assert ours["vocab_size"] == bpe["vocab_size"] == 320 and plain["vocab_size"] == 257
    assert ours["tokens"] < bpe["tokens"] < plain["tokens"] == plain["bytes"] == ours["bytes"]
    assert plain["tokens_per_byte"] == 1 and ours["bytes_per_token"] == pytest.approx(1 / ours["tokens_per_byte"])
    assert 0 < plain["used"] < ours["used"] <= 1
    assert all(row["megabytes_per_second"] > 0 for row in found.values())


def test_compare_trains_kinds_and_prints_a_table(tiny_text, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["tokenizer", "compare", "LengthMax", "Bytes", "--vocab", "300", "--data", str(tiny_text)]) == 0
    printed = capsys.readouterr().out
    for word in ("bytes per token", "tokens per byte", "vocabulary", "used", "MB/s", "300", "257", "1.0000"):
        assert word in printed


def test_figures_of_bytes_are_known():
    figures = measure(Bytes().train([]), ["abca", "é"], seconds=0.0)
    assert (figures.vocab_size, figures.tokens, figures.bytes) == (257, 6, 6)
    assert figures.used == pytest.approx(5 / 257)


@pytest.mark.parametrize("kind", ["LengthMax", "BPE"])
def test_a_model_is_trained_by_a_saved_tokenizer(kind, saved, tiny_text, tmp_path):
    options = ["--data", str(tiny_text), "--out", str(tmp_path / "run"), "--tokenizer", str(saved / kind)]
    assert main(["train", "gpt_small", *options, *SMALL]) == 0
    model, tokenizer = checkpoint.load(tmp_path / "run")
    assert tokenizer is not None
    assert tokenizer.fingerprint() == load_tokenizer(saved / kind).fingerprint()
    assert model.vocab_size == tokenizer.vocab_size
    assert (
        main(["train", "gpt_small", "--out", str(tmp_path / "run"), "--resume", "--steps", "5", "--threads", "1"]) == 0
    )


def test_a_model_is_trained_by_a_kind(tiny_text, tmp_path, capsys):
    options = ["--data", str(tiny_text), "--out", str(tmp_path / "run"), "--tokenizer", "LengthMax"]
    assert main(["train", "real_sam_small", *options, "--set", "tokenizer.vocab_size=290", *SMALL]) == 0
    tokenizer = load_tokenizer(next((tmp_path / "run").rglob("tokenizer.json")).parent)
    assert (tokenizer.kind, tokenizer.vocab_size) == ("LengthMax", 290)
    capsys.readouterr()
    assert main(["generate", str(tmp_path / "run"), "--prompt", "The law", "--tokens", "5", "--threads", "1"]) == 0
    assert capsys.readouterr().out.startswith("The law")


def test_a_spikewhale_tokenizer_brings_its_own_boundary(tiny_text, tmp_path):
    table = [b"", b"", b"", b"", *(bytes([byte]) for byte in range(256)), b" the"]
    theirs = LengthMaxTokenizer(table, {"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3}, boundary=2)
    theirs.save_spikewhale(tmp_path / "theirs.json")
    options = ["--data", str(tiny_text), "--out", str(tmp_path / "run"), "--tokenizer", str(tmp_path / "theirs.json")]
    assert main(["train", "gpt_small", *options, *SMALL]) == 0
    model, tokenizer = checkpoint.load(tmp_path / "run")
    assert tokenizer is not None
    assert (model.config.boundary, tokenizer.boundary, tokenizer.vocab_size) == (2, 2, len(table))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tokenizer", "train", "LengthMx"], "did you mean 'LengthMax'"),
        (["tokenizer", "train", "."], "is a tokenizer already"),
        (["tokenizer", "train", "Bytes", "--vocab", "300"], "unknown field of Bytes: 'vocab_size'"),
        (["tokenizer", "train", "LengthMax", "--set", "max_piece"], "expected FIELD=VALUE"),
        (["tokenizer", "compare", "nowhere/there"], "no tokenizer 'nowhere/there'"),
        (["train", "gpt_small", "--tokenizer", "LengthMx"], "did you mean 'LengthMax'"),
    ],
)
def test_mistakes_are_one_line(words, says, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_an_action_is_needed(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["tokenizer"])
    assert "train|compare" in capsys.readouterr().err
