"""The memory horizon of models whose memory is known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wetware.evaluation import Subject
from wetware.evaluation.measures.memory_horizon import MemoryHorizon
from wetware.models import LanguageModel, Output

PERIOD = 8


class Echo(LanguageModel):
    """Says, with probability 0.9, the token it read ``lag`` tokens ago; knows nothing before it has read so many."""

    def __init__(self, lag, vocab=10):
        super().__init__()
        self.lag, self.config = lag, SimpleNamespace(vocab_size=vocab)
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def init_state(self, batch):
        return torch.full((batch, self.lag), -1)

    def forward(self, tokens, state=None, *, signals=None):
        state = self.init_state(len(tokens)) if state is None else state
        row = torch.cat([state, tokens], 1)
        logits = torch.zeros(*tokens.shape, self.vocab_size)
        old = row[:, 1 : 1 + tokens.shape[1]]
        known = torch.nn.functional.one_hot(old.clamp_min(0), self.vocab_size) * (old >= 0)[..., None]
        return Output(logits + known * math.log(0.9 / (0.1 / (self.vocab_size - 1))), row[:, -self.lag :])


class Text:
    """Documents of which each repeats a period of ``PERIOD`` random tokens."""

    def __init__(self, documents=4, length=200):
        dice = np.random.default_rng(0)
        rows = [np.concatenate([[0], np.resize(dice.integers(1, 10, PERIOD), length - 1)]) for _ in range(documents)]
        self.row, self.lengths = np.concatenate(rows), np.full(documents, length)
        self.starts = np.arange(documents) * length

    def __len__(self):
        return len(self.row)

    def take(self, places):
        return self.row[places]


def subject_of(lag, text=None):
    text = text or Text()
    return Subject("echo", Echo(lag), SimpleNamespace(token_bytes=np.ones(10, int)), None, text, text)


def test_finds_the_memory_that_is_there():
    figures = MemoryHorizon(longest=64, targets=100).take(subject_of(PERIOD), lambda share: None)
    assert (figures["horizon"], figures["at_least"], figures["targets"]) == (PERIOD, False, 100)
    expected = [math.log(10) if context < PERIOD else -math.log(0.9) for context in figures["contexts"]]
    assert figures["nats"] == pytest.approx(expected, abs=1e-6)
    assert figures["bits_per_byte"][-1] == pytest.approx(-math.log2(0.9), abs=1e-6)


def test_a_memory_as_long_as_was_asked_is_at_least_that():
    figures = MemoryHorizon(longest=PERIOD, targets=100).take(subject_of(PERIOD), lambda share: None)
    assert (figures["horizon"], figures["at_least"]) == (PERIOD, True)
    assert "at least 8" in MemoryHorizon().table(figures).note


def test_a_difference_within_its_noise_is_none():
    """A model whose echo is as often wrong as it is right enough has no memory worth the name: at lag 5 of a period of 8."""
    figures = MemoryHorizon(longest=64, targets=100).take(subject_of(5), lambda share: None)
    worse_with_context = figures["nats"][0] < figures["nats"][-1]
    assert worse_with_context
    assert figures["horizon"] == 1


def test_windows_stay_inside_documents_and_short_texts_are_refused():
    longest, places = MemoryHorizon(longest=64, targets=100)._places(Text())
    assert longest == 64
    assert all((place % 200) > 64 for place in places)
    assert MemoryHorizon(longest=512)._places(Text())[0] == 128
    assert "too short" in MemoryHorizon().refusal(subject_of(2, Text(20, 2)))


@pytest.mark.parametrize("name", ["real_sam", "gpt"])
def test_losses_are_those_of_a_model_that_read_only_the_window(name, subject):
    it = subject(name)
    figures = MemoryHorizon(longest=16, targets=40).take(it, lambda share: None)
    _, places = MemoryHorizon(longest=16, targets=40)._places(it.held_out)
    for context, nats in zip(figures["contexts"], figures["nats"], strict=True):
        total = 0.0
        for place in places:
            window = torch.from_numpy(it.held_out.tokens(place - context, place + 1))
            with torch.no_grad():
                total -= float(it.model(window[None, :-1]).logits[0, -1].log_softmax(0)[window[-1]])
        assert nats == pytest.approx(total / len(places), rel=1e-4)
