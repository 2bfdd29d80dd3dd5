"""A GPT becomes a larger kind of model that says the same, or is refused with the name of what would change it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

import wetware
from wetware.config import ConfigError, mechanisms
from wetware.data import Bytes
from wetware.layers import SelfAttention
from wetware.models import GPT, BioNanochat
from wetware.models.gpt import UntiedHead
from wetware.parameters import filled, normal, parameter
from wetware.plasticity import Memory, MemoryConfig, Recalled
from wetware.training.converting import SAME, convert, larger, probe

TOKENIZER = Bytes().train([])


@dataclass(frozen=True, kw_only=True)
class EchoOfValues(MemoryConfig):
    """A part for these tests: adds ``gain`` times the values, mixed by a drawn matrix. With a gain of 0 it is neutral."""

    gain: float = 0.0

    def build(self, *, width: int, heads: int) -> Memory:
        return _Echo(self.gain, width // heads)


class _Echo(Memory):
    wide = True

    def __init__(self, gain: float, size: int) -> None:
        super().__init__()
        self.gain = parameter(1, draw=filled(gain))
        self.mix = parameter(size, size, draw=normal(1.0))

    def init_state(self, batch: int) -> tuple:
        return ()

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: tuple, keep: Tensor) -> Recalled:
        if not self.wide and value.dtype == torch.float64:
            raise RuntimeError("float32 only")
        return Recalled(self.gain * value @ self.mix, ())


def trained(**fields) -> wetware.LanguageModel:
    """A GPT whose logits are as large as a trained one's."""
    config = GPT(width=24, depth=2, attention=SelfAttention(heads=2, window=40), **fields)
    config = replace(config, vocab_size=TOKENIZER.vocab_size, boundary=TOKENIZER.boundary)
    model = config.build(seed=3)
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(8)
    return model


def logits(model):
    with torch.inference_mode():
        return model(probe(model.config, TOKENIZER)).logits


@pytest.mark.parametrize("fields", [{}, {"head": UntiedHead(), "softcap": None, "expansion": 2.5}], ids=str)
def test_default_parts_change_no_logit(fields):
    model = trained(**fields)
    found = convert(model, larger(model.config, "bio_nanochat"), TOKENIZER, seed=5)
    assert type(found.model.config) is BioNanochat
    assert found.difference <= SAME[found.dtype]
    assert logits(model).abs().max() > 3
    torch.testing.assert_close(logits(found.model), logits(model), atol=1e-4, rtol=0)
    assert set(found.parts) <= set(mechanisms(found.model.config))
    ours = found.model.state_dict()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in model.state_dict().items())
    assert set(ours) == {*model.state_dict(), *found.new}


def test_new_parts_are_drawn_from_the_seed():
    model = trained()
    config = replace(larger(model.config, "bio_nanochat"), memory=EchoOfValues())
    one, same, other = (convert(model, config, TOKENIZER, seed=seed).model for seed in (1, 1, 2))
    assert torch.equal(one.blocks[0].memory.mix, same.blocks[0].memory.mix)
    assert not torch.equal(one.blocks[0].memory.mix, other.blocks[0].memory.mix)
    found = convert(model, config, TOKENIZER)
    assert "memory" in found.parts
    assert found.new["blocks.1.memory.mix"] == (12, 12)
    again = convert(found.model, config, TOKENIZER)  # what was converted may be again: nothing is new
    assert not again.new
    assert not again.parts


def test_a_part_that_is_not_neutral_is_named():
    model = trained()
    config = replace(larger(model.config, "bio_nanochat"), memory=EchoOfValues(gain=0.01))
    with pytest.raises(ConfigError, match=r"memory \(by .*--set model\.memory=none$"):
        convert(model, config, TOKENIZER)
    with pytest.raises(ConfigError, match="memory"):
        convert(model, config)  # on drawn tokens too
    with pytest.raises(ConfigError, match=r"model\.softcap is not what it was"):
        convert(model, replace(config, memory=None, softcap=None), TOKENIZER)


def test_a_part_that_knows_float32_alone_is_compared_in_it(monkeypatch):
    monkeypatch.setattr(_Echo, "wide", False)
    model = trained()
    config = larger(model.config, "bio_nanochat")
    found = convert(model, replace(config, memory=EchoOfValues()), TOKENIZER)
    assert found.dtype == torch.float32
    with pytest.raises(ConfigError, match="memory"):
        convert(model, replace(config, memory=EchoOfValues(gain=0.01)), TOKENIZER)


def test_nothing_trained_is_left_out():
    model = trained()
    config = replace(larger(model.config, "bio_nanochat"), memory=EchoOfValues())
    found = convert(model, config, TOKENIZER)
    with pytest.raises(ConfigError, match="no trained part can be left out"):
        convert(found.model, replace(config, memory=None), TOKENIZER)
    with pytest.raises(ConfigError, match="sizes cannot be changed"):
        convert(model, replace(config, width=28), TOKENIZER)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("gpt", "bio_nanchat", "did you mean 'bio_nanochat'"),
        ("gpt", "gru", "only bio_nanochat is a GPT"),
        ("gru", "gpt", "nothing is a GRU"),
        ("bio_nanochat", "gpt", "cannot become a GPT"),
    ],
)
def test_only_larger_kinds(name, kind, message):
    with pytest.raises(ConfigError, match=message):
        larger(wetware.tiny(name), kind)


def test_logits_that_are_no_numbers_are_no_agreement():
    model = trained()
    with torch.no_grad():
        model.blocks[0].mlp.up.weight[0, 0] = torch.nan
    with pytest.raises(ConfigError, match="logits would differ"):
        convert(model, larger(model.config, "bio_nanochat"), TOKENIZER)
