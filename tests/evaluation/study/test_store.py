"""The store: a cell belongs to one worker at a time, and nobody else writes its row. On SQLite and on a real PostgreSQL."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sql

from wetware.config import ConfigError
from wetware.data import DataError
from wetware.evaluation.study import store as module
from wetware.evaluation.study.store import DONE, FAILED, RUNNING, WAITING, Store, this_worker


@pytest.fixture
def store(url, small_plan):
    store = Store(url)
    store.register(replace(small_plan, seeds=5))
    yield store
    store.engine.dispose()


def test_a_plan_comes_back_and_is_not_written_twice(store, small_plan):
    plan = replace(small_plan, seeds=5)
    assert store.plan("small") == plan
    assert store.digest("small") == plan.digest
    assert store.names() == ["small"]
    with pytest.raises(ConfigError, match="already"):
        store.register(plan)
    assert [(cell.arm, cell.seed) for cell in store.cells("small")] == plan.cells
    with pytest.raises(ConfigError, match="did you mean 'small'"):
        store.plan("smal")


def test_a_changed_plan_is_noticed(store):
    with store.engine.begin() as connection:
        connection.execute(sql.text("update studies set plan = replace(plan, '0.01', '0.02')"))
    with pytest.raises(DataError, match="no longer the one that was registered"):
        store.plan("small")


def test_many_workers_never_claim_the_same_cell(store):
    claims, errors = [], []

    def work(index):
        mine = Store(store.url)
        try:
            while cell := mine.claim(f"host:{index}:0"):
                claims.append((cell.arm, cell.seed))
                assert mine.done(cell, {"bits_per_byte": 1.0})
        except Exception as error:  # a thread's error is nobody's unless it is carried out
            errors.append(error)
        finally:
            mine.engine.dispose()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(claims) == len(set(claims)) == len(store.cells("small"))
    assert all(cell.status == DONE and cell.attempts == 1 for cell in store.cells("small"))


def test_a_lease_that_ends_is_given_to_another_and_the_first_can_write_no_more(store, monkeypatch):
    slow = store.claim("host:1:0")
    assert store.claim("host:2:0").id != slow.id
    assert store.alive(slow, 0.5)
    monkeypatch.setattr(module, "LEASE", -1.0)
    taken = store.claim("host:3:0")
    assert (taken.arm, taken.seed, taken.attempts) == (slow.arm, slow.seed, 2)
    assert not store.alive(slow, 0.9)
    assert not store.done(slow, {"bits_per_byte": 9.0})
    assert not store.failed(slow, "no")
    assert not store.release(slow)
    assert store.done(taken, {"bits_per_byte": 1.0})
    assert store.cells("small")[0].result == {"bits_per_byte": 1.0}


def test_what_was_given_back_waits_and_does_not_count(store):
    cell = store.claim("host:1:0")
    assert store.release(cell)
    row = store.cells("small")[0]
    assert (row.status, row.attempts) == (WAITING, 0)
    assert store.claim("host:1:0").id == cell.id


def test_a_cell_that_kills_its_workers_is_given_up(store, monkeypatch):
    monkeypatch.setattr(module, "LEASE", -1.0)
    first = store.cells("small")[0].id
    for attempt in range(module.ATTEMPTS):
        assert store.claim(f"host:{attempt}:0").id == first
    assert store.claim("host:9:0").id != first
    row = store.cells("small")[0]
    assert row.status == FAILED and "workers died" in row.error
    assert store.retry("small") == 1
    assert store.cells("small")[0].status == WAITING


def test_dead_processes_of_this_machine_are_seen_at_once(store):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    host, mine, _ = this_worker().split(":")
    dead = store.claim(f"{host}:{gone.stdout.strip()}:0")
    alive = store.claim(f"{host}:{mine}:0")
    elsewhere = store.claim(f"another-host:{gone.stdout.strip()}:0")
    assert store.release_dead("small") == 1
    assert store.cells("small")[0].attempts == 1
    again = store.claim(dead.worker)
    assert again.id == dead.id and store.release_dead("small", forgive=True) == 1
    assert store.cells("small")[0].attempts == 1
    status = {cell.id: cell.status for cell in store.cells("small")}
    assert [status[cell.id] for cell in (dead, alive, elsewhere)] == [WAITING, RUNNING, RUNNING]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("nonsense://x", "nonsense"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9/none", "refused|failed"),
    ],
)
def test_a_store_that_cannot_be_opened_says_so_in_a_line_without_its_password(bad, why):
    if "psycopg" in bad:
        pytest.importorskip("psycopg")
    with pytest.raises(DataError, match=why) as raised:
        Store(bad)
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)
