"""The benchmark of writing reports everybody, and the comparison in it tells a tie from a fault."""

import json

import pytest
import torch

import wetware
from wetware.models.engines import engines
from wetware.models.generation import Sampling
from wetware.state import clone
from wetware.training import checkpoint

SMALL = ["--width", "32", "--depth", "2", "--vocabulary", "67", "--rounds", "2", "--tokens", "2", "--check", "8"]
PEERS = {"eager step loop", "gpt, cache", "nn.LSTM", "choice alone, eager"}
OURS = {"wetware engine", "wetware engine, bfloat16", "wetware engine, int8"}
compiled = pytest.mark.skipif(
    bool(engines.backends["numba"].refuses(wetware.tiny("real_sam").build())), reason="no numba"
)


@pytest.fixture
def model():
    return wetware.tiny("real_sam").build(seed=0)


def last_line(printed):
    return json.loads(printed.strip().splitlines()[-1])


def test_everybody_is_reported(bench, capsys):
    assert bench("generation").main([*SMALL, "--batches", "1,3", "--sampling", "greedy,top-k"]) == 0
    printed = capsys.readouterr().out
    line = last_line(printed)
    cases = line["results"]["firing 10%"]
    assert set(cases) == {f"batch {batch}, {how}" for batch in (1, 3) for how in ("greedy", "top-k")}
    for name, results in cases.items():
        assert set(results) | set(line["missing"]["firing 10%"][name]) == PEERS | OURS
        assert all(row["tokens_per_s"] > 0 for row in results.values())
        assert results["gpt, cache"]["tokens_read"] > 128  # its window
        assert results["eager step loop"]["state_bytes"] == 2 * 2 * 32 * 4
        parameters = [row["parameters"] for who, row in results.items() if who != "choice alone, eager"]
        assert max(parameters) < 1.5 * min(parameters)  # widths come in steps
    if set(results) >= OURS:
        assert set(line["ratios"]["firing 10%"][name]["wetware engine"]) == (PEERS | OURS) - {
            "wetware engine",
            "choice alone, eager",
        }
        agreement = line["agreement"]["firing 10%"]["batch 3, greedy"]
        assert agreement["equal"] == agreement["compared"] and not agreement["faults"]
        assert "24 of 24 tokens equal" in printed or agreement["ties"]


def test_what_is_written_fires_and_decides_as_asked(bench):
    generation = bench("generation")
    config = generation.sized(64, 2, 300).model
    tuned = generation.tuned(config, 0.2)
    model = generation.made(tuned, "wetware engine")
    tokens = torch.tensor(generation.prompts(tuned, 8))
    with torch.no_grad():
        output = model(tokens)
    assert all(0.14 < layer.spikes.mean() < 0.26 for layer in output.activity)
    assert 0.14 < output.logits[:, 16:].softmax(-1).amax(-1).mean() < 0.26


@pytest.mark.parametrize("traits", [[], ["--traits", "engram,jepa"]], ids=["alone", "traits"])
def test_spikewhale_is_reported_too(bench, capsys, traits):
    given = ["--model", "spikewhale_1m", *SMALL, "--batches", "1", "--sampling", "greedy", "--rates", "0.2", *traits]
    assert bench("generation").main(given) == 0
    line = last_line(capsys.readouterr().out)
    results = line["results"]["firing 20%"]["batch 1, greedy"]
    assert set(results) | set(line["missing"]["firing 20%"]["batch 1, greedy"]) == PEERS | OURS
    if set(results) >= OURS:
        agreement = line["agreement"]["firing 20%"]["batch 1, greedy"]
        assert len(agreement["firing"]) == 2 and not agreement["faults"]
        assert agreement["equal"] == agreement["compared"] or agreement["ties"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--model", "spikewhale_1m", "--traits", "engrm"], "--traits engrm: allowed engram"),
        (["--traits", "engram"], "only SpikeWhale has any, and --model is real_sam"),
    ],
)
def test_traits_that_cannot_be(bench, capsys, given, reason):
    with pytest.raises(SystemExit):
        bench("generation").main(given)
    assert reason in capsys.readouterr().err


def test_a_run_writes_as_it_was_trained(bench, capsys, tmp_path, model):
    generation = bench("generation")
    checkpoint.save(model, tmp_path)
    assert generation.made(generation.Model(model.config, str(tmp_path)), "wetware engine").vocab_size == 67
    given = ["--run", str(tmp_path), *SMALL, "--batches", "2", "--sampling", "temperature"]
    assert generation.main(given) == 0
    line = last_line(capsys.readouterr().out)
    assert set(line["results"]) == {"trained"} and (line["width"], line["vocabulary"]) == (32, 67)


