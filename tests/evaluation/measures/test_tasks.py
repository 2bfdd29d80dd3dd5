"""Measures of memory tasks: a machine that remembers everything scores all, one that cannot scores what guessing gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch

import wetware
from wetware.data import BPE, AssociativeRecall, Bytes, Copying, Needle, Sotu, Tokenizer, VariableBinding
from wetware.evaluation.measure import Subject
from wetware.evaluation.measures import measure
from wetware.evaluation.shares import wilson
from wetware.evaluation.tasks import ask, verdict

ASK, QUESTION = ord("=") + 1, ord("?") + 1
SMALL = ord("a") - ord("A")


class Memory(NamedTuple):
    after: torch.Tensor  # [B, 257]: the token that last followed each token
    last: torch.Tensor  # [B]: the last token
    asked: torch.Tensor  # [B]: 1 from the first question on


class Machine(torch.nn.Module):
    """Remembers which token followed which, and after an ask mark says what followed the token before it, after a capital
    what followed its small letter. Forgets all after ``span`` tokens."""

    vocab_size = 257

    def __init__(self, span=None):
        super().__init__()
        self.span, self.weight, self.lengths = span, torch.nn.Parameter(torch.zeros(1)), []

    def init_state(self, batch):
        return Memory(torch.zeros(batch, 257, dtype=torch.long), *torch.zeros(2, batch, dtype=torch.long))

    def forward(self, tokens, state):
        self.lengths.append(tokens.numel())
        after, last, asked = (part.clone() for part in state)
        rows, logits = torch.arange(len(tokens)), torch.zeros(*tokens.shape, 257)
        for step, token in enumerate(tokens.T):
            if self.span and step and step % self.span == 0:
                after.zero_()
            key = torch.where(token == ASK, last, token + SMALL)
            logits[rows, step, after[rows, key.clamp_max(256)]] = 1.0
            asked = asked | (token == QUESTION).long()  # questions and their answers are not learned from
            after[rows, last] = torch.where(asked.bool(), after[rows, last], token)
            last = token
        return wetware.Output(logits, Memory(after, last, asked))


def subject(corpus, model=None, tokenizer: Tokenizer | None = None):
    tokenizer = tokenizer or Bytes().train([])
    return Subject("machine", model or Machine(), tokenizer, corpus, None, None)  # ty: ignore[invalid-argument-type]


def taken(name, corpus, model=None, **fields):
    asked = measure(name)(**fields)
    done = []
    figures = asked.take(subject(corpus, model), done.append)
    assert done == sorted(done) and done[-1] == pytest.approx(1.0)
    return figures, asked.table(json.loads(json.dumps(figures)))


def test_a_memory_that_holds_all_solves_recall():
    figures, table = taken("associative_recall_accuracy", AssociativeRecall(), questions=64)
    assert [point["size"] for point in figures["points"]] == [2, 4, 8, 16, 24]
    assert all(point["accuracy"] == 1.0 and point["questions"] == 64 for point in figures["points"])
    assert [point["beyond_training"] for point in figures["points"]] == [False, False, False, True, True]
    assert figures["trained"] and figures["trained_sizes"] == [2, 8]
    assert table.note == "solved up to pairs 24, the largest asked, above chance still at pairs 24"
    assert [row[-1] for row in table.rows] == ["yes"] * 3 + ["beyond"] * 2


def test_sizes_end_with_the_keys_there_are():
    figures, _ = taken("associative_recall_accuracy", AssociativeRecall(keys=9), questions=8)
    assert [point["size"] for point in figures["points"]] == [2, 4, 8]


def test_a_needle_is_found_across_chunks_and_memory_does_not_grow():
    machine = Machine()
    figures, _ = taken("needle_accuracy", Needle(), machine, questions=8, longest=1024)
    assert [(p["size"], p["depth"]) for p in figures["points"][-3:]] == [(1024, 0.1), (1024, 0.5), (1024, 0.9)]
    assert all(point["accuracy"] == 1.0 for point in figures["points"])
    assert max(machine.lengths) == 8 * 512


def test_what_forgets_fails_where_it_forgets():
    figures, table = taken("needle_accuracy", Needle(), Machine(span=70), questions=32, longest=256)
    right = {(point["size"], point["depth"]): point["accuracy"] for point in figures["points"]}
    assert right[64, 0.1] == 1.0 and right[256, 0.1] == right[256, 0.5] == 0.0
    assert right[128, 0.9] == 1.0
    assert table.note.startswith("solved up to length 64, ")


def test_an_untrained_model_says_so():
    figures, table = taken("variable_binding_accuracy", Sotu(), Machine(span=1), questions=64)
    assert figures["trained"] is False and figures["trained_sizes"] is None
    assert table.note.startswith("untrained on this task: at chance is expected; not solved at any variables")
    assert not any(point["beyond_training"] for point in figures["points"])
    assert figures["task"] == VariableBinding().to_dict()


def test_copying_asks_every_character():
    figures, _ = taken("copying_accuracy", Copying(), questions=128)
    assert [point["questions"] for point in figures["points"]] == [128, 128, 256, 512, 1024, 2048]
    assert figures["points"][-1]["chance"] < figures["points"][0]["chance"]
    assert figures["points"][-1]["accuracy"] < 0.5  # the machine knows what follows what, not where


def test_chance_is_what_guessing_the_commonest_value_scores():
    examples = list(replace(AssociativeRecall(), queries=1).examples(4, 4000))
    hits = sum(max("0123456789", key=e.context[1::2].count) == e.questions[-1] for e in examples)
    mean = sum(example.chance for example in examples) / len(examples)
    assert hits / len(examples) == pytest.approx(mean, abs=0.025)


def test_texts_in_pieces_are_texts_in_one():
    config = replace(wetware.tiny("gpt"), vocab_size=257)
    model, tokenizer = config.build(seed=1), Bytes().train([])
    with torch.no_grad():
        model.table.mul_(30)
    examples = list(Copying().examples(12, 40))
    tallies = {
        ask(model, tokenizer, examples, Copying.marks, chunk=chunk, rows=rows) for chunk, rows in ((512, 64), (7, 3))
    }
    assert len(tallies) == 1


def test_every_tokenizer_of_bytes_can_be_asked_and_another_refuses():
    bpe = BPE(vocab_size=270).train(["k3d7a1?d=7k=3"] * 9)
    assert measure("associative_recall_accuracy")().refusal(subject(Sotu(), tokenizer=bpe)) is None

    class Words(type(Bytes().train([]))):
        def encode_batch(self, texts):
            return [[1, 2] if text == "?" else super(Words, self).encode_batch([text])[0] for text in texts]

    reason = measure("needle_accuracy")().refusal(subject(Needle(), tokenizer=Words()))
    assert reason == "the tokenizer has no single token for '?', so the text of Needle cannot be written to this model"


def row(size, accuracy, chance=0.1):
    low, high = wilson(round(200 * accuracy), 200)
    return {"size": size, "accuracy": accuracy, "low": low, "high": high, "chance": chance}


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((1.0, 0.95, 0.5, 0.1), "solved up to pairs 4, at chance from pairs 16"),
        ((1.0, 0.5, 0.95, 0.1), "solved up to pairs 2, at chance from pairs 16"),
        ((0.5, 0.1, 0.1, 0.1), "not solved at any pairs of the sweep, at chance from pairs 4"),
        ((0.1, 0.1, 0.1, 0.3), "not solved at any pairs of the sweep, above chance still at pairs 16"),
    ],
)
def test_the_verdict_says_where_it_fails(accuracies, said):
    rows = [row(size, accuracy) for size, accuracy in zip((2, 4, 8, 16), accuracies, strict=True)]
    assert verdict(rows, "pairs", trained=True) == said


def test_the_fields_of_a_measure_move_its_figures():
    task, machine = Needle(), Machine(span=40)
    base = measure("needle_accuracy")(questions=16, longest=64)

    def figures(asked):
        return asked.take(subject(task, machine), lambda share: None)

    texts = [[e.text for e in asked.examples(task, asked.points(task)[0])] for asked in (base, replace(base, seed=1))]
    assert texts[0] != texts[1]
    assert figures(base) == figures(base)
    assert [p["questions"] for p in figures(replace(base, questions=8))["points"]] == [8] * 6
    assert len(figures(replace(base, longest=32))["points"]) == 3
