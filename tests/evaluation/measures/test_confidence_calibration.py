"""Calibration of a model whose confidence is known."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from wetware.evaluation.measures.confidence_calibration import ConfidenceCalibration
from wetware.models import LanguageModel, Output


class Sure(LanguageModel):
    """Always says one token, with one probability."""

    def __init__(self, vocab, token, probability):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab)
        logits = torch.zeros(vocab)
        logits[token] = math.log(probability / ((1 - probability) / (vocab - 1)))
        self.logits = torch.nn.Parameter(logits)

    def init_state(self, batch):
        return torch.zeros(batch, 1)

    def forward(self, tokens, state=None, *, signals=None):
        return Output(self.logits.expand(*tokens.shape, -1), torch.zeros(len(tokens), 1))


def test_error_is_the_gap_between_confidence_and_share_of_hits(subject):
    it = subject("gpt")
    text = [it.held_out.read_document(index)[1:] for index in range(it.held_out.documents)]
    token = int(text[0][0])
    share = sum((row == token).sum() for row in text) / sum(len(row) for row in text)
    assert 0.01 < share < 0.6
    sure = replace(it, model=Sure(it.tokenizer.vocab_size, token, 0.7))
    figures = ConfidenceCalibration().take(sure, lambda part: None)
    assert figures["expected_calibration_error"] == pytest.approx(0.7 - share, abs=1e-5)
    assert figures["accuracy"] == pytest.approx(share)
    assert [index for index, part in enumerate(figures["bins"]) if part["tokens"]] == [10]  # (10/15, 11/15] holds 0.7
    assert figures["tokens"] == sum(len(row) for row in text)


def test_errors_in_two_bins_do_not_cancel(subject):
    """An over-confident and an under-confident half: the mean confidence fits, the calibration does not."""
    it = subject("gpt")
    figures = ConfidenceCalibration().take(it, lambda part: None)
    parts = [part for part in figures["bins"] if part["tokens"]]
    by_hand = sum(part["tokens"] * abs(part["accuracy"] - part["confidence"]) for part in parts) / figures["tokens"]
    assert figures["expected_calibration_error"] == pytest.approx(by_hand)
    assert all(part["low"] < part["confidence"] <= part["high"] for part in parts)
