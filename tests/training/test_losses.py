"""Held-out loss: the measure that everything is compared by."""

import math

import numpy as np
import pytest
import torch

import wetware
from wetware.config import ConfigError
from wetware.data import Bytes, Needle, TextFiles, prepare
from wetware.training import AfterMark, EveryToken, held_out_loss
from wetware.training.losses import Score, cross_entropy


def test_score():
    score = Score(nats=math.log(2) * 30, tokens=10, bytes=15)
    assert score.bits_per_byte == pytest.approx(2.0)
    assert score.bits_per_token == pytest.approx(3.0)
    assert score.perplexity == pytest.approx(8.0)


@pytest.fixture(scope="module")
def text(tiny_text):
    return prepare(TextFiles(path=str(tiny_text), held_out=0.2), Bytes())


def model_for(tokenizer, name="real_sam"):
    from dataclasses import replace

    return replace(wetware.tiny(name), vocab_size=tokenizer.vocab_size, boundary=tokenizer.boundary).build()


@pytest.mark.parametrize("name", ["real_sam", "gpt"])
@torch.no_grad()
def test_equals_reading_each_document_alone(text, name):
    """Rows of unlike length side by side, in chunks, with carried state = each document by itself in one piece."""
    tokenizer, _, held_out = text
    model = model_for(tokenizer, name)
    nats = tokens = 0
    for index in range(held_out.documents):
        document = torch.as_tensor(held_out.read_document(index))[None]
        nats += float(cross_entropy(model(document[:, :-1]).logits, document[:, 1:])) * (document.shape[1] - 1)
        tokens += document.shape[1] - 1
    score = held_out_loss(model, held_out, tokenizer.token_bytes, chunk=37, rows=3)
    assert score.tokens == tokens
    assert score.bytes == held_out.source_bytes
    assert score.nats == pytest.approx(nats, rel=1e-5)


def test_fresh_state_forgets(text):
    tokenizer, _, held_out = text
    model = model_for(tokenizer)
    fresh = [held_out_loss(model, held_out, tokenizer.token_bytes, chunk=size, carried=False).nats for size in (5, 50)]
    carried = [held_out_loss(model, held_out, tokenizer.token_bytes, chunk=size).nats for size in (5, 50)]
    assert carried[0] == pytest.approx(carried[1], rel=1e-5)
    assert abs(fresh[0] - fresh[1]) > 1e-3


def test_rates_and_limit(text):
    tokenizer, _, held_out = text
    score = held_out_loss(model_for(tokenizer), held_out, tokenizer.token_bytes, limit=200)
    assert len(score.rates) == 2
    assert all(0 <= rate <= 1 for rate in score.rates)
    assert 100 < score.tokens <= 260


def test_a_uniform_model_scores_the_logarithm_of_its_vocabulary(text):
    tokenizer, _, held_out = text

    class Uniform(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, tokens, state=None):
            return wetware.Output(torch.zeros(*tokens.shape, 257), (torch.zeros(len(tokens), 1),))

    score = held_out_loss(Uniform(), held_out, tokenizer.token_bytes)
    assert score.bits_per_byte == pytest.approx(np.log2(257), rel=1e-5)


# ------------------------------------------------------------------------------------------------------- counted targets


class Table(torch.nn.Module):
    """A model whose logits depend on the input token alone."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(257, 257, generator=torch.Generator().manual_seed(0)))

    def forward(self, tokens, state=None):
        return wetware.Output(self.table[tokens], (torch.zeros(len(tokens), 1),))


def test_only_counted_targets_have_a_loss_and_a_gradient():
    logits = torch.randn(3, 5, 7, requires_grad=True)
    targets, counted = torch.randint(7, (3, 5)), torch.zeros(3, 5, dtype=torch.bool)
    counted[0, 2] = counted[2, 4] = True
    loss = cross_entropy(logits, targets, counted)
    loss.backward()
    assert loss.item() == pytest.approx(cross_entropy(logits[counted], targets[counted]).item(), rel=1e-6)
    assert torch.equal(logits.grad.abs().sum(-1) > 0, counted)
    assert cross_entropy(logits, targets, torch.ones_like(counted)).item() == pytest.approx(
        cross_entropy(logits, targets).item(), rel=1e-6
    )


def test_a_chunk_without_counted_targets_costs_nothing():
    logits = torch.randn(2, 5, 7, requires_grad=True)
    loss = cross_entropy(logits, torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("limit", [None, 60])
@torch.no_grad()
def test_held_out_score_of_what_is_counted(limit):
    """Answers at the ends of documents longer than a chunk: all are found, also under a limit, and nothing else counts."""
    task = Needle(count=20, held_out=30, shortest=30, longest=90)
    tokenizer, _, held_out = prepare(task, Bytes())
    model, rule = Table(), AfterMark().rule(tokenizer)
    score = held_out_loss(model, held_out, tokenizer.token_bytes, chunk=16, rows=4, limit=limit, rule=rule)
    wanted = [text[-1] for text in task.documents("validation")]
    wanted = wanted[:1] if limit else wanted  # a limit of one document's length
    assert score.tokens == score.bytes == len(wanted)
    row = torch.log_softmax(model.table[tokenizer.encode("=")[0]], -1)
    nats = -sum(float(row[tokenizer.encode(answer)[0]]) for answer in wanted)
    assert score.nats == pytest.approx(nats, rel=1e-5)
    assert score.bits_per_byte == score.bits_per_token


def test_a_mark_must_be_one_token():
    tokenizer = Bytes().train([])
    with pytest.raises(ConfigError, match="AfterMark.marks: 'é' is 2 tokens of the tokenizer, expected one"):
        AfterMark(marks="=é").rule(tokenizer)
    assert EveryToken().rule(tokenizer) is None
