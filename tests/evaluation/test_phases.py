"""The ends of phases from what runs wrote down, and their means."""

import json

import pytest

from wetware.evaluation.phases import alike, phase_ends, phase_rows
from wetware.training import CheckpointError


def written(folder, seed=0, loss=2.0, last="conversations", model="a", firing=0.1):
    """A run's folder with two phases, of which the first was left and begun again later."""
    base = {"kind": "phase", "chunk": 8, "phase_tokens": 100, "why": "cap", "perplexity": 7.0, "mean_firing": firing}
    rows = [
        {**base, "step": 0, "event": "start", "phase": "words", "number": 1, "loss": 9.0},
        {**base, "step": 5, "event": "end", "phase": "words", "number": 1, "loss": 8.0, "why": "limit"},
        {**base, "step": 9, "event": "end", "phase": "words", "number": 1, "loss": loss, "why": "converged"},
        {**base, "step": 9, "event": "start", "phase": last, "number": 2, "loss": loss},
        {**base, "step": 12, "event": "end", "phase": last, "number": 2, "loss": loss / 2, "why": "limit"},
    ]
    rows = [{**row, "fixed_bits_per_byte": row["loss"] / 4, "tokens": 10 * row["step"]} for row in rows]
    rows.insert(2, {"kind": "held_out", "step": 6, "tokens": 60, "seconds": 1.0, "bits_per_byte": 2.0})
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.json").write_text(json.dumps({"seed": seed, "model": model, "monitoring": {"keep": seed}}))
    return folder


def test_the_last_end_of_a_phase_counts(tmp_path):
    rows = phase_rows(written(tmp_path / "run"))
    assert [(row["phase"], row["why"]) for row in rows] == [("words", "converged"), ("conversations", "limit")]
    assert phase_rows(tmp_path / "nothing") == []


def test_means_over_seeds(tmp_path):
    runs = [written(tmp_path / str(seed), seed=seed, loss=loss) for seed, loss in enumerate((2.0, 3.0, 4.0))]
    assert alike(runs) == [runs]
    words, talk = phase_ends(runs)
    assert (words.name, words.runs, words.why, words.loss, words.fixed) == ("words", 3, {"converged": 3}, 3.0, 0.75)
    assert (talk.loss, talk.firing, talk.perplexity, talk.tokens) == (1.5, pytest.approx(0.1), 7.0, 100)


def test_runs_that_differ_in_more_than_the_seed_stay_apart(tmp_path):
    one, other = written(tmp_path / "one"), written(tmp_path / "other", seed=1, model="b")
    third = written(tmp_path / "third", seed=2)
    assert alike([one, other, third]) == [[one, third], [other]]


def test_without_neurons_nothing_fires(tmp_path):
    assert phase_ends([written(tmp_path / "run", firing=None)])[0].firing is None


def test_what_is_no_run_with_phases_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="no run's folder"):
        alike([tmp_path])
    folder = written(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"kind": "step", "step": 1}\n')
    with pytest.raises(CheckpointError, match="tells of no phase that ended"):
        alike([folder])
