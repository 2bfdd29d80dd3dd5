"""Encoders: a binary code learned straight through, and its real-valued control."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.config import kinds
from wetware.kernels import rms_norm
from wetware.layers import CurrentEncoder, Encoder, STESpikes
from wetware.layers.spike_encoder import DEVIATION
from wetware.parameters import EMBEDDING, initialize, role


def built(config, vocab_size=50, width=16):
    made = config.build(vocab_size=vocab_size, width=width)
    initialize(made, 0)
    return made


@pytest.mark.parametrize("rate", [0.05, 0.25, 0.5, 0.9])
def test_rate_is_the_share_of_bits_that_fire_at_the_start(rate):
    encoder = built(STESpikes(bits=400, rate=rate), vocab_size=500)
    with torch.no_grad():
        code = encoder.config.code(encoder.table / DEVIATION)
    assert set(code.unique().tolist()) == {0.0, 1.0}
    assert code.mean().item() == pytest.approx(rate, abs=0.006)


def test_a_bit_fires_above_its_shift_by_hand():
    vectors = torch.tensor([-0.1, 0.0, 1e-3, 2.0])
    assert STESpikes(rate=0.5).code(vectors).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_straight_through_gradient_is_that_of_the_sigmoid():
    vectors = torch.tensor([-2.0, 0.3, 1.5], dtype=torch.float64, requires_grad=True)
    config, shift = STESpikes(rate=0.25), -0.6744897501960817
    weights = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)
    code = config.code(vectors)
    (code * weights).sum().backward()
    p = torch.sigmoid(vectors.detach() + shift)
    torch.testing.assert_close(vectors.grad, weights * p * (1 - p))
    torch.testing.assert_close(code.detach(), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))


def test_training_and_inference_see_one_code():
    encoder = built(STESpikes(bits=64))
    tokens = torch.arange(50)[None]
    learning = encoder(tokens)
    with torch.no_grad():
        fixed = encoder(tokens)
    torch.testing.assert_close(learning.detach(), fixed, atol=1e-5, rtol=0)
    assert learning.requires_grad


@pytest.mark.parametrize("config", [STESpikes(bits=24), CurrentEncoder(bits=24)], ids=["spikes", "current"])
def test_encoder(config):
    encoder = built(config)
    tokens = torch.tensor([[3, 4, 3], [0, 49, 4]])
    out = encoder(tokens)
    assert out.shape == (2, 3, 16) and encoder.table.shape == (50, 24) and role(encoder.table) == EMBEDDING
    assert torch.equal(out[0, 0], out[0, 2]) and torch.equal(out[0, 1], out[1, 2])
    assert not torch.allclose(out[0, 0], out[0, 1])
    code = config.code(encoder.table / DEVIATION)[tokens]
    torch.testing.assert_close(out, rms_norm(code @ encoder.project.weight.T))
    out.square().sum().backward()
    read = sorted(set(tokens.flatten().tolist()))
    assert encoder.table.grad.abs().sum(1).nonzero().flatten().tolist() == read


def test_the_control_passes_the_vector_on():
    vectors = torch.randn(3, 4)
    assert CurrentEncoder().code(vectors) is vectors
    assert set(kinds(Encoder)) == {"STESpikes", "CurrentEncoder"}


def test_tables_start_small():
    assert built(CurrentEncoder(bits=100), vocab_size=400).table.std().item() == pytest.approx(0.05, rel=0.02)
    assert math.isclose(DEVIATION, 0.05)
