"""wetware study as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from wetware.cli import main
from wetware.evaluation.study.store import DONE, RUNNING, Store

SMALL = [
    "--set",
    "training.batch=4",
    "--set",
    "training.chunk=16",
    "--set",
    "model.width=24",
    "--set",
    "tokenizer=Bytes",
]
SHORT = [*SMALL, "--no-plain", "--no-match", "--tokens", "640", "--held-out", "300", "--threads", "1"]


def options(tiny_text, out):
    return ["real_sam_small", "--data", str(tiny_text), "--out", str(out), *SHORT]


def table(out):
    """The table of a report, without its last column, which is a time."""
    lines = (out / "report.md").read_text().splitlines()
    return [line.rsplit("|", 2)[0] for line in lines if line.startswith(("| everything", "| without", "| skeleton"))][
        :3
    ]


@pytest.fixture(scope="module")
def finished(tiny_text, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    ask = [*options(tiny_text, out), "--leave-out", "block.recurrence", "--seeds", "2", "--workers", "2"]
    assert main(["study", *ask]) == 0
    return out


def test_a_study_leaves_its_plan_its_rows_and_its_report(finished, tiny_text, capsys):
    names = {path.name for path in finished.iterdir()}
    assert {
        "preregistration.md",
        "study.db",
        "report.md",
        "report.html",
        "forest.png",
        "curves.png",
        "cells.csv",
    } <= names
    store = Store(f"sqlite:///{finished / 'study.db'}")
    assert [cell.status for cell in store.cells("real_sam_small")] == [DONE] * 6
    assert all(cell.attempts == 1 for cell in store.cells("real_sam_small"))
    digest = store.digest("real_sam_small")
    assert digest in (finished / "preregistration.md").read_text()
    report = (finished / "report.md").read_text()
    assert digest in report
    assert "    wetware study real_sam_small --data " in report and "--leave-out block.recurrence" in report
    effects = json.loads((finished / "results.json").read_text())["effects"]
    assert [effect["arm"] for effect in effects] == ["skeleton", "without block.recurrence"]


def test_a_finished_study_is_not_run_again(finished, tiny_text, capsys):
    ask = [*options(tiny_text, finished), "--leave-out", "block.recurrence", "--seeds", "2"]
    before = table(finished)
    assert main(["study", *ask]) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert main(["study", *ask, "--resume"]) == 0
    assert "6 of 6 cells are done" in capsys.readouterr().out
    assert table(finished) == before
    assert main(["study", *ask[:-1], "3", "--resume"]) == 2
    assert "another plan" in capsys.readouterr().err


def test_killed_and_resumed_gives_the_same_table(finished, tiny_text, tmp_path):
    ask = [*options(tiny_text, tmp_path), "--leave-out", "block.recurrence", "--seeds", "2", "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-m", "wetware", "study", *ask], stdout=subprocess.DEVNULL)
    store, deadline = None, time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (tmp_path / "preregistration.md").exists():
            store = store or Store(f"sqlite:///{tmp_path / 'study.db'}")
            states = [cell.status for cell in store.cells("real_sam_small")]
            if states.count(DONE) >= 1 and RUNNING in states:
                break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)  # and nobody else: its worker must notice by itself
    process.wait()
    assert main(["study", *ask, "--resume"]) == 0
    assert table(tmp_path) == table(finished)


def test_the_plan_alone(tiny_text, tmp_path, capsys):
    ask = [*options(tiny_text, tmp_path / "none"), "--control", "model.encoder=CurrentEncoder", "--plan"]
    assert main(["study", *ask, "--leave-out", "none", "--seeds", "3"]) == 0
    said = capsys.readouterr().out
    assert "| model.encoder=CurrentEncoder | control | everything |" in said
    assert "2 arms, 3 seeds (0 to 2), 6 cells" in said
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (["real_sam_smal"], "did you mean 'real_sam_small'"),
        (["real_sam_small", "--leave-out", "block.recurence"], "did you mean 'block.recurrence'"),
        (["real_sam_small", "--add", "nothing"], "no mechanism 'nothing'"),
        (["real_sam_small", "--control", "model.encoder"], "expected PATH=VALUE"),
        (["real_sam_small", "--store", "study.db"], "expected a database URL"),
        (["real_sam_small", "sqlite:///x.db"], "only 'work' and 'report'"),
        (["work", "sqlite:////nowhere/x.db"], "cannot be opened"),
        (["work"], "WETWARE_STORE"),
        (["report", "nothing-there"], "no database 'nothing-there'"),
    ],
)
def test_bad_input_is_one_line(ask, why, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WETWARE_STORE", raising=False)
    assert main(["study", *ask]) == 2
    error = capsys.readouterr().err
    assert why in error and error.count("\n") == 1


def test_a_study_by_name_and_a_report_by_folder(finished, capsys):
    assert main(["study", "report", str(finished), "--out", str(finished / "again")]) == 0
    assert (finished / "again" / "report.md").exists()
    assert main(["study", "report", str(finished), "--name", "real_sam_smal"]) == 2
    assert "did you mean 'real_sam_small'" in capsys.readouterr().err
