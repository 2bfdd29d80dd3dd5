"""Minimal pairs: sums of log-probabilities, ties, groups, intervals."""

import json
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.data import Bytes, DataError
from wetware.evaluation.measure import Subject
from wetware.evaluation.measures.minimal_pairs import MinimalPairs

PAIRS = [
    ("The house keeps the law.", "The house keep the law.", {"phenomenon": "agreement", "UID": "one"}),
    ("The ships see the river.", "The ships sees the river.", {"phenomenon": "agreement", "UID": "two"}),
    ("Free people.", "People free, all of them.", {"UID": "order"}),
    ("The old bank.", "Bank old the.", {"UID": "order"}),
    ("Naïve café.", "Café naïve.", {"UID": "order"}),
    ("The same.", "The same.", {"linguistics_term": "tie", "UID": "three"}),
    ("A new road.", "A new road here.", {}),
]


@pytest.fixture
def subject():
    model = replace(wetware.tiny("real_sam"), vocab_size=257).build(3)
    return Subject("tiny", model, Bytes().train([]), None, None, None)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"sentence_good": good, "sentence_bad": bad, **more} for good, bad, more in PAIRS]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


@torch.no_grad()
def total(model, sentence):
    tokens = [0, *(byte + 1 for byte in sentence.encode())]
    found = model(torch.tensor([tokens])).logits[0].double().log_softmax(-1)
    return sum(float(found[place, token]) for place, token in enumerate(tokens[1:]))


def test_accuracy_is_that_of_the_sums(subject, file):
    measure, shares = MinimalPairs(file=str(file)), []
    figures = measure.take(subject, shares.append)
    groups = {}
    for good, bad, more in PAIRS:
        name = more.get("phenomenon") or more.get("linguistics_term") or more.get("UID") or "unnamed"
        better = total(subject.model, good) - total(subject.model, bad)
        groups.setdefault(name, []).append(0.5 if good == bad else float(better > 0))
    assert set(figures["phenomena"]) == {"agreement", "order", "tie", "unnamed"}
    for name, points in groups.items():
        assert figures["phenomena"][name]["accuracy"] == pytest.approx(sum(points) / len(points)), name
        assert figures["phenomena"][name]["pairs"] == len(points)
    every = [point for points in groups.values() for point in points]
    assert figures["accuracy"] == pytest.approx(sum(every) / 7)
    assert {0.0, 0.5, 1.0} <= set(every)  # an untrained model prefers short sentences: all three happen here
    assert (figures["ties"], figures["phenomena"]["tie"]["ties"], figures["pairs"]) == (1, 1, 7)
    assert shares[-1] == 1.0
    read = json.loads(json.dumps(figures))
    assert read == figures
    assert measure.table(read).rows[-1][:2] == ("all", "7")


def test_the_first_of_each_phenomenon(subject, file):
    figures = MinimalPairs(file=str(file), max_per_phenomenon=1).take(subject, lambda share: None)
    assert {name: of["pairs"] for name, of in figures["phenomena"].items()} == {
        "agreement": 1,
        "order": 1,
        "tie": 1,
        "unnamed": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pairs"),
        ('{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": "a"}', r"line 2: no column 'sentence_bad'"),
        ('{"sentence_good": "a", "sentence_bad": 3}', r"line 1, sentence_bad: expected text, got int"),
        ('{"sentence_good": "", "sentence_bad": "b"}', r"line 1: a sentence is empty"),
        ("\nno json", r"line 2: not JSON"),
        ("[1]", r"line 1: expected an object"),
    ],
)
def test_files_that_are_wrong(text, message, subject, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        MinimalPairs(file=str(path)).take(subject, lambda share: None)


def test_a_file_that_is_not_there(subject, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.jsonl"):
        MinimalPairs(file=str(tmp_path / "none.jsonl")).take(subject, lambda share: None)
    assert "file of pairs" in MinimalPairs().refusal(subject)
