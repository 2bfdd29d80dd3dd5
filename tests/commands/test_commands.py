"""The command line as a user meets it."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

import wetware
from wetware.cli import main, parser

SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "tokenizer=Bytes", "--set", "model.width=24"),
    *("--set", "monitoring.evaluate_tokens=300", "--set", "monitoring.sample_tokens=5", "--threads", "1"),
]


@pytest.fixture(scope="module")
def trained(tiny_text, tmp_path_factory):
    """Two small runs, trained by the command."""
    folder = tmp_path_factory.mktemp("runs")
    for recipe in ("real_sam_small", "gpt_small"):
        out = ["--data", str(tiny_text), "--out", str(folder / recipe), "--steps", "6"]
        assert main(["train", recipe, *out, *SMALL]) == 0
    return folder


@pytest.mark.parametrize(
    "command", ["train", "generate", "chat", "evaluate", "tokenizer", "recipes", "mechanisms", "doctor", "demo"]
)
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_train_leaves_a_run(trained, capsys):
    folder = trained / "real_sam_small"
    assert {"config.json", "metrics.jsonl", "tb", "checkpoints"} <= {path.name for path in folder.iterdir()}
    assert json.loads((folder / "config.json").read_text())["model"]["width"] == 24


def test_generate_streams_the_prompt_and_more(trained, capsys):
    for recipe in ("real_sam_small", "gpt_small"):
        texts = []
        for seed in ("1", "1", "2"):
            options = ["--prompt", "The law", "--tokens", "40", "--seed", seed, "--top-k", "30", "--top-p", "0.9"]
            assert main(["generate", str(trained / recipe), *options, "--repetition-penalty", "1.1"]) == 0
            texts.append(capsys.readouterr().out)
        assert texts[0].startswith("The law")
        assert len(texts[0]) > 10
        assert texts[0] == texts[1] != texts[2]


def evaluated(run, capsys, *options):
    code = main(["evaluate", str(run), "--json", "--threads", "1", *options])
    return code, json.loads(capsys.readouterr().out)


def test_evaluate(trained, capsys, tmp_path):
    run, out = trained / "real_sam_small", tmp_path / "report"
    code, report = evaluated(run, capsys, "--tasks", "bits_per_byte", "--out", str(out))
    assert code == 0
    figures = report["measures"]["bits_per_byte"]
    assert 0 < figures["carried"]["bits_per_byte"] < 10
    assert figures["carried"]["bytes"] == figures["fresh"]["bytes"] > 0
    assert set(figures["references"]) == {"token unigram", "Witten-Bell bigram"}
    assert len(figures["firing"]) == 2
    assert json.loads((out / "results.json").read_text()) == report
    assert f"{figures['carried']['bits_per_byte']:.4f}" in (out / "report.md").read_text()
    assert main(["evaluate", str(trained / "gpt_small"), "--limit", "200", "--tasks", "bits_per_byte"]) == 0
    assert "state carried" in capsys.readouterr().out
    assert (trained / "gpt_small" / "evaluation" / "report.md").exists()


def test_evaluate_goes_on_where_a_measure_fails(trained, capsys, monkeypatch, tmp_path):
    from wetware.evaluation.measures.bits_per_byte import BitsPerByte

    def broken(*_):
        raise ValueError("no such luck")

    monkeypatch.setattr(BitsPerByte, "take", broken)
    out = str(tmp_path / "out")
    code, report = evaluated(
        trained / "gpt_small", capsys, "--tasks", "bits_per_byte,activity,confidence_calibration", "--out", out
    )
    assert code == 1
    assert report["failed"] == {"bits_per_byte": "ValueError: no such luck"}
    assert "neurons" in report["refused"]["activity"]
    assert set(report["measures"]) == {"confidence_calibration"}
    page = (tmp_path / "out" / "report.md").read_text()
    assert "no such luck" in page
    assert "confidence_calibration.png" in page


def test_listings(capsys):
    assert main(["recipes"]) == 0
    assert "real_sam_small" in capsys.readouterr().out
    assert main(["mechanisms", "real_sam"]) == 0
    out = capsys.readouterr().out
    assert "block.recurrence" in out
    assert "CurrentEncoder" in out
    assert main(["mechanisms", "gru_mini"]) == 0
    assert capsys.readouterr().out.strip() == "nothing in GRU can be taken away"
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "lif_scan" in out
    assert "chosen" in out


def chat(monkeypatch, capsys, run, lines, *options):
    answers = iter(lines)

    def read(_):
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    # a model that has hardly learned hardly tells tokens apart: only a low temperature hears what was said before
    cool = ("--seed", "3", "--tokens", "15", "--temperature", "0.01")
    assert main(["chat", str(run), *cool, *options]) == 0
    return capsys.readouterr().out.strip()


def test_chat_remembers_resets_and_saves(trained, monkeypatch, capsys, tmp_path):
    run, file = trained / "real_sam_small", tmp_path / "talk.json"
    once = chat(monkeypatch, capsys, run, ["The people", "/seed 7", "of the law"])
    again = chat(monkeypatch, capsys, run, ["The people", "/seed 7", "of the law"])
    forgot = chat(monkeypatch, capsys, run, ["The people", "/reset", "/seed 7", "of the law"])
    assert once == again
    assert once.splitlines()[-1] != forgot.splitlines()[-1]
    chat(monkeypatch, capsys, run, ["The people", f"/save {file}"])
    assert json.loads(file.read_text())["text"].startswith("The people")
    loaded = chat(monkeypatch, capsys, run, ["/seed 7", "of the law"], "--load", str(file))
    assert loaded.splitlines()[-1] == once.splitlines()[-1]  # state carried over turns = the conversation read again
    assert "unknown" in chat(monkeypatch, capsys, run, ["/nonsense", "/quit", "never read"])


BAD = {
    "no such recipe": (["train", "real_smal"], "did you mean 'real_sam"),
    "unknown field": (["train", "real_sam", "--set", "model.widht=3"], "did you mean 'model.width'"),
    "short path": (["train", "real_sam", "--set", "threshold=3"], "did you mean 'model.block.neuron.threshold'"),
    "wrong type": (["train", "real_sam", "--set", "model.width=wide"], "model.width = 'wide': expected int"),
    "out of range": (["train", "real_sam", "--set", "model.block.neuron.threshold=-1"], "out of range"),
    "no sign": (["train", "real_sam", "--set", "model.width"], "PATH=VALUE"),
    "vocabulary": (["train", "real_sam", "--set", "model.vocab_size=9"], "tokenizer.vocab_size"),
    "not a part": (["train", "real_sam", "--set", "model.encoder=CurentEncoder"], "did you mean 'CurrentEncoder'"),
    "missing data": (["train", "real_sam", "--data", "nothing_here.txt"], "nothing_here.txt"),
    "no device": (["train", "real_sam", "--device", "cdua"], "did you mean 'cuda'"),
    "resume of nothing": (["train", "real_sam", "--resume", "--out", "nowhere"], "nothing to resume"),
    "no run": (["generate", "nowhere"], "no such run"),
    "no run to evaluate": (["evaluate", "nowhere"], "no such run"),
    "a measure misspelt": (["evaluate", "nowhere", "--tasks", "bits_per_bite"], "did you mean 'bits_per_byte'"),
    "no bundle": (["evaluate", "nowhere", "--eval-bundle-zip", "nothing.zip"], "no such file or folder: 'nothing.zip'"),
    "no run to chat with": (["chat", "nowhere"], "no such run"),
    "a file as folder": (["train", "real_sam_small", "--out", __file__], "is a file"),
    "empty data": (["train", "real_sam", "--data", ""], "no data ''"),
    "a part that needs more": (["train", "real_sam", "--set", "corpus=TextFiles"], "it needs path"),
    "a huge seed": (["train", "real_sam", "--set", f"seed={10**23}"], "out of range"),
    "a huger number": (["train", "real_sam", "--set", "training.batch=1" + "0" * 400], "out of range"),
    "more memory than there is": (["train", "real_sam_small", "--set", "model.width=1000000000"], "memory"),
    "not a device": (["train", "real_sam", "--device", "cpu:abc"], "--device 'cpu:abc': allowed cpu"),
    "no such core": (["train", "real_sam", "--device", "cpu:7"], "--device 'cpu:7': allowed cpu"),
    "no mechanisms": (["mechanisms", "gtp"], "did you mean 'gpt'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_clear_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error


WRONG_OPTIONS = [
    ["train"],
    ["nonsense"],
    *(["train", "gpt", *words] for words in (["--steps", "0"], ["--steps", "x"], ["--seed", "9" * 23])),
    *(["train", "gpt", *words] for words in (["--threads", "0"], ["--threads", "99999999999"], ["--minutes", "nan"])),
]


@pytest.mark.parametrize("arguments", WRONG_OPTIONS)
def test_bad_options_give_two(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert "--help" in error


def test_empty_text(tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("")
    assert main(["train", "real_sam_small", "--data", str(tmp_path / "empty.txt"), "--out", str(tmp_path / "run")]) == 2
    assert "empty" in capsys.readouterr().err.lower()


def test_damaged_checkpoint(trained, tmp_path, capsys):
    import shutil

    shutil.copytree(trained / "gpt_small", tmp_path / "run")
    for path in (tmp_path / "run").rglob("model.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    for command in (["generate"], ["evaluate"], ["chat"]):
        assert main([*command, str(tmp_path / "run")]) == 2
        assert "damaged" in capsys.readouterr().err
    assert main(["train", "gpt_small", "--resume", "--out", str(tmp_path / "run"), "--steps", "9"]) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_run_is_not_written_over(trained, capsys, tiny_text):
    out = ["--data", str(tiny_text), "--out", str(trained / "gpt_small"), "--steps", "9"]
    assert main(["train", "gpt_small", *out, *SMALL]) == 2
    assert "--resume" in capsys.readouterr().err


def test_resume_names_the_model_it_finds(trained, capsys):
    assert main(["train", "gpt_small", "--resume", "--out", str(trained / "real_sam_small"), "--steps", "9"]) == 2
    assert "holds a RealSam, and gpt_small is a GPT" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage", ['{"tokens": [0, 99999], "fingerprint": %s}', '{"tokens": [5], "fingerprint": %s}', "[]", "x"]
)
def test_damaged_conversation(damage, trained, capsys, tmp_path):
    _, tokenizer = wetware.load(trained / "gpt_small")
    file = tmp_path / "talk.json"
    file.write_text(damage % json.dumps(tokenizer.fingerprint()) if "%s" in damage else damage)
    assert main(["chat", str(trained / "gpt_small"), "--load", str(file)]) == 2
    assert "talk.json" in capsys.readouterr().err


def shell(line, **keywords):
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=100, **keywords
    )


def test_a_reader_that_leaves_does_not_stop_a_training(tiny_text, tmp_path):
    from wetware.training import checkpoint

    words = [
        "train",
        "real_sam_small",
        "--data",
        str(tiny_text),
        "--out",
        str(tmp_path / "run"),
        "--steps",
        "40",
        *SMALL,
    ]
    done = shell(f"{sys.executable} -m wetware {shlex.join(words)} | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert checkpoint.steps(tmp_path / "run")[-1].name == "step-00000040"
    done = shell(f"{sys.executable} -m wetware recipes | head -c 5")
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_and_narrow_streams(trained):
    run = shlex.quote(str(trained / "gpt_small"))
    for line in (f"chat {run} <&-", f"generate {run} --tokens 3 >&-", f"generate {run} --prompt é --tokens 3"):
        done = shell(f"{sys.executable} -m wetware {line}", env={**os.environ, "PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, ""), line


def test_the_cursor_comes_back_after_a_mistake(tmp_path):
    """In a terminal, a line that is kept up to date hides the cursor while it is there."""
    (tmp_path / "empty.txt").write_text("")
    code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    words = [sys.executable, "-m", "wetware", "train", "real_sam_small", "--data", str(tmp_path / "empty.txt")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert done.stdout.rfind("\x1b[?25h") >= done.stdout.rfind("\x1b[?25l")


def test_bad_sampling(trained, capsys):
    assert main(["generate", str(trained / "gpt_small"), "--temperature", "-1"]) == 2
    assert re.search(r"temperature = -1\.0 is out of range", capsys.readouterr().err)


def test_python_dash_m():
    out = subprocess.run(
        [sys.executable, "-m", "wetware", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert out.startswith("wetware ")


def test_demo(tmp_path, monkeypatch, capsys):
    """The whole demo on a text and models made small."""
    from dataclasses import replace

    import wetware.commands.demo as demo
    from wetware.config import with_
    from wetware.data import Bytes

    def small(name):
        run = wetware.recipe(name)
        run = replace(run, model=replace(run.model, depth=1), tokenizer=Bytes(), corpus=corpus)
        run = with_(with_(run, "training.batch", 4), "training.chunk", 16)
        return with_(with_(run, "monitoring.evaluate_every", 5), "monitoring.evaluate_tokens", 300)

    from wetware.data import TextFiles

    text = tmp_path / "text.txt"
    text.write_text("the people of the union and the laws of the land. " * 200)
    corpus = TextFiles(path=str(text))
    monkeypatch.setattr(demo, "recipe", small)
    assert main(["demo", "--minutes", "0.01", "--out", str(tmp_path / "demo"), "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert (tmp_path / "demo" / "curves.png").stat().st_size > 1000
    results = json.loads((tmp_path / "demo" / "results.json").read_text())
    for name in demo.CONTESTANTS:
        assert f"{results[name]['carried']['bits_per_byte']:.4f}" in out
    assert "Witten-Bell bigram" in out
    assert "what to type next" in out