def test_only_who_has_an_engine_can_be_the_run(bench, tmp_path):
    checkpoint.save(wetware.tiny("gpt").build(), tmp_path)
    with pytest.raises(SystemExit, match="a GPT, and only Real Sam and SpikeWhale"):
        bench("generation").main(["--run", str(tmp_path), *SMALL])


def test_a_way_of_choosing_that_does_not_exist(bench, capsys):
    with pytest.raises(SystemExit):
        bench("generation").main(["--sampling", "best"])
    assert "allowed greedy, temperature, top-k" in capsys.readouterr().err


def test_a_contestant_is_made_again_in_a_fresh_process(bench, model):
    generation, harness = bench("generation"), bench("harness")
    case = generation.Case(generation.Model(model.config, None, (1.0, 1.0)), Sampling(temperature=0.0), ((1, 2, 3),), 2)
    memory = harness.peak_memory(generation.build, case, "eager step loop", steps=1)
    assert memory.peak >= memory.before > 0


# --------------------------------------------------------------------------------------------------------------- agreement


@compiled
def test_engines_that_agree_have_no_fault(bench, model):
    prompt = torch.randint(1, 67, (4, 5), generator=torch.Generator().manual_seed(0))
    for sampling in (Sampling(temperature=0.0), Sampling(temperature=0.8, top_k=5)):
        found = bench("agreement").compare(model, prompt, sampling, 12)
        assert found.equal == found.compared and not found.faults
        assert found.compared == 48 or found.ties
        assert len(found.firing) == 2 and 0 < found.top <= 1


@compiled
def test_an_engine_that_computes_something_else_is_a_fault(bench, model, monkeypatch):
    """The engine takes the weights when it is made; the loop has others after that."""
    agreement = bench("agreement")

    class Changed(agreement.Session):
        def __init__(self, model, *args, **keywords):
            super().__init__(model, *args, **keywords)
            with torch.no_grad():
                model.blocks[0].fc_in.weight.mul_(1.5)

    monkeypatch.setattr(agreement, "Session", Changed)
    found = agreement.compare(model, torch.tensor([[1, 2, 3], [4, 5, 6]]), Sampling(temperature=0.0), 12)
    assert found.faults


def test_a_spike_that_flips_is_held_against_the_threshold(bench, model):
    agreement = bench("agreement")
    with torch.no_grad():
        state = model(torch.tensor([[1, 2, 3], [4, 5, 6]])).state
    assert agreement.flips(model, state, state) == {}
    threshold = model.blocks[0].neuron.params().threshold[7].item()
    for above, limit in ((1e-6, 1e-5), (0.1, 0.2)):
        fires, silent = clone(state), clone(state)
        fires.blocks[0].membrane[1, 7], fires.blocks[0].spikes[1, 7] = above, 1.0
        silent.blocks[0].membrane[1, 7], silent.blocks[0].spikes[1, 7] = threshold - 1e-6, 0.0
        found = agreement.flips(model, fires, silent)
        assert list(found) == [1] and 0.5 * above < found[1] < limit


def test_by_how_much_a_token_missed(bench):
    lead, logits, noise = bench("agreement").lead, torch.tensor([1.0, 3.0, 2.5]), torch.tensor([2.0, 0.0, 0.0])
    assert lead(logits, noise, Sampling(temperature=0.0), 1, 2) == pytest.approx(0.5)
    assert lead(logits, noise, Sampling(temperature=0.5), 1, 0) == pytest.approx(6.0 - 2.0 - 2.0)
    assert lead(logits, noise, Sampling(temperature=0.5, top_k=2), 1, 0) == pytest.approx(5.0 - 2.0)


def test_a_sequence_that_has_parted_is_not_counted_on(bench, model):
    comparison = bench("agreement").Comparison(model, 2)
    assert comparison.tokens(torch.tensor([1, 2]), torch.tensor([1, 3])) == [1]
    comparison.part(1, 1e-7, 1e-4, "two scores")
    assert comparison.tokens(torch.tensor([1, 2]), torch.tensor([1, 3])) == []
    assert (comparison.equal, comparison.compared) == (2, 3)
    comparison.part(0, 1.0, 1e-4, "two scores")
    assert len(comparison.ties) == len(comparison.faults) == 1
