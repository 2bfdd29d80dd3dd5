import itertools
import math

import torch

from wetware.evaluation.inspection import Wiring, assortativity, strengths


def test_assortativity_by_hand():
    belongs = torch.tensor([0, 0, 1, 1, 2])
    weights = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    pairs = [(i, j) for i, j in itertools.product(range(5), repeat=2) if i != j]
    within = [abs(float(weights[i, j])) for i, j in pairs if belongs[i] == belongs[j]]
    between = [abs(float(weights[i, j])) for i, j in pairs if belongs[i] != belongs[j]]
    found = assortativity(weights, belongs, deals=50)
    assert math.isclose(found.within, sum(within) / len(within), rel_tol=1e-6)
    assert math.isclose(found.between, sum(between) / len(between), rel_tol=1e-6)


def test_blocks_are_seen_and_chance_is_not():
    belongs = torch.arange(60) % 6
    chance = torch.randn(60, 60, generator=torch.Generator().manual_seed(2))
    blocks = chance * (1 + 2 * (belongs[:, None] == belongs[None]))
    assert assortativity(blocks, belongs, 199).p == 1 / 200
    assert assortativity(blocks, belongs, 199).ratio > 2
    assert assortativity(chance, belongs, 199).p > 0.02
    assert assortativity(chance, torch.zeros(60, dtype=torch.long), 19).p == 1.0  # one program: nothing to compare


def test_strengths():
    weights = torch.tensor([[0.0, 3.0], [4.0, 0.0]])
    assert strengths(weights).tolist() == [7.0, 7.0]
    assert strengths(torch.tensor([[0.0, 3.0], [0.0, 4.0]])).tolist() == [3.0, 9.0]


def test_needs_programs_and_recurrence(whale, subject):
    figures = Wiring(deals=19).take(whale, lambda _: None)
    assert set(figures["layers"]) == {"0", "1"}
    assert Wiring().refusal(whale) is None
    assert "gene programs" in Wiring().refusal(subject("real_sam"))
    assert "gene programs" in Wiring().refusal(subject("gpt"))
