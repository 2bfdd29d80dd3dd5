"""Rates in coordinates that no step can leave."""

import pytest
import torch

from wetware.config import ConfigError
from wetware.parameters import initialize
from wetware.synapses import CalciumBuffer, Complexin, Doc2, Snare, SynapticEnergy
from wetware.synapses.kinetics import FREE, POSITIVE, QUARTER, SHARE, Rates


@pytest.mark.parametrize(
    ("bound", "value"),
    [(FREE, -3.0), (SHARE, 0.72), (QUARTER, 0.03), (QUARTER, 0.2), (POSITIVE, 0.05), (POSITIVE, 9.0)],
)
def test_values_come_back_from_their_coordinates(bound, value):
    rates = Rates(3, x=(value, bound))
    initialize(rates, 0)
    torch.testing.assert_close(rates()["x"], torch.full((3,), value), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", [Snare(), Complexin(), SynapticEnergy()], ids=lambda part: type(part).__name__)
def test_rate_and_cost_add_up_to_less_than_1(part):
    built = part.build(2)
    initialize(built, 0)
    letter = built.letter
    rates = built()
    torch.testing.assert_close(rates[f"r{letter}"], torch.full((2,), part.recovery))
    torch.testing.assert_close(rates[f"c{letter}"], torch.full((2,), part.cost))
    for seed in range(20):
        for parameter in built.parameters():
            parameter.data.copy_(10 * torch.randn(2, generator=torch.Generator().manual_seed(seed)))
        rates = {name: rate.double() for name, rate in built().items()}
        assert (rates[f"r{letter}"] + rates[f"c{letter}"] <= 1).all() and (rates[f"c{letter}"] >= 0).all()
    with pytest.raises(ConfigError):
        type(part)(recovery=0.5, cost=0.5)


@pytest.mark.parametrize("part", [CalciumBuffer(), Doc2()], ids=lambda part: type(part).__name__)
def test_parts_hold_the_values_they_were_given(part):
    built = part.build(2)
    initialize(built, 0)
    held = sorted(float(rate.detach()[0]) for rate in built().values())
    assert held == pytest.approx(sorted(vars(part).values()), rel=1e-5)
