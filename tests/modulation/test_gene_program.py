"""Gene programs: the map on parameters, its bounds, its controls."""

import math

import pytest
import torch

from wetware.cell import save_effects
from wetware.config import ConfigError, with_
from wetware.models import SpikeWhale
from wetware.modulation import (
    NEUTRAL,
    PROGRAMS,
    CellPrograms,
    ConstantPrograms,
    FreeNeurons,
    GeneProgram,
    PermutedPrograms,
    ProgramFile,
    RandomPrograms,
)
from wetware.modulation.effects import Effects, program_matrix
from wetware.modulation.gene_program import Exponents, box, moved
from wetware.neurons import NeuronParams
from wetware.parameters import initialize


def start(size: int) -> NeuronParams:
    return NeuronParams(torch.full((size,), 0.9), torch.ones(size), torch.ones(size))


def bridge(size: int = 40, **fields):
    made = GeneProgram(**fields).build(size=size)
    initialize(made, 0)
    return made


def test_the_formula():
    made = bridge()
    params = made(start(40), NEUTRAL)
    P = made.programs.double()
    direction = torch.zeros(18, dtype=torch.float64)
    direction[1::6] = 1.0  # neuron_identity is the second program of each draw of genes
    drive = P @ direction
    torch.testing.assert_close(params.threshold.double(), (-0.10 * drive).exp().clamp(0.25, 3.0), atol=1e-5, rtol=0)
    decay = torch.sigmoid(math.log(9.0) + 0.30 * drive).clamp(0.5, 0.97)
    torch.testing.assert_close(params.decay.double(), decay, atol=1e-5, rtol=0)
    torch.testing.assert_close(params.gain.double(), (0.10 * drive).exp().clamp(0.3, 3.0), atol=1e-5, rtol=0)


def test_strengths_of_nothing_leave_neurons_alike():
    made = bridge(threshold=0.0, decay=0.0, gain=0.0)
    params = made(start(40), NEUTRAL)
    torch.testing.assert_close(params, start(40), atol=1e-6, rtol=0)


def test_bounds_hold_and_let_neurons_back():
    exponents = Exponents(*(torch.tensor([-3.9, 0.0, 3.9], requires_grad=True) for _ in range(3)))
    params = moved(start(3), exponents)
    torch.testing.assert_close(params.threshold, torch.tensor([0.25, 1.0, 3.0]))
    torch.testing.assert_close(params.decay, torch.tensor([0.50, 0.9, 0.97]))
    torch.testing.assert_close(params.gain, torch.tensor([0.30, 1.0, 3.0]))
    (params.threshold.sum() + params.decay.sum() + params.gain.sum()).backward()
    for exponent in exponents:
        assert exponent.grad is not None and (exponent.grad != 0).all()


def test_what_is_far_outside_gets_no_gradient():
    exponent = torch.tensor([4.5, -4.5, 1.0], requires_grad=True)
    box(exponent, torch.tensor(-1.4), torch.tensor(1.1)).sum().backward()
    assert exponent.grad.tolist() == [0.0, 0.0, 1.0]


def test_gradients_of_strengths_are_those_of_the_formula():
    """Inside the bounds, against finite differences in float64."""
    made = bridge(size=6, threshold=-0.05, decay=0.05, gain=0.05).double()
    params = NeuronParams(*(value.double() * factor for value, factor in zip(start(6), (0.9, 1.0, 1.0), strict=True)))

    def outcome(*strengths):
        exponents = Exponents(*(made.programs @ strength for strength in strengths))
        out = moved(params, exponents)
        return out.threshold.square().sum() + out.decay.sum() * 3.0 + out.gain.sin().sum()

    strengths = tuple(0.01 * torch.randn(18, dtype=torch.float64).requires_grad_() for _ in range(3))
    strengths = tuple(strength.detach().requires_grad_() for strength in strengths)
    assert torch.autograd.gradcheck(outcome, strengths)


def drawn(programs, seed=0):
    made = GeneProgram(programs=programs).build(size=50)
    initialize(made, seed)
    return made.programs


def test_controls_are_what_they_say():
    real = drawn(CellPrograms())
    assert torch.equal(real, drawn(CellPrograms(), seed=5)), (
        "the cell's programs do not hang on the seed of the weights"
    )
    assert not torch.equal(real, drawn(CellPrograms(seed=1)))
    permuted = drawn(PermutedPrograms())
    assert not torch.equal(permuted, real)
    assert sorted(map(tuple, permuted.tolist())) == sorted(map(tuple, real.tolist())), "the same rows in another order"
    assert not torch.equal(permuted, drawn(PermutedPrograms(), seed=1))
    random = drawn(RandomPrograms())
    assert abs(float(random.std()) - 1.0) < 0.1 and random.abs().max() <= 3.0
    constant = drawn(ConstantPrograms())
    assert torch.equal(constant, real[:1].expand(50, -1))


def test_free_neurons_start_as_spread_as_the_bridge():
    free = FreeNeurons().build(size=4000)
    initialize(free, 0)
    with torch.no_grad():
        spread = [float(exponent.std()) for exponent in free.exponents()]
        bridged = [float(exponent.std()) for exponent in bridge(size=4000).exponents()]
    assert spread == pytest.approx([0.17, 0.52, 0.17], rel=0.05)
    assert spread == pytest.approx(bridged, rel=0.15)


def test_a_file_of_effects(tmp_path):
    scores = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    effects = Effects(tuple(f"G{index}" for index in range(9)), PROGRAMS, scores, "real")
    path = tmp_path / "effects.safetensors"
    save_effects(effects, path)
    text = f"ProgramFile(path={path}, seed=4)"
    config = with_(SpikeWhale(), "modulators.gene_program.programs", text)
    programs = config.modulators[0].programs
    assert torch.equal(drawn(programs), program_matrix(50, 3, 4, effects).matrix)
    other = tmp_path / "other.safetensors"
    save_effects(effects._replace(programs=("a", "b", "c", "d", "e", "f")), other)
    with pytest.raises(ConfigError, match="expected cell_division"):
        drawn(ProgramFile(path=str(other)))
