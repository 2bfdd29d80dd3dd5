"""``wetware convert``, ``wetware import nanochat`` and ``wetware train --init-from`` as a user meets them."""

import json
import shlex

import pytest
import torch
from tests.training.importing.test_nanochat import DEPTH, HEADS, TOKENS, VOCAB, checkpoint, logits_of

import wetware
from wetware.cli import main, parser
from wetware.training.converting import SAME, probe

SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "monitoring.evaluate_tokens=300"),
    *("--set", "monitoring.sample_tokens=5", "--threads", "1"),
]
GPT = [*("--set", "tokenizer=Bytes", "--set", "model.width=24", "--set", "model.depth=2"), *SMALL]


@pytest.fixture(scope="module")
def folder(tiny_text, tmp_path_factory):
    """``gpt``, trained by the command, and ``gpt-bio_nanochat``, made of it by the command."""
    folder = tmp_path_factory.mktemp("runs")
    out = ["--data", str(tiny_text), "--out", str(folder / "gpt"), "--steps", "60"]
    assert main(["train", "gpt_small", *out, *GPT]) == 0
    assert main(["convert", str(folder / "gpt"), "--to", "bio_nanochat", "--seed", "4"]) == 0
    return folder


def test_the_same_logits_from_another_model(folder):
    (before, tokenizer), (after, its) = (wetware.load(folder / name) for name in ("gpt", "gpt-bio_nanochat"))
    assert type(after.config) is wetware.BioNanochat
    assert its.fingerprint() == tokenizer.fingerprint()
    assert after.config.width == before.config.width == 24
    text = probe(after.config, its)
    with torch.inference_mode():
        torch.testing.assert_close(after(text).logits, before(text).logits, atol=1e-5, rtol=0)
    about = json.loads((folder / "gpt-bio_nanochat" / "config.json").read_text())
    assert about["converted"]["from"] == "GPT"
    assert about["converted"]["seed"] == 4
    assert about["converted"]["difference"] <= SAME[torch.float64]


def test_it_writes_evaluates_and_chats(folder, capsys, monkeypatch):
    figures = []
    for name in ("gpt", "gpt-bio_nanochat"):
        run = str(folder / name)
        # so cold that rounding moves no choice
        assert (
            main(["generate", run, "--prompt", "The law", "--tokens", "30", "--temperature", "0", "--threads", "1"])
            == 0
        )
        text = capsys.readouterr().out
        assert text.startswith("The law")
        options = ["--tasks", "bits_per_byte", "--limit", "400", "--json", "--threads", "1"]
        assert main(["evaluate", run, *options]) == 0  # on the text that the GPT was trained on
        report = json.loads(capsys.readouterr().out)
        figures.append((text, report["measures"]["bits_per_byte"]["carried"]["bits_per_byte"]))
    assert figures[0][0] == figures[1][0]
    assert figures[0][1] == pytest.approx(figures[1][1], abs=1e-5)
    lines = iter(["The people"])
    monkeypatch.setattr("builtins.input", lambda *_: next(lines, "/quit"))
    assert main(["chat", str(folder / "gpt-bio_nanochat"), "--seed", "1", "--tokens", "5", "--threads", "1"]) == 0


