"""The benchmark of bio-nanochat times what it says, and everybody on the same skeleton."""

import json

import pytest
import torch

SMALL = ["--width", "16", "--depth", "2", "--vocabulary", "50", "--lengths", "8", "--tokens", "16", "--written", "2"]


def last_line(printed):
    return json.loads(printed.strip().splitlines()[-1])


def test_everybody_is_reported(bench, capsys):
    benchmark = bench("bio_nanochat")
    assert benchmark.main([*SMALL, "--rounds", "1"]) == 0
    found = last_line(capsys.readouterr().out)["results"]["8"]
    assert set(found) == set(benchmark.WORKS)
    for work, rows in found.items():
        assert list(rows) == list(benchmark.NAMES)
        assert rows["gpt"]["ratio"] == 1 and all(row["ratio"] > 0 for row in rows.values())
        assert rows["gpt"]["parameters"] == rows["nothing on"]["parameters"] < rows["release"]["parameters"]
        assert work.startswith("generation") == ("state_bytes" in rows["gpt"])
    state = {name: row["state_bytes"] for name, row in found["generation, batch 8"].items()}
    assert state["gpt"] == state["nothing on"] == state["distance"] < state["fast weights"] < state["everything on"]
    assert found["generation, batch 1"]["release"]["state_bytes"] == state["release"]  # of one text


def test_each_contestant_has_its_mechanism_and_no_other(bench):
    benchmark = bench("bio_nanochat")
    skeleton = benchmark.Skeleton(16, 2, 50, 2)
    plain = skeleton.config("nothing on")
    for name, parts in benchmark.PARTS.items():
        config = skeleton.config(name)
        assert {field for field in vars(config) if getattr(config, field) != getattr(plain, field)} == set(parts)
    tokens = torch.randint(1, 50, (2, 8))
    logits = [skeleton.config(name).build(seed=0)(tokens).logits for name in ("gpt", "nothing on", "everything on")]
    assert torch.allclose(logits[0], logits[1]) and torch.allclose(logits[0], logits[2], atol=1e-5)


def test_a_step_moves_the_weights_and_writing_starts_anew(bench):
    benchmark = bench("bio_nanochat")
    skeleton = benchmark.Skeleton(16, 2, 50, 2)
    step = benchmark.build(skeleton, "everything on", "training", 8, 2)
    before = step.model.table.detach().clone()
    step()
    assert not torch.equal(before, step.model.table) and step.model.table.grad is None
    writer = benchmark.build(skeleton, "release", "generation, batch 8", 8, 2)
    writer()
    assert int(writer.state.length[0]) == 8 and len(writer.state.length) == 8
    assert 0 not in writer.inputs  # no document starts within it


def test_some_alone(bench, capsys):
    benchmark = bench("bio_nanochat")
    assert benchmark.main([*SMALL, "--rounds", "1", "--only", "release", "--work", "evaluation"]) == 0
    found = last_line(capsys.readouterr().out)["results"]["8"]
    assert set(found) == {"evaluation"} and set(found["evaluation"]) == {"gpt", "release"}
    with pytest.raises(SystemExit):
        benchmark.main([*SMALL, "--only", "relase"])
    assert "allowed gpt, nothing on, release" in capsys.readouterr().err
