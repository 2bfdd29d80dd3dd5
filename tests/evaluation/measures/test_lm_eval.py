"""lm-eval without a network: its figures are ours where both measure the same, and nothing else changes."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import wetware
from wetware.data import BPE, Bytes, DataError, TextFiles, prepare
from wetware.evaluation.measure import Subject
from wetware.evaluation.measures.core import Core
from wetware.evaluation.measures.lm_eval import LmEval
from wetware.models.generation import Sampling, generate
from wetware.training import held_out_loss, load

lm_eval = pytest.importorskip("lm_eval", reason="the extra eval is not installed")

CHOICE = """
task: choice
output_type: multiple_choice
doc_to_text: "{{query}}\\nAnswer:"
doc_to_target: gold
doc_to_choice: choices
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
ENDING = """
task: ending
output_type: loglikelihood
doc_to_text: "{{context}}"
doc_to_target: "{{continuation}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""
ROLLING = """
task: rolling
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list: [{metric: bits_per_byte}, {metric: byte_perplexity}, {metric: word_perplexity}]
"""
WRITING = """
task: writing
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {until: ["e"], max_gen_toks: 12, do_sample: false, temperature: 0.0}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """Whatever would reach out fails; what is kept is kept here."""
    import datasets

    def refuse(*given, **more):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


def subject(name="real_sam", tokenizer=None):
    tokenizer = tokenizer or Bytes().train([])
    model = replace(wetware.tiny(name), vocab_size=tokenizer.vocab_size).build(3)
    return Subject(name, model, tokenizer, None, None, None)


def add_task(folder, text, rows):
    """A task of the harness: YAML and its items, both in ``folder``."""
    name = text.split("task: ")[1].split()[0]
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder / name}.jsonl}}}}\ntest_split: test\n"
    (folder / f"{name}.yaml").write_text(f"{text}{data}metadata: {{version: 1.0}}\n")
    return folder


def asked(of, folder, *tasks, **options):
    return LmEval(tasks=tasks, folder=str(folder), **options).take(of, lambda share: None)["tasks"]


def bundle(folder, kind, baseline, rows, delimiter):
    """A bundle of one task without examples."""
    (folder / "eval_data").mkdir(parents=True)
    (folder / "eval_data" / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"label": "only", "dataset_uri": "items.jsonl", "num_fewshot": 0, "icl_task_type": kind}
    (folder / "core.yaml").write_text(json.dumps({"icl_tasks": [task | {"continuation_delimiter": delimiter}]}))
    (folder / "eval_meta_data.csv").write_text(f"Eval Task,Random baseline\nonly,{baseline}\n")
    return str(folder)


def core(of, *given):
    return Core(bundle=bundle(*given)).take(of, lambda share: None)["tasks"][0]["accuracy"]


def choices(tokenizer, alike):
    """Items whose choices have as many tokens each (``alike``), or unlike numbers."""
    dice, rows = random.Random(2), []
    words = ("law", "house", "people", "union", "farmer", "river", "treaty", "army", "school", "debt")
    while len(rows) < 25:
        options = ["".join(f" {dice.choice(words)}" for _ in range(dice.randint(1, 3))) for _ in range(3)]
        lengths = {len(tokenizer.encode(option)) for option in options}
        if (len(lengths) == 1) == alike and len(set(options)) == 3:
            rows.append({"query": dice.choice(words), "choices": options, "gold": dice.randrange(3)})
    return rows


def test_choices_as_core_scores_them_by_length(tmp_path):
    """With one token a byte, acc_norm (the sum of log-probabilities by characters) is CORE's mean over tokens."""
    of = subject()
    rows = choices(of.tokenizer, alike=False)
    metrics = asked(of, add_task(tmp_path / "tasks", CHOICE, rows), "choice")["choice"]["metrics"]
    accuracy = core(of, tmp_path / "bundle", "multiple_choice", 33, rows, "\nAnswer:")
    assert metrics["acc_norm,none"] == accuracy
    assert metrics["acc,none"] != accuracy  # sums choose otherwise: the equality says something


def test_choices_as_core_scores_them_by_sum(tmp_path):
    """With any tokenizer, acc (the sum) is CORE's mean when the choices of an item have equally many tokens."""
    of = subject("gpt", BPE(vocab_size=320).train(["law house people union farmer river treaty army school debt " * 9]))
    rows = choices(of.tokenizer, alike=True)
    metrics = asked(of, add_task(tmp_path / "tasks", CHOICE, rows), "choice")["choice"]["metrics"]
    accuracy = core(of, tmp_path / "bundle", "multiple_choice", 33, rows, "\nAnswer:")
    assert metrics["acc,none"] == accuracy
    assert 0 < accuracy < 1


