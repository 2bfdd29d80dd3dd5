import itertools

import torch

from wetware.evaluation.firing import firing
from wetware.evaluation.inspection import (
    FeatureRank,
    GradientFlow,
    ProgramRates,
    SpikeIntervals,
    layers_of,
    observe,
)
from wetware.evaluation.inspection.observation import SPAN, Observing
from wetware.modulation import dominant
from wetware.training import held_out_walk


def nothing(_):
    pass


def by_hand(whale, limit):
    """Spikes and membranes of each layer, [documents][T, N], of the whole walk in one chunk."""
    parts = []
    for reading in held_out_walk(whale.model, whale.held_out, limit=limit, chunk=min(SPAN, limit), rows=8):
        for row, there in enumerate(reading.counted):
            parts.append([(layer.spikes[row][there], layer.membrane[row][there]) for layer in reading.output.activity])
    return parts


def test_rates_intervals_and_surrogates_are_those_of_a_loop(whale):
    seen, parts = observe(whale, 600, nothing), by_hand(whale, 600)
    assert seen.tokens == sum(len(part[0][0]) for part in parts)
    for index, (did, layer) in enumerate(zip(seen.layers, layers_of(whale.model), strict=True)):
        torch.testing.assert_close(did.rate, firing(whale, 600, nothing).rates[index])
        lengths: list[int] = []
        of: dict[int, list[int]] = {}
        for part in parts:
            for neuron, spikes in enumerate(part[index][0].T):
                times = spikes.nonzero()[:, 0].tolist()
                found = [b - a for a, b in itertools.pairwise(times)]
                lengths += found
                of.setdefault(neuron, []).extend(found)
        assert lengths, "a silent layer tests nothing"
        assert did.intervals.tolist() == [lengths.count(length) for length in range(SPAN)]
        assert did.interval_moments[0].tolist() == [len(of[neuron]) for neuron in range(len(of))]
        assert did.interval_moments[2].tolist() == [sum(x * x for x in of[neuron]) for neuron in range(len(of))]
        membranes, threshold = torch.cat([part[index][1] for part in parts]), layer.params.threshold
        u = (membranes - threshold) / threshold
        assert abs(did.near - float((u.abs() < 0.5).double().mean())) < 1e-6  # slope 2
        slope = (1 + 2 * u.abs()).pow(-2) / threshold
        assert abs(did.slope - float(slope.double().mean())) < 1e-6


def test_an_observation_is_reused(whale):
    seen = observe(whale, 300, nothing)
    brought = Observing(**vars(whale), seen=seen)
    for question in (ProgramRates(), SpikeIntervals(), GradientFlow(), FeatureRank()):
        assert question.take(brought, nothing)["tokens"] <= 300 < ProgramRates().take(whale, nothing)["tokens"]


def test_programs(whale):
    programs = layers_of(whale.model)[0].programs
    belongs = dominant(programs)
    assert belongs.tolist() == [int((row[:6] + row[6:12] + row[12:]).argmax()) for row in programs]
    figures = ProgramRates(limit=400).take(whale, nothing)
    seen = observe(whale, 400, nothing)
    for layer, did in zip(figures["layers"], seen.layers, strict=True):
        assert sum(layer["neurons"]) == len(belongs)
        mean = sum(n * rate for n, rate in zip(layer["neurons"], layer["rate"], strict=True) if n) / len(belongs)
        assert abs(mean - float(did.rate.mean())) < 1e-9
    assert len(ProgramRates().table(figures).rows) == 6


def test_growth_and_rank(whale):
    figures = GradientFlow(limit=400).take(whale, nothing)
    for line, layer in zip(figures["layers"], layers_of(whale.model), strict=True):
        largest = float(torch.linalg.svdvals(layer.recurrent.detach())[0])
        assert abs(line["spectral_norm"] - largest) < 1e-5
        assert abs(line["growth"] - (float(layer.params.decay.mean()) + largest * line["surrogate"])) < 1e-6
    measure = FeatureRank()
    basis = torch.linalg.qr(torch.randn(50, 50, generator=torch.Generator().manual_seed(0)))[0]
    flat = basis[:, :4] - basis[:, :4].mean(0)
    flat = torch.linalg.qr(flat)[0]  # four equal directions about the mean, in 9 dimensions
    rank = measure._rank(torch.cat([flat, torch.zeros(50, 5)], 1))
    assert abs(rank["effective_rank"] - 4.0) < 1e-3
    assert rank["directions"] == 4


def test_a_coin_has_the_variation_of_a_coin():
    """The interval's coefficient of variation of coins is sqrt(1 - rate)."""
    from wetware.evaluation.inspection.observation import Observation, Observed

    spikes = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(1)) < torch.tensor([0.1, 0.5, 0.9])
    moments = torch.zeros(3, 3, dtype=torch.float64)
    for neuron in range(3):
        lengths = spikes[:, neuron].nonzero()[:, 0].diff().double()
        moments[:, neuron] = torch.stack([torch.tensor(float(len(lengths))), lengths.sum(), lengths.square().sum()])
    did = Observed(spikes.double().mean(0), torch.ones(5).long(), moments, None, None, torch.zeros(1, 3))
    brought = Observing(*[None] * 6, seen=Observation(40_000, (did,)))
    (layer,) = SpikeIntervals().take(brought, nothing)["layers"]
    expected = torch.tensor([0.9, 0.5, 0.1]).double().sqrt()
    torch.testing.assert_close(torch.tensor(layer["variations"]).double(), expected, atol=0.03, rtol=0)
    assert abs(layer["against_chance"] - 1.0) < 0.05
