"""The harness's own command on a saved run, and how requests are answered."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

import wetware
from wetware.config import ConfigError
from wetware.data import Bytes
from wetware.evaluation.harness import __main__ as command
from wetware.models.generation import Sampling, generate

lm_eval = pytest.importorskip("lm_eval", reason="the extra eval is not installed")

TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/items.jsonl}}, cache_dir: {folder}/cache}}
test_split: test
output_type: multiple_choice
doc_to_text: query
doc_to_target: gold
doc_to_choice: choices
metric_list: [{{metric: acc}}]
metadata: {{version: 1.0}}
"""


@pytest.fixture(scope="module")
def model():
    return replace(wetware.tiny("gpt"), vocab_size=257).build(3)


@pytest.fixture(scope="module")
def tokenizer():
    return Bytes().train([])


def test_its_own_command(model, tokenizer, tmp_path, monkeypatch, capsys):
    from lm_eval.tasks import TaskManager

    def refuse(*given, **more):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    # without the thousands of tasks that it brings, which take it seconds to list
    monkeypatch.setattr("lm_eval.tasks.TaskManager", partial(TaskManager, include_defaults=False))
    wetware.save(model, tmp_path / "saved", tokenizer)
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "items.jsonl").write_text('{"query": "a", "choices": ["b", "c"], "gold": 0}\n' * 3)
    (folder / "own.yaml").write_text(TASK.format(name="my_own_choice", folder=folder))
    given = ["--model", "wetware", "--include_path", str(folder), "--tasks", "my_own_choice", "--model_args"]
    assert command.main([*given, f"run={tmp_path / 'saved'}"]) == 0
    assert "my_own_choice" in capsys.readouterr().out
    assert command.main([*given, f"run={tmp_path / 'sawed'}"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("lm_eval: no such run or checkpoint")
    assert "did you mean 'saved'" in line


def ask(model, tokenizer, context, **options):
    from wetware.evaluation.harness.model import HarnessModel

    request = SimpleNamespace(args=(context, options))
    return HarnessModel(model, tokenizer).generate_until([request])[0]


def test_writing_stops_where_it_should(model, tokenizer):
    whole = generate(model, tokenizer, "The law", tokens=40, sampling=Sampling(temperature=0.0))
    assert ask(model, tokenizer, "The law", max_gen_toks=40) == whole
    assert len(whole) > 12
    seven = generate(model, tokenizer, "The law", tokens=7, sampling=Sampling(temperature=0.0))
    assert ask(model, tokenizer, "The law", max_new_tokens=7, until=[]) == seven != whole
    stop, later = whole[5:7], whole[9:11]
    assert ask(model, tokenizer, "The law", max_gen_toks=40, until=[later, stop]) == whole[: whole.find(stop)]
    assert ask(model, tokenizer, "The law", max_gen_toks=40, until=stop, do_sample=False) == whole[: whole.find(stop)]
    drawn = {ask(model, tokenizer, "The law", max_gen_toks=40, do_sample=True, top_k=k) for k in (5, 20)}
    assert whole not in drawn
    assert ask(model, tokenizer, "The law", max_gen_toks=40, do_sample=True, top_k=5) in drawn
    with pytest.raises(ConfigError, match="'top_kk' is not known; did you mean 'top_k'"):
        ask(model, tokenizer, "The law", top_kk=5)
    empty = generate(model, tokenizer, "", tokens=4, sampling=Sampling(temperature=0.0))
    assert ask(model, tokenizer, "", max_gen_toks=4) == empty


def test_a_run_says_how_it_is_loaded(model, tokenizer, tmp_path):
    from wetware.evaluation.harness.model import SavedRun

    wetware.save(model, tmp_path / "saved", tokenizer)
    asked = [SimpleNamespace(args=pair) for pair in (("The law", " is"), ("", "The"), ("The law ", "of"), ("x", "yy"))]
    ways = [SavedRun(str(tmp_path / "saved"), batch_size=size).loglikelihood(asked) for size in (1, "2", "auto")]
    for found in ways[1:]:
        for (mine, greedy), (other, also) in zip(found, ways[0], strict=True):
            assert mine == pytest.approx(other, abs=1e-4)
            assert greedy == also
    coarse = SavedRun(str(tmp_path / "saved"), weights="int8").loglikelihood(asked)
    assert coarse[0][0] != ways[0][0][0]
    rolled = SavedRun(str(tmp_path / "saved")).loglikelihood_rolling([SimpleNamespace(args=("The",))])
    assert rolled == [pytest.approx(ways[0][1][0], abs=1e-4)]
    with pytest.raises(ConfigError, match="no argument 'weight'; did you mean 'weights'"):
        SavedRun(str(tmp_path / "saved"), weight="int8")
    wetware.save(model, tmp_path / "mute")
    with pytest.raises(wetware.CheckpointError, match="no tokenizer"):
        SavedRun(str(tmp_path / "mute"))
