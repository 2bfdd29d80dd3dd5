"""Store: the cells of studies in a database, shared by every worker that can reach it.

SQLite in one file, or any server that SQLAlchemy knows (PostgreSQL is tested). A cell is claimed by one update that names the
state it was seen in, so that of two workers one gets it; a claim is a lease that its worker renews, and a worker that was
taken for dead can no longer write: what it writes names the claim it was given.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any, NamedTuple

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from wetware.config import ConfigError, nearest
from wetware.data.files import DataError, digest
from wetware.evaluation.study.plan import Plan

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
LEASE = 120.0  # seconds without a sign of life after which a worker counts as dead
ATTEMPTS = 3  # workers that may die of a cell before it is given up

_metadata = sql.MetaData()
_studies = sql.Table(
    "studies",
    _metadata,
    sql.Column("name", sql.String(200), primary_key=True),
    sql.Column("digest", sql.String(64), nullable=False),
    sql.Column("plan", sql.Text, nullable=False),
)
_cells = sql.Table(
    "cells",
    _metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("study", sql.String(200), nullable=False),
    sql.Column("place", sql.Integer, nullable=False),
    sql.Column("arm", sql.String(200), nullable=False),
    sql.Column("seed", sql.Integer, nullable=False),
    sql.Column("status", sql.String(10), nullable=False),
    sql.Column("attempts", sql.Integer, nullable=False),
    sql.Column("worker", sql.String(200)),
    sql.Column("seen", sql.Float),
    sql.Column("progress", sql.Float, nullable=False),
    sql.Column("result", sql.Text),
    sql.Column("error", sql.Text),
    sql.UniqueConstraint("study", "arm", "seed"),
)


class Cell(NamedTuple):
    """One arm at one seed. worker: who has or had it. attempts: how often it was begun. result: the row, when done."""

    id: int
    study: str
    arm: str
    seed: int
    status: str
    attempts: int
    worker: str | None
    progress: float
    result: dict[str, Any]
    error: str | None


def this_worker() -> str:
    """A name for this process: host, process number, and when it began."""
    return f"{socket.gethostname()}:{os.getpid()}:{time.time():.0f}"


class Store:
    """Studies and their cells at a database URL (``sqlite:///file.db``, ``postgresql+psycopg://user@host/name``)."""

    def __init__(self, url: str) -> None:
        """Raises :class:`DataError` when the database cannot be opened."""
        self.url = url
        try:
            options: dict[str, Any] = (
                {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
            )
            self.engine = sql.create_engine(url, **options)
            if self.engine.dialect.name == "sqlite":
                event.listen(self.engine, "connect", _settle_sqlite)
                event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("begin immediate"))
            _metadata.create_all(self.engine)
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(f"--store {self.shown!r} cannot be opened: {reason}") from None

    @property
    def shown(self) -> str:
        """The URL without its password."""
        try:
            return sql.make_url(self.url).render_as_string(hide_password=True)
        except SQLAlchemyError:
            return self.url

    # ------------------------------------------------------------------------------------------------------------ studies

    def names(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(sql.select(_studies.c.name).order_by(_studies.c.name)))

    def plan(self, name: str) -> Plan:
        """The plan of a study. Raises ConfigError when there is none of that name, DataError when it was changed."""
        with self.engine.connect() as connection:
            row = connection.execute(sql.select(_studies).where(_studies.c.name == name)).one_or_none()
        if row is None:
            raise ConfigError(f"no study {name!r} in {self.shown}{nearest(name, self.names())}")
        written = json.loads(row.plan)
        if digest(written) != row.digest:
            raise DataError(f"study {name!r}: its plan is no longer the one that was registered ({row.digest})")
        return Plan.from_dict(written)

    def digest(self, name: str) -> str:
        """The digest of a plan as it was registered."""
        with self.engine.connect() as connection:
            return connection.scalar(sql.select(_studies.c.digest).where(_studies.c.name == name)) or ""

    def register(self, plan: Plan) -> None:
        """Write a plan and its cells down, at once or not at all. Raises ConfigError when a study has that name."""
        rows = [
            {
                "study": plan.name,
                "place": place,
                "arm": arm,
                "seed": seed,
                "status": WAITING,
                "attempts": 0,
                "progress": 0.0,
            }
            for place, (arm, seed) in enumerate(plan.cells)
        ]
        try:
            with self.engine.begin() as connection:
                about = {"name": plan.name, "digest": plan.digest, "plan": json.dumps(plan.to_dict())}
                connection.execute(sql.insert(_studies), about)
                connection.execute(sql.insert(_cells), rows)
        except IntegrityError:
            raise ConfigError(f"study {plan.name!r} is already in {self.shown}") from None

    # -------------------------------------------------------------------------------------------------------------- cells

    def cells(self, study: str) -> list[Cell]:
        """Every cell of a study, in the order of its plan."""
        with self.engine.connect() as connection:
            query = sql.select(_cells).where(_cells.c.study == study).order_by(_cells.c.place)
            return [_cell(row) for row in connection.execute(query)]

    def open(self, study: str | None = None) -> int:
        """How many cells are neither done nor failed."""
        query = sql.select(sql.func.count()).select_from(_cells).where(_cells.c.status.in_((WAITING, RUNNING)))
        with self.engine.connect() as connection:
            return connection.scalar(query if study is None else query.where(_cells.c.study == study)) or 0

    def claim(self, worker: str, study: str | None = None) -> Cell | None:
        """The next cell that waits, or whose worker is dead; None when there is none now. No other worker gets the same."""
        while True:
            with self.engine.begin() as connection:
                now = self._now(connection)
                free = (_cells.c.status == WAITING) | ((_cells.c.status == RUNNING) & (_cells.c.seen < now - LEASE))
                query = sql.select(_cells).where(free if study is None else free & (_cells.c.study == study))
                row = connection.execute(query.order_by(_cells.c.study, _cells.c.place).limit(1)).first()
                if row is None:
                    return None
                as_seen = (
                    (_cells.c.id == row.id) & (_cells.c.status == row.status) & (_cells.c.attempts == row.attempts)
                )
                if row.attempts >= ATTEMPTS:
                    message = f"{row.attempts} workers died of it"
                    connection.execute(sql.update(_cells).where(as_seen).values(status=FAILED, error=message))
                    continue
                claimed = {"status": RUNNING, "worker": worker, "seen": now, "attempts": row.attempts + 1}
                if connection.execute(sql.update(_cells).where(as_seen).values(**claimed)).rowcount == 1:
                    return _cell(row)._replace(status=RUNNING, worker=worker, attempts=row.attempts + 1)

    def alive(self, cell: Cell, progress: float) -> bool:
        """Renew the lease of a claimed cell; False when it is no longer ours."""
        with self.engine.begin() as connection:
            values = {"seen": self._now(connection), "progress": progress}
            return connection.execute(sql.update(_cells).where(_mine(cell)).values(**values)).rowcount == 1

    def done(self, cell: Cell, result: dict[str, Any]) -> bool:
        return self._end(cell, status=DONE, progress=1.0, result=json.dumps(result))

    def failed(self, cell: Cell, error: str) -> bool:
        return self._end(cell, status=FAILED, error=error[:4000])

    def release(self, cell: Cell) -> bool:
        """Give a claimed cell back: its worker was asked to stop. It does not count as an attempt."""
        return self._end(cell, status=WAITING, attempts=cell.attempts - 1)

    def release_dead(self, study: str, *, forgive: bool = False) -> int:
        """Give back what dead processes of this machine held, without waiting for their leases to end; how many that were.

        ``forgive``: it was not the cell that killed them, as when a person begins again after a power cut.
        """
        freed = 0
        for cell in self.cells(study):
            if cell.status == RUNNING and cell.worker and _is_dead(cell.worker):
                freed += self._end(cell, status=WAITING, attempts=cell.attempts - forgive)
        return freed

    def retry(self, study: str) -> int:
        """Let failed cells be tried again."""
        again = {"status": WAITING, "attempts": 0, "error": None, "progress": 0.0}
        with self.engine.begin() as connection:
            failed = (_cells.c.study == study) & (_cells.c.status == FAILED)
            return connection.execute(sql.update(_cells).where(failed).values(**again)).rowcount

    def _end(self, cell: Cell, **values: Any) -> bool:
        with self.engine.begin() as connection:
            return connection.execute(sql.update(_cells).where(_mine(cell)).values(**values)).rowcount == 1

    def _now(self, connection: sql.Connection) -> float:
        """The database's clock: workers of several machines need not agree on the time."""
        sqlite = self.engine.dialect.name == "sqlite"
        seconds = "(julianday('now') - 2440587.5) * 86400.0" if sqlite else "extract(epoch from clock_timestamp())"
        return float(connection.scalar(sql.text(f"select {seconds}")))


def _mine(cell: Cell) -> Any:
    """The claim as it was given: a later one of the same cell is another."""
    same = (_cells.c.id == cell.id) & (_cells.c.worker == cell.worker) & (_cells.c.attempts == cell.attempts)
    return same & (_cells.c.status == RUNNING)


def _cell(row: Any) -> Cell:
    result = json.loads(row.result) if row.result else {}
    return Cell(
        row.id, row.study, row.arm, row.seed, row.status, row.attempts, row.worker, row.progress, result, row.error
    )


def _is_dead(worker: str) -> bool:
    host, process, _ = worker.rsplit(":", 2)
    if host != socket.gethostname() or sys.platform == "win32":
        return False  # another machine (or one where nobody may ask): only its lease can tell
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _settle_sqlite(connection: Any, _: Any) -> None:
    # Transactions begin with the lock for writing: one that reads first and then writes could fail, not wait.
    connection.isolation_level = None
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
