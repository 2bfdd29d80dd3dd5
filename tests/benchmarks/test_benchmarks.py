"""The benchmarks run and report everybody they name; no time is asserted, for that is the business of a quiet machine."""

import copy
import functools
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import wetware
from wetware.data import Bytes, TextFiles
from wetware.kernels import OPS, lif_scan
from wetware.kernels.op import Backend
from wetware.state import leaves
from wetware.training import Run, Steps, Trainer, Training, memory

FOLDER = Path(__file__).parents[2] / "benchmarks"
LAYER = ["--size", "24", "--batch", "4", "--chunk", "16", "--rounds", "2", "--warmup", "1"]
MODEL = ["--width", "16", "--depth", "2", "--vocabulary", "50", "--batch", "4", "--chunk", "16", "--rounds", "2"]
PEERS = {"eager naive", "nn.RNN", "nn.GRU", "nn.LSTM", "floor, float32 products", "floor, bfloat16 products"}
SNNTORCH = {"snntorch RLeaky", "snntorch RLeaky + Linear"}


def last_line(printed):
    return json.loads(printed.strip().splitlines()[-1])


# --------------------------------------------------------------------------------------------------------------- harness


def test_over_two_laps_everybody_has_every_place(bench):
    order = bench("harness").order
    names = ["a", "b", "c", "d"]
    assert [order(names, turn) for turn in range(2)] == [["a", "b", "c", "d"], ["b", "c", "d", "a"]]
    rounds = [order(names, turn) for turn in range(8)]
    for place in range(4):
        assert sorted(turn[place] for turn in rounds) == sorted(names * 2)
    assert {before for turn in rounds for before, after in itertools.pairwise(turn) if after == "b"} == {
        "a",
        "c",
    }


def test_rounds_interleave_and_warm_up_is_not_counted(bench):
    harness, ran = bench("harness"), []
    contestants = {name: lambda name=name: ran.append(name) for name in "abc"}
    timings = harness.interleaved(contestants, rounds=4, warmup=2)
    assert len(ran) == 18
    assert all(sorted(ran[at : at + 3]) == ["a", "b", "c"] for at in range(0, 18, 3))
    assert ran[6:12] == ["a", "b", "c", "b", "c", "a"]
    assert all(len(timing.wall) == len(timing.cpu) == 4 for timing in timings.values())


def test_sleeping_is_wall_time_and_working_is_both(bench):
    def work():
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass

    timings = bench("harness").interleaved({"sleep": lambda: time.sleep(0.02), "work": work}, rounds=2, warmup=0)
    assert timings["sleep"].least("wall") >= 0.02 > timings["sleep"].least("cpu")
    assert timings["work"].least("cpu") >= 0.02


def test_medians_and_ratios(bench):
    harness = bench("harness")
    ours = harness.Timing(wall=(1.0, 9.0, 2.0), cpu=(1.0, 1.0, 1.0))
    peer = harness.Timing(wall=(8.0, 3.0, 5.0), cpu=(0.5, 0.5, 0.5))
    assert ours.row() == {"wall_ms_median": 2e3, "wall_ms_min": 1e3, "cpu_ms_median": 1e3, "cpu_ms_min": 1e3}
    timings = {"ours": ours, "peer": peer}
    assert harness.ratios(timings, ["ours"], "wall") == {"ours": {"peer": 2.5}}
    assert harness.ratios(timings, ["ours"], "cpu") == {"ours": {"peer": 0.5}}
    assert (harness.clock_for(1), harness.clock_for(2)) == ("cpu", "wall")


def test_progress_waits_two_seconds(bench, monkeypatch, capsys):
    harness, now = bench("harness"), [100.0]
    monkeypatch.setattr(harness.time, "monotonic", lambda: now[0])
    progress = harness.Progress("timing")
    progress("round 1")
    assert capsys.readouterr().err == ""
    now[0] += 2.5
    progress("round 2")
    assert "timing: round 2, 2 s" in capsys.readouterr().err


