import pytest
import torch
from torch.nn import functional

import wetware
from wetware import ConstantPrograms, PermutedPrograms, ProgramSemantics, RandomPrograms
from wetware.config import with_
from wetware.parameters import initialize

from .subjects import PLACE, alone, context, part, vectors

PARTS = ((0, 1), (1, 4), (4, 9))


def test_the_formula():
    trait, z, seen = alone(ProgramSemantics(features=5, hidden=7)), vectors(), context()
    found = trait(z, (), seen).hidden
    for row, step in ((0, 0), (1, 8)):
        membrane = seen.activity[1].membrane[row, step]
        a = sum(torch.tanh(membrane[n]) * trait.programs[n] for n in range(PLACE.neurons)) / PLACE.neurons
        torch.testing.assert_close(trait.trace(z, (), seen)["programs"][row, step], a)
        mixed = torch.cat([PLACE.neurons**0.5 * a, trait.fc_features.weight @ z[row, step]])
        mixed = (mixed - mixed.mean()) / (mixed.var(correction=0) + 1e-5).sqrt()
        inner = functional.gelu(trait.fc_hidden.weight @ mixed)
        expected = z[row, step] + torch.tanh(trait.gate) * (trait.fc_out.weight @ inner)
        torch.testing.assert_close(found[row, step], expected)


def test_a_position_knows_no_other():
    trait, z, seen = alone(ProgramSemantics()), vectors(), context(starts=((0, 4),))
    whole = trait(z, (), seen).hidden
    parts = [trait(z[:, a:b], (), part(seen, a, b)).hidden for a, b in PARTS]
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_the_programs_are_those_that_set_the_neurons():
    model = with_(wetware.tiny("spikewhale"), "traits", (ProgramSemantics(),)).build(seed=0)
    assert torch.equal(model.traits.program_semantics.programs, model.modulators.gene_program.programs)


@pytest.mark.parametrize("kind", [PermutedPrograms, RandomPrograms, ConstantPrograms])
def test_a_control_reads_otherwise(kind):
    z, seen = vectors(), context()
    own, control = alone(ProgramSemantics()), alone(ProgramSemantics(programs=kind()))
    assert (own.trace(z, (), seen)["programs"] - control.trace(z, (), seen)["programs"]).abs().max() > 0.01
    assert (own(z, (), seen).hidden - control(z, (), seen).hidden).abs().max() > 0.01


def test_programs_weigh_as_much_as_features():
    """Neither half of what is normed together drowns the other."""
    trait, z, seen = ProgramSemantics().build(PLACE), vectors(8, 50), context(8, 50)
    initialize(trait, 0)
    ratio = PLACE.neurons**0.5 * trait.active(seen).std() / trait.fc_features(z).std()
    assert 0.3 < ratio < 3.0
