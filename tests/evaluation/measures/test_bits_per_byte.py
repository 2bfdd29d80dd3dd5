"""Bits per byte against a computation of its own: raw text, token by token."""

import math

import pytest
import torch

from wetware.evaluation.measures.bits_per_byte import BitsPerByte


@pytest.mark.parametrize("name", ["real_sam", "gpt"])
def test_equals_an_independent_computation_on_raw_bytes(name, subject):
    it = subject(name)
    figures = BitsPerByte(context=16).take(it, lambda share: None)
    for kind, every in (("carried", None), ("fresh", 16)):
        nats, tokens, size = 0.0, 0, 0
        for text in it.corpus.documents("validation"):
            state = it.model.init_state(1)
            before = it.tokenizer.boundary
            for index, token in enumerate(it.tokenizer.encode(text)):
                if every and index % every == 0:
                    state = it.model.init_state(1)
                with torch.no_grad():
                    output = it.model.step(torch.tensor([before]), state)
                nats -= float(output.logits[0].double().log_softmax(0)[token])
                state, before, tokens = output.state, token, tokens + 1
            size += len(text.encode("utf-8"))
        assert size > 900
        assert figures[kind]["bytes"] == size
        assert figures[kind]["tokens"] == tokens
        assert figures[kind]["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)
        assert figures[kind]["bits_per_token"] == pytest.approx(nats / math.log(2) / tokens, rel=1e-5)
        assert figures[kind]["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)


def test_a_limit_of_the_subject_goes_before_that_of_the_measure(subject):
    it = subject("gpt", limit=128)
    assert BitsPerByte(limit=200).take(it, lambda share: None)["carried"]["tokens"] == 128


def test_table(subject):
    figures = BitsPerByte().take(subject("gpt"), lambda share: None)
    table = BitsPerByte().table(figures)
    assert [row[0] for row in table.rows][:2] == ["state carried", "fresh every 64 tokens"]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert "Witten-Bell bigram" in [row[0] for row in table.rows]