def test_short_gives_way_to_what_is_asked_for(bench):
    harness = bench("harness")
    for argv, rounds in (([], 20), (["--short"], 3), (["--short", "--rounds", "7"], 7)):
        assert harness.parse(harness.options("", rounds=20), argv, {"rounds": 3}).rounds == rounds
    with pytest.raises(SystemExit):
        harness.parse(harness.options("", rounds=20), ["--rounds", "0"], {})


@pytest.mark.parametrize(
    ("argv", "can", "kept"), [([], True, "kept"), ([], False, "fresh"), (["--fresh-buffers"], True, "fresh")]
)
def test_what_becomes_of_freed_buffers_is_recorded(bench, monkeypatch, capsys, argv, can, kept):
    asked = []
    monkeypatch.setattr(memory, "keep_buffers", lambda: asked.append(True) or can)
    harness = bench("harness")
    harness.parse(harness.options("", rounds=1), argv, {})
    harness.report("nothing", argv, 1)
    assert last_line(capsys.readouterr().out)["buffers"] == kept and bool(asked) is not bool(argv)


def test_peak_memory_is_of_the_contestant_alone(bench):
    """200 MB held here must not be seen there; 64 MiB allocated there must."""
    here = torch.ones(50_000_000)
    memory = bench("harness").peak_memory(functools.partial, torch.ones, 64 * 2**18, steps=1)
    assert memory.peak - memory.before >= 60 * 2**20
    if sys.platform == "linux":
        assert memory.before < bench("harness").peak_resident() - here.nbytes / 2


# -------------------------------------------------------------------------------------------------------- the benchmarks


def test_the_reference_is_plain_pytorch_throughout(bench, monkeypatch):
    """Else a faster op would speed up what it is compared with."""

    def loud(*_, **__):
        pytest.fail("not plain PyTorch")

    for name, op in OPS.items():
        if name != "attention":
            monkeypatch.setattr(op, "backends", {"loud": Backend("loud", loud, lambda *_, **__: None)})
    training = bench("training")
    run = training.Setting(16, 2, 50, 4, 16).sam()
    training.Step(run.model.build(0), run, training.Text(training.Setting(16, 2, 50, 4, 16)), "reference")()


@pytest.mark.parametrize("spiking", [False, True])
def test_lif_layer_reports_everybody(bench, capsys, spiking):
    assert bench("lif_layer").main([*LAYER, "--bfloat16", *(["--spiking-input"] if spiking else [])]) == 0
    printed = capsys.readouterr().out
    line = last_line(printed)
    results, missing = line["results"]["0.1"], line["missing"]["0.1"]
    ours = {f"wetware {name}" for name in lif_scan.names}
    rounded = [name for name in results if name.endswith("bfloat16 input product")]
    assert set(results) | set(missing) == PEERS | SNNTORCH | ours | set(rounded) and len(rounded) == 1
    assert "wetware reference" in results and not set(results) & set(missing)
    assert all(abs(row["firing"] - 0.1) < 0.01 for name, row in results.items() if name.startswith("wetware"))
    assert set(line["ratios"]["0.1"]["wetware reference"]) == set(results) - {"wetware reference"}
    assert line["command"].startswith("python benchmarks/lif_layer.py --size 24") and line["command"] in printed


def test_without_snntorch_one_is_told_how_to_get_it(bench, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "snntorch", None)
    assert bench("lif_layer").main(LAYER) == 0
    printed = capsys.readouterr().out
    assert "not measured: snntorch RLeaky: snntorch is not installed" in printed and "pip install snntorch" in printed
    assert set(last_line(printed)["missing"]["0.1"]) == SNNTORCH | {
        f"wetware {name}" for name in lif_scan.backends if f"wetware {name}" in last_line(printed)["missing"]["0.1"]
    }


def test_a_backend_that_refuses_is_listed_with_its_reason(bench, capsys, monkeypatch):
    monkeypatch.setattr(lif_scan, "backends", dict(lif_scan.backends))
    lif_scan.backend("picky", lambda *_, **__: "needs another machine")(None)
    assert bench("lif_layer").main(LAYER) == 0
    printed = capsys.readouterr().out
    assert last_line(printed)["missing"]["0.1"]["wetware picky"] == "needs another machine"
    assert "not measured: wetware picky: needs another machine" in printed