def test_the_command_it_names_trains_on(folder, capsys, tmp_path):
    out = tmp_path / "bio"
    assert main(["convert", str(folder / "gpt"), "--to", "bio_nanochat", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "same logits: largest difference on 768 tokens of text" in shown
    words = shlex.split(shown.split("train on from it: ")[1])
    assert words[:2] == ["wetware", "train"]
    assert words[3:5] == ["--init-from", str(out)]
    assert main([*words[1:], "--steps", "6", *SMALL]) == 0
    run = tmp_path / "bio-trained"
    about = json.loads((run / "config.json").read_text())
    assert about["model"]["type"] == "BioNanochat"
    assert about["start"]["path"] == str(out)
    assert about["tokenizer"] == {"type": "SavedTokenizer", "path": str(out)}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    first = next(row["loss"] for row in rows if "loss" in row)
    assert first < 4.5  # ln 257 = 5.55 from drawn weights
    for path in out.iterdir():
        path.unlink()
    assert main(["train", words[2], "--out", str(run), "--resume", "--steps", "8", "--threads", "1"]) == 0
    capsys.readouterr()
    assert main(["train", words[2], "--out", str(run), "--resume", "--init-from", str(run), "--steps", "9"]) == 2
    assert "--resume" in capsys.readouterr().err


BAD = {
    "kind": (["convert", "gpt", "--to", "bio_nanochta"], "did you mean 'bio_nanochat'"),
    "no larger kind": (["convert", "gpt", "--to", "lstm"], "only bio_nanochat is a GPT"),
    "no run": (["convert", "gtp", "--to", "bio_nanochat"], "did you mean 'gpt"),
    "onto itself": (["convert", "gpt", "--to", "bio_nanochat", "--out", "gpt"], "being converted"),
    "a size": (["convert", "gpt", "--to", "bio_nanochat", "--set", "model.width=32"], "sizes cannot be changed"),
    "no part": (
        ["convert", "gpt", "--to", "bio_nanochat", "--set", "model.memoyr=none"],
        "did you mean 'model.memory'",
    ),
    "not the model": (["convert", "gpt", "--to", "bio_nanochat", "--set", "seed=3"], "only the model"),
    "softcap": (["convert", "gpt", "--to", "bio_nanochat", "--set", "model.softcap.cap=3"], "model.softcap is not"),
    "start of nothing": (["train", "gpt_small", "--init-from", "gtp", "--out", "x"], "did you mean 'gpt"),
    "start of another": (
        ["train", "gru_mini", "--init-from", "gpt", "--out", "x"],
        "holds a GPT, and gru_mini is a GRU",
    ),
    "two tokenizers": (["train", "gpt_small", "--init-from", "gpt", "--tokenizer", "BPE"], "brings its own"),
    "a tokenizer set": (
        ["train", "gpt_small", "--init-from", "gpt", "--set", "tokenizer=Characters", "--out", "x"],
        "another tokenizer (Bytes, 257 tokens)",
    ),
    "an option of another": (
        ["import", "nanochat", "x.pt", "--out", "x", "--name", "a=b"],
        "--name is of a spikewhale",
    ),
    "theirs for ours": (["import", "spikewhale", "x.pth", "--out", "x", "--heads", "3"], "--heads is of a nanochat"),
    "no file": (["import", "nanochat", "x.pt", "--out", "x"], "no such file"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_clear_line(arguments, message, folder, tiny_text, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    more = ["--data", str(tiny_text), *SMALL] if arguments[0] == "train" else []
    assert main([*arguments, *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def test_from_nanochat_to_living_synapses(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(checkpoint("_orig_mod."), "model_000010.pt")
    (tmp_path / "meta_000010.json").write_text(json.dumps({"model_config": {"n_head": HEADS, "n_layer": DEPTH}}))
    assert main(["import", "nanochat", "model_000010.pt", "--out", "nano"]) == 0
    shown = capsys.readouterr().out
    assert "tokenizer is not read" in shown
    assert "wetware convert nano --to bio_nanochat" in shown
    assert main(["convert", "nano", "--to", "bio_nanochat"]) == 0
    assert "768 drawn tokens, since there is no tokenizer" in capsys.readouterr().out
    model, tokenizer = wetware.load("nano-bio_nanochat")
    assert tokenizer is None
    with torch.inference_mode():
        logits = model(TOKENS).logits[0].double()
    torch.testing.assert_close(logits, logits_of(checkpoint(), TOKENS[0]), atol=1e-4, rtol=0)
    assert json.loads((tmp_path / "nano-bio_nanochat" / "config.json").read_text())["imported"]["kind"] == "nanochat"
    assert model.vocab_size == VOCAB
    assert main(["generate", "nano", "--prompt", "a"]) == 2
    assert "no tokenizer" in capsys.readouterr().err


def test_a_larger_recipe_asks_for_a_conversion(folder, tiny_text, capsys, monkeypatch):
    """Weights of a GPT do not start a bio-nanochat: they are converted first, with the logits compared."""
    from wetware import recipes
    from wetware.training import Run

    def bio() -> Run:
        return Run(model=wetware.tiny("bio_nanochat"))

    monkeypatch.setattr(recipes, "_functions", lambda: {"bio": bio})
    bio.__annotations__["return"] = "Run"
    assert main(["train", "bio", "--init-from", str(folder / "gpt")]) == 2
    assert f"wetware convert {folder / 'gpt'} --to bio_nanochat" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["convert", "--help"])
    assert ended.value.code == 0
    assert "example" in capsys.readouterr().out
