"""Workers: a killed cell goes on to the same row, a cell that crashes does not stop the others, and none runs twice."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from wetware.config import with_
from wetware.data import prepare
from wetware.evaluation.study.store import DONE, FAILED, Store
from wetware.evaluation.study.worker import Worker, slug
from wetware.training import checkpoint, held_out_loss, load

KEPT = ("bits_per_byte", "nats", "tokens", "bytes", "parameters", "trained_tokens", "steps", "skipped", "firing")


def rows(store):
    """What a table of the study is made from, without times."""
    cells = store.cells("small")
    assert all(cell.status == DONE for cell in cells), [cell.error for cell in cells]
    return [
        (cell.arm, cell.seed, *(cell.result[key] for key in KEPT), [point[:2] for point in cell.result["curve"]])
        for cell in cells
    ]


@pytest.fixture(scope="module")
def finished(small_plan, tmp_path_factory):
    """The study, undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    store = Store(f"sqlite:///{folder / 'study.db'}")
    store.register(small_plan)
    assert Worker(store, folder / "cells").work() is None
    return store, folder


def test_a_row_is_what_its_model_says(finished, small_plan):
    store, folder = finished
    cell = store.cells("small")[2]
    path = folder / "cells" / "small" / f"{slug(cell.arm)}-seed-{cell.seed}"
    model, tokenizer = load(checkpoint.steps(path)[-1])
    run = small_plan.arm(cell.arm).run
    _, _, held_out = prepare(run.corpus, tokenizer)
    score = held_out_loss(model, held_out, tokenizer.token_bytes, limit=small_plan.held_out)
    assert cell.result["bits_per_byte"] == pytest.approx(score.bits_per_byte, abs=1e-12)
    assert cell.result["trained_tokens"] == 640
    assert [point[0] for point in cell.result["curve"]][-1] == 640


def test_seeds_are_paired_and_differ(finished):
    scores = {(cell.arm, cell.seed): cell.result["bits_per_byte"] for cell in finished[0].cells("small")}
    assert len(set(scores.values())) == len(scores)


def test_killed_at_any_moment_and_resumed_gives_the_same_rows(finished, small_plan, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    store = Store(url)
    store.register(small_plan)
    command = [sys.executable, "-m", "wetware", "study", "work", url, "--name", "small", "--threads", "1"]
    kills = 0
    for pause in (0.0, 0.3, 0.9):  # seconds after the first sign of work
        worker = subprocess.Popen([*command, "--out", str(tmp_path)], stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        before = sum(cell.attempts for cell in store.cells("small"))
        while sum(cell.attempts for cell in store.cells("small")) == before and worker.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(pause)
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            kills += 1
        worker.wait()
        store.release_dead("small", forgive=True)
    assert kills >= 1
    assert Worker(store, tmp_path / "cells").work() is None
    assert rows(store) == rows(finished[0])


def test_a_cell_that_crashes_is_a_row_and_the_others_go_on(finished, small_plan, tmp_path):
    def broken(arm):
        # A text that is not there is found out when the cell begins, not when it is planned.
        return replace(arm, run=with_(arm.run, "corpus.path", str(tmp_path / "absent")))

    arms = tuple(broken(arm) if arm.name == "skeleton" else arm for arm in small_plan.arms)
    store = Store(f"sqlite:///{tmp_path / 'study.db'}")
    store.register(replace(small_plan, arms=arms))
    assert Worker(store, tmp_path / "cells").work() is None
    cells = store.cells("small")
    failed = [cell for cell in cells if cell.status == FAILED]
    assert [(cell.arm, cell.seed) for cell in failed] == [("skeleton", 0), ("skeleton", 1)]
    assert all("absent" in cell.error for cell in failed)
    expected = {(row[0], row[1]): row[2] for row in rows(finished[0])}
    for cell in cells:
        if cell.status == DONE:
            assert cell.result["bits_per_byte"] == expected[cell.arm, cell.seed]


def test_two_workers_share_a_study_and_no_cell_runs_twice(finished, small_plan, url, tmp_path):
    store = Store(url)
    store.register(replace(small_plan, seeds=1))
    command = [sys.executable, "-m", "wetware", "study", "work", "--name", "small", "--threads", "1", "--out"]
    environment = {**os.environ, "WETWARE_STORE": url}
    workers = [
        subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    told = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    begun = [line for text in told for line in text.splitlines() if line.endswith("begins")]
    assert len(begun) == len(set(begun)) == len(small_plan.arms)
    assert all(cell.attempts == 1 for cell in store.cells("small"))
    assert rows(store) == [row for row in rows(finished[0]) if row[1] == 0]


def test_a_folder_of_another_run_is_left_alone(small_plan, tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'study.db'}")
    store.register(replace(small_plan, seeds=1))
    assert Worker(store, tmp_path / "cells").work() is None
    arms = tuple(replace(arm, run=with_(arm.run, "training.clip", 0.5)) for arm in small_plan.arms)
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    other.register(replace(small_plan, seeds=1, arms=arms))
    assert Worker(other, tmp_path / "cells").work() is None
    assert {cell.status for cell in other.cells("small")} == {FAILED}
    assert "another run" in other.cells("small")[0].error