def test_a_rate_out_of_reach_is_an_error(bench):
    with pytest.raises(SystemExit, match="no scale of the input"):
        bench("lif_layer").layer(16, 2, 8, rate=0.99, spiking_input=False)


def test_spikes_of_a_layer_below_go_through_spike_linear(bench, monkeypatch):
    called = []

    def spike_linear(spikes, weight):
        called.append(tuple(spikes.shape))
        return torch.nn.functional.linear(spikes, weight)

    monkeypatch.setitem(OPS, "spike_linear", spike_linear)
    lif_layer = bench("lif_layer")
    given = lif_layer.layer(16, 2, 8, rate=0.1, spiking_input=True)
    assert set(given.inputs.unique().tolist()) == {0.0, 1.0}
    lif_layer.wetware_layer("walk", given).step()
    assert called == [(2, 8, 16)]
    lif_layer.wetware_layer("reference", given).step()
    assert len(called) == 1


def test_the_naive_loop_is_the_same_layer(bench):
    """A peer that computed something else would be no peer: same spikes, same gradients of both weights."""
    lif_layer = bench("lif_layer")
    given = lif_layer.layer(16, 4, 8, rate=0.1, spiking_input=False)
    naive, ours = lif_layer.naive_layer(given), lif_layer.wetware_layer("reference", given)
    assert torch.equal(naive.spikes().transpose(0, 1), ours.spikes())
    gradients = []
    for entry in (naive, ours):
        entry.step()
        gradients.append([parameter.grad for parameter in entry.parameters[:2]])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_snntorch_as_in_its_tutorials_is_the_same_layer_and_learns_its_biases(bench):
    lif_layer = bench("lif_layer")
    given = lif_layer.layer(16, 4, 8, rate=0.1, spiking_input=False)
    cheapest, tutorial = lif_layer.snntorch_layer(given), lif_layer.snntorch_linear_layer(given)
    assert torch.equal(cheapest.spikes(), tutorial.spikes())
    tutorial.step()
    assert len(tutorial.parameters) == 4 and all(parameter.grad is not None for parameter in tutorial.parameters)


def test_training_reports_everybody(bench, capsys):
    assert bench("training").main([*MODEL, "--profile", "--bfloat16"]) == 0
    printed = capsys.readouterr().out
    line = last_line(printed)
    results = line["results"]
    plain = {f"real_sam, {name}" for name in lif_scan.names} | {"gpt"}
    expected = plain | {f"{name}, bfloat16" for name in plain} | {"nn.LSTM", "nn.GRU"}
    assert set(results) | set(line["missing"]) == expected
    assert set(line["ratios"]["real_sam, reference"]) == set(results) - {"real_sam, reference"}
    assert all(row["tokens_per_s"] > 0 and abs(sum(row["shares"].values()) - 1) < 0.01 for row in results.values())
    assert all(0.05 < rate < 0.2 for rate in results["real_sam, reference"]["firing"])
    assert "aten::mm" in printed


def test_peers_have_as_many_parameters(bench):
    training = bench("training")
    default = training.Setting(512, 6, 4096, 32, 64)
    assert default.gpt().width == 272  # the recipe's own
    large = training.Setting(1488, 4, 4096, 32, 64)
    with torch.device("meta"):
        assert abs(large.gpt().module().parameter_count() / large.parameters() - 1) < 0.02
        for kind in ("nn.LSTM", "nn.GRU"):
            peer = training.recurrent_beside(large.sam().model, kind, seed=0)
            assert abs(peer.parameter_count() / large.parameters() - 1) < 0.02


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("name", ["real_sam", "gpt"])
def test_a_step_is_that_of_the_trainer(bench, tiny_text, tmp_path, name, bfloat16):
    """What is timed must be what training does: the same weights and state after three steps."""
    settings = Training(batch=4, chunk=16, limit=Steps(count=10), clip=0.1)
    corpus = TextFiles(path=str(tiny_text))
    run = Run(model=wetware.tiny(name), corpus=corpus, tokenizer=Bytes(), training=settings)
    trainer = Trainer(run, tmp_path / "run", bfloat16=bfloat16)
    chunks = iter([trainer.course.stream.at(step)[:2] for step in range(3)])
    step = bench("training").Step(copy.deepcopy(trainer.model), trainer.run, lambda: next(chunks), bfloat16=bfloat16)
    for _ in range(3):
        step.learning = settings.schedule.factor(trainer.step, trainer.progress)
        trainer.update()
        step()
    for mine, its in zip(step.model.parameters(), trainer.model.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(leaves(step.state), leaves(trainer.states[0]), strict=True))
    told = [{key: tracker.to_dict() for key, tracker in each.trackers.items()} for each in (step, trainer)]
    assert told[0] == told[1]


