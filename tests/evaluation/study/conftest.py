"""A study that takes seconds: a tiny Real Sam on the small text, and databases to keep it in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

import wetware
from wetware.data import Bytes, TextFiles
from wetware.evaluation.study import Study, draw_up
from wetware.training import Calibration, Run, Training


@pytest.fixture(scope="session")
def small_run(tiny_text) -> Run:
    training = Training(batch=4, chunk=16, calibration=Calibration(), schedule=wetware.Cosine(warmup=2))
    corpus = TextFiles(path=str(tiny_text))
    return Run(model=wetware.tiny("real_sam"), corpus=corpus, tokenizer=Bytes(), training=training)


@pytest.fixture(scope="session")
def small_study(small_run) -> Study:
    paths = ("block.recurrence", "modulators.environment")
    return Study(run=small_run, leave_out=paths, plain=None, tokens=640, seeds=2, held_out=400, match=False)


@pytest.fixture(scope="session")
def small_plan(small_study):
    plan = draw_up("small", small_study, measure=False)
    # Evaluations of 20,000 tokens would take longer than all the rest.
    watched = lambda run: replace(run, monitoring=replace(run.monitoring, evaluate_tokens=100, checkpoint_every=2))  # noqa: E731
    return replace(plan, arms=tuple(replace(arm, run=watched(arm.run)) for arm in plan.arms))


def _postgres() -> Path | None:
    """The folder of a PostgreSQL server's programs, if one is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a real server, started for these tests; skipped where none is installed."""
    programs = _postgres()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    pytest.importorskip("psycopg")
    # A server refuses to run as root, and must own its folder.
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="wetware-pg-"))
    if user:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, quiet = folder / "data", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    started = [*user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        subprocess.run(
            [*user, str(programs / "initdb"), "-D", str(data), "-U", "wetware", "-A", "trust"], check=True, **quiet
        )
        subprocess.run([*started, "-o", options, "start"], check=True, **quiet)
        yield f"postgresql+psycopg://wetware@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*started, "-m", "immediate", "stop"], check=False, **quiet)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A database of each kind, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    import sqlalchemy as sql

    server = request.getfixturevalue("postgresql")
    engine = sql.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sql.text("drop table if exists cells, studies"))
    engine.dispose()
    return server
