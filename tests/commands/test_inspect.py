"""``wetware inspect`` as a user meets it."""

import hashlib
import json

import pytest
import torch

import wetware
from wetware.cli import main

SMALL = [
    *("--set", "training.batch=4", "--set", "training.chunk=16", "--set", "tokenizer=Bytes", "--set", "model.width=24"),
    *("--set", "monitoring.evaluate_tokens=300", "--set", "monitoring.sample_tokens=5", "--threads", "1"),
]


@pytest.fixture(scope="module")
def trained(tiny_text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    whale = ["--set", "model.embedding=12", "--set", "model.depth=2"]
    for recipe, more in (("spikewhale_1m", whale), ("real_sam_small", ["--set", "model.depth=2"]), ("gpt_small", [])):
        out = ["--data", str(tiny_text), "--out", str(folder / recipe), "--steps", "3"]
        assert main(["train", recipe, *out, *SMALL, *more]) == 0
    return folder


def content(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_spikewhale_tells_everything(trained, tmp_path, capsys):
    run, out = trained / "spikewhale_1m", tmp_path / "out"
    before = content(run)
    assert main(["inspect", str(run), "--out", str(out), "--limit", "500", "--json", "--threads", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert content(run) == before
    assert found == json.loads((out / "results.json").read_text())
    asked = {"wiring", "activity", "program_rates", "spike_intervals", "gradient_flow", "feature_rank", "energy"}
    assert found["measures"].keys() == asked | {"memory_horizon", "lesioned"}
    assert found["failed"] == found["refused"] == {}
    assert found["measures"]["activity"]["dead_at"] == 0.001
    lesions = [row["lesion"] for row in found["measures"]["lesioned"]["lesions"]]
    assert {"W_rec = 0", "bridge off", "P shuffled", "metabolism silent"} <= set(lesions)
    pictures = {path.name for path in out.glob("*.png")}
    wanted = {"architecture_light.png", "architecture_dark.png", "raster.png", "activity.png", "lesioned.png"}
    assert wanted | {"program_rates.png", "spike_intervals.png"} <= pictures
    page = (out / "report.md").read_text()
    assert "architecture_light.png" in page
    assert "raster.png" in page
    assert "data:image/png" in (out / "report.html").read_text()


def test_others_tell_what_applies_and_why_not_more(trained, tmp_path, capsys):
    run, out = trained / "real_sam_small", tmp_path / "out"
    assert main(["inspect", str(run), "--out", str(out), "--limit", "400", "--text", "the law", "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    assert "without gene programs" in " ".join(shown.split())
    found = json.loads((out / "results.json").read_text())
    assert found["refused"].keys() == {"wiring", "program_rates"}
    assert "".join(found["sentence"]["pieces"]) == "the law"
    assert (out / "architecture_dark.png").exists()
    assert "architecture_light.png" in (out / "report.md").read_text()
    assert main(["inspect", str(trained / "gpt_small")]) == 2
    assert capsys.readouterr().err.startswith("wetware inspect: GPT has no neurons")


def test_the_picture_needs_no_text_and_no_tokenizer(tmp_path, capsys):
    model = wetware.SpikeWhale(vocab_size=30, width=40, depth=3, embedding=8).build(seed=0)
    wetware.save(model, tmp_path / "whale")
    assert main(["inspect", str(tmp_path / "whale"), "--picture", "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    assert "within" in shown
    assert {path.name for path in (tmp_path / "whale" / "inspection").iterdir()} == {
        "architecture_light.png",
        "architecture_dark.png",
    }
    assert main(["inspect", str(tmp_path / "whale"), "--picture", "--json", "--out", str(tmp_path / "o")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["assortativity"]) == {"0", "1", "2"}
    assert 0 < found["assortativity"]["0"]["p"] <= 1
    assert torch.equal(wetware.load(tmp_path / "whale")[0].table, model.table)
    assert main(["inspect", str(tmp_path / "whale")]) == 2  # without a tokenizer nothing else can be asked
    assert "tokenizer" in capsys.readouterr().err


def test_experts_without_neurons_show_their_lineage(tiny_text, tmp_path, capsys):
    model = wetware.tiny("bio_nanochat")
    watch = wetware.Monitoring(evaluate_every=99, evaluate_tokens=50, sample_every=99, checkpoint_every=99)
    training = wetware.Training(batch=2, chunk=16, limit=wetware.Steps(count=6))
    corpus = wetware.TextFiles(path=str(tiny_text))
    run = wetware.Run(model=model, corpus=corpus, tokenizer=wetware.Bytes(), training=training, monitoring=watch)
    wetware.Trainer(run, tmp_path / "run").fit()
    assert main(["inspect", str(tmp_path / "run"), "--json", "--threads", "1"]) == 0
    drawn = json.loads(capsys.readouterr().out)["pictures"]
    assert [file.rpartition("/")[2] for file in drawn] == ["lineage.png", "lineage.svg"]
    assert (tmp_path / "run" / "inspection" / "lineage.svg").read_text().startswith("<?xml")