def test_a_step_moves_the_model_and_carries_its_state(bench):
    training = bench("training")
    for name in training.names():
        try:
            step = training.build_step(training.Setting(16, 2, 50, 4, 16), name)
        except training.Refused:
            continue
        state = step.state
        weights = [parameter.detach().clone() for parameter in step.model.parameters()]
        step()
        assert all(
            not torch.equal(was, now)
            for was, now in zip(weights, step.model.parameters(), strict=True)
            if was.ndim == 2
        )
        assert step.state is not state and all(parameter.grad is None for parameter in step.model.parameters())


def test_generation_by_position_reports_both_engines(bench, capsys):
    assert bench("generation_by_position").main(["--short", "--rounds", "2", "--position", "20"]) == 0
    results = last_line(capsys.readouterr().out)["results"]
    ours = {"real_sam", "real_sam_small"}
    assert set(results) == ours | {f"{name}, forward" for name in ours} | {"gpt_small, no window"}
    assert all(row["state_ratio"] == 1 for name, row in results.items() if "sam" in name)


# ------------------------------------------------------------------------------------------------------------ all of them


def test_all_finds_the_benchmarks_and_never_itself(bench):
    found = {path.stem for path in bench("all").benches(FOLDER)}
    assert {"generation", "generation_by_position", "lif_layer", "training"} <= found
    assert not found & {"all", "agreement", "harness", "matching"}


def test_all_goes_on_after_a_failure_and_says_so(bench, capfd, tmp_path):
    (tmp_path / "harness.py").write_text("nothing = None\n")
    (tmp_path / "good.py").write_text(
        "import sys\nfrom harness import nothing\nprint('hello', *sys.argv[1:])\n"
        'print(\'{"benchmark": "good", "ratios": {"us": {"them": 2.0}}}\')\n'
    )
    (tmp_path / "bad.py").write_text("from harness import nothing\nraise SystemExit(3)\n")
    (tmp_path / "silent.py").write_text("from harness import nothing\n")
    (tmp_path / "no_bench.py").write_text("print('from harness import nothing')\n")
    assert bench("all").main(["--threads", "1"], tmp_path) == 1
    printed = capfd.readouterr().out
    assert "hello --short --threads 1" in printed
    assert "bad: FAILED (exit 3)" in printed and "silent: FAILED (no JSON line)" in printed
    assert "good: ok" in printed and "us / them: 2.00" in printed and "no_bench" not in printed
    assert last_line(printed)["good"]["benchmark"] == "good"


def test_a_benchmark_is_started_as_a_script():
    command = [sys.executable, str(FOLDER / "lif_layer.py"), *LAYER, "--rates", "0.1,0.3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(last_line(done.stdout)["results"]) == {"0.1", "0.3"}


def test_tokenizing_names_both_sides_and_what_each_makes_of_a_byte(bench, tiny_text, capsys):
    options = ["--data", str(tiny_text), "--vocabulary", "320", "--megabytes", "1", "--rounds", "1"]
    assert bench("tokenizing").main(options) == 0
    found = last_line(capsys.readouterr().out)
    assert found["vocabulary"] == {"wetware LengthMax": 320, "tokenizers BPE": 320}
    assert found["tokens"]["wetware LengthMax"] < found["tokens"]["tokenizers BPE"] < found["bytes"]
    assert set(found["ratios"]["wetware LengthMax"]) == set(found["results"]) - {"wetware LengthMax"}
    assert "tokenizers BPE" in found["results"]
