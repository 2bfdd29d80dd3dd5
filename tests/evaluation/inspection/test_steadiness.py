"""Steadiness finds a model that reads one way as a whole and another way in pieces, or that leaves a trace."""

import pytest
import torch

import wetware
from wetware.evaluation.inspection import Steadiness


@pytest.mark.parametrize("kind", ["bio_nanochat", "gpt", "gru"])
def test_models_are_steady(subject, kind):
    measure, given = Steadiness(tokens=40), subject(kind)
    figures = measure.take(given, lambda share: None)
    assert figures["tokens"] == 40 and figures["token_by_token"] < 1e-4 < figures["largest_logit"]
    assert figures["read_twice_equal"] and figures["changed"] == [] and figures["tensors"] > 5
    assert figures["bytes"] == sum(each.nbytes for each in (*given.model.parameters(), *given.model.buffers()))
    assert [row[-1] for row in measure.table(figures).rows] == ["yes"] * 3


class Unsteady(torch.nn.Module):
    """A wrapper that remembers how often it was called, and adds that to every logit."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, tokens, state=None):
        output = self.model(tokens, state)
        self.calls += 1
        return output._replace(logits=output.logits + self.calls)


def test_one_that_is_not_is_found_out(subject):
    from dataclasses import replace

    given = subject("gpt")
    measure, unsteady = Steadiness(tokens=20), replace(given, model=Unsteady(given.model))
    figures = measure.take(unsteady, lambda share: None)
    assert figures["token_by_token"] > 1 and not figures["read_twice_equal"] and figures["changed"] == ["calls"]
    assert [row[-1] for row in measure.table(figures).rows] == ["NO"] * 3
    assert wetware.tiny("gpt")  # what was wrapped is as it was