def test_endings_as_core_scores_them(tmp_path):
    """Language modelling: a saved run's own continuations, and as many that are not its own."""
    of = subject("gpt")
    wetware.save(of.model, tmp_path / "saved", of.tokenizer)
    model, tokenizer = load(tmp_path / "saved")
    saved = Subject("saved", model, tokenizer, None, None, None)
    rows = []
    for index in range(200):
        context = f"Line {index} of"
        text = generate(model, tokenizer, context, tokens=2, sampling=Sampling(temperature=0.0))
        if len(text) == 2 and text.isprintable() and text.isascii() and len(rows) < 8:
            rows.append({"context": context, "continuation": text if len(rows) < 4 else text[0] + "~"})
    assert len(rows) == 8
    metrics = asked(saved, add_task(tmp_path / "tasks", ENDING, rows), "ending")["ending"]["metrics"]
    assert metrics["acc,none"] == core(saved, tmp_path / "bundle", "language_modeling", 0, rows, "") == 0.5


@pytest.mark.parametrize("name", wetware.model_names())
def test_rolling_bits_per_byte_are_ours(name, tiny_text, tmp_path):
    corpus = TextFiles(path=str(tiny_text))
    tokenizer, _, held_out = prepare(corpus, BPE(vocab_size=300), tmp_path / "cache")
    of = subject(name, tokenizer)
    rows = [{"text": text} for text in corpus.documents("validation")]
    metrics = asked(of, add_task(tmp_path / "tasks", ROLLING, rows), "rolling")["rolling"]["metrics"]
    ours = held_out_loss(of.model, held_out, tokenizer.token_bytes)
    assert ours.bytes == sum(len(row["text"].encode()) for row in rows)
    assert metrics["bits_per_byte,none"] == pytest.approx(ours.bits_per_byte, rel=1e-5)
    assert metrics["byte_perplexity,none"] == pytest.approx(2**ours.bits_per_byte, rel=1e-4)


def test_writing(tmp_path):
    """Greedy, up to the stop text, and no more tokens than asked for."""
    of = subject("gpt")
    prompts = ["The law", "A", "people of the house", "naïve"]
    texts = [generate(of.model, of.tokenizer, p, tokens=12, sampling=Sampling(temperature=0.0)) for p in prompts]
    rows = [{"prompt": p, "answer": text.split("e")[0]} for p, text in zip(prompts, texts, strict=True)]
    rows[-1]["answer"] += "?"
    found = asked(of, add_task(tmp_path / "tasks", WRITING, rows), "writing")
    assert found["writing"]["metrics"]["exact_match,none"] == 0.75


def test_items_and_examples_are_counted(tmp_path):
    of = subject()
    folder = add_task(tmp_path / "tasks", CHOICE, choices(of.tokenizer, alike=False))
    measure = LmEval(tasks=("choice",), folder=str(folder), shots=2, max_per_task=5)
    figures = measure.take(of, lambda share: None)
    assert figures["tasks"]["choice"]["items"] == 5
    assert figures["tasks"]["choice"]["shots"] == 2
    read = json.loads(json.dumps(figures))
    assert read == figures
    assert [row[3] for row in measure.table(read).rows] == ["acc,none", "acc_norm,none"]


def test_nothing_is_changed_or_printed(tmp_path, capsys):
    of = subject()
    folder = add_task(tmp_path / "tasks", CHOICE, choices(of.tokenizer, alike=False))
    (folder / "noise.py").write_text(
        "import random, numpy, torch\n\n\ndef make(docs):\n    print('noise')\n    random.seed(1)\n    numpy.random.seed(1)\n"
        "    torch.manual_seed(1)\n    return docs\n"
    )
    path = folder / "choice.yaml"
    path.write_text(path.read_text() + "process_docs: !function noise.make\n")
    kept = {name: tensor.clone() for name, tensor in of.model.state_dict().items()}
    dice = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    asked(of, folder, "choice", max_per_task=3)
    assert random.getstate() == dice[0]
    assert np.random.get_state()[1].tolist() == dice[1]
    assert torch.equal(torch.get_rng_state(), dice[2])
    assert all(torch.equal(tensor, kept[name]) for name, tensor in of.model.state_dict().items())
    assert capsys.readouterr().out == ""


def test_what_is_wrong_is_one_line(tmp_path):
    of = subject()
    folder = add_task(tmp_path / "tasks", CHOICE, choices(of.tokenizer, alike=False))
    with pytest.raises(DataError, match=r"no task 'choise'; did you mean 'choice'"):
        asked(of, folder, "choise")
    with pytest.raises(DataError, match="no folder of tasks"):
        asked(of, tmp_path / "nowhere", "choice")
    (folder / "choice.jsonl").unlink()
    with pytest.raises(DataError, match="lm-eval choice: ") as error:
        asked(of, folder, "choice")
    assert "\n" not in str(error.value)
    assert "names of tasks" in LmEval().refusal(of)
    assert LmEval(tasks=("choice",)).refusal(of) is None


def test_wetware_does_not_need_it():
    code = (
        "import sys; sys.modules['lm_eval'] = None\n"
        "from wetware.evaluation.measures import measures\n"
        "print(measures()['lm_eval'](tasks=('a',)).refusal(None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'wetware[eval]'" in done.stdout
