"""``wetware study``: draw up a plan, train its cells in parallel processes, and report."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from wetware.commands.common import device
from wetware.commands.console import Console
from wetware.commands.progress import clock
from wetware.commands.study_report import write_report
from wetware.commands.train import configure
from wetware.config import ConfigError
from wetware.data import DataError, corpus_from
from wetware.data.files import write_atomically
from wetware.evaluation.study import Change, Plan, Study, draw_up
from wetware.evaluation.study.store import DONE, FAILED, RUNNING, Cell, Store
from wetware.evaluation.study.worker import Worker
from wetware.recipes import study as study_of
from wetware.training.memory import keep_buffers

POLL = 1.0  # seconds between looks at the store
VARIABLE = "WETWARE_STORE"  # a URL may hold a password, and command lines can be seen by everyone on a machine
HOPELESS = 5  # workers that die one after the other before they begin a cell


def run(arguments: argparse.Namespace) -> int:
    if arguments.recipe in ("work", "report"):
        arguments.url = arguments.url or os.environ.get(VARIABLE)
        if not arguments.url:
            raise ConfigError(f"wetware study {arguments.recipe}: which database? Give its URL, or set {VARIABLE}")
        return _work(arguments) if arguments.recipe == "work" else _report(arguments)
    if arguments.url is not None:
        raise ConfigError(f"unexpected {arguments.url!r}: only 'work' and 'report' are followed by a database")
    return _study(arguments)


def url_of(given: str) -> str:
    """A database URL; the path of an SQLite file, or of the folder of a study, stands for one."""
    path = Path(given)
    if "://" in given:
        return given
    if path.is_dir() and (path / "study.db").exists():
        path = path / "study.db"
    if not path.is_file():
        raise DataError(f"no database {given!r}: give a study's folder, an SQLite file, or a URL")
    return f"sqlite:///{path}"


# ------------------------------------------------------------------------------------------------------------- the study


def _study(arguments: argparse.Namespace) -> int:
    console, study = Console(), asked(arguments)
    name = arguments.name or arguments.recipe
    out = Path(arguments.out or Path("runs") / "studies" / name)
    url = arguments.store or f"sqlite:///{out / 'study.db'}"
    if "://" not in url:
        raise ConfigError(
            f"--store {url!r}: expected a database URL, as sqlite:///file.db or postgresql+psycopg://host/name"
        )
    workers = arguments.workers or max(1, (os.cpu_count() or 1) // (arguments.threads or 1))
    threads = arguments.threads or max(1, (os.cpu_count() or 1) // workers)
    keep_buffers()
    command = shlex.join(["wetware", *(word for word in arguments.words if word not in ("--resume", "--plan"))])
    if arguments.plan:
        plan = _drawn(name, study, threads, command, console)
        console.print(escape(plan.markdown()), soft_wrap=True)
        return 0
    with _claimed(out):
        store = Store(url)
        plan = _registered(store, name, study, threads, command, out, arguments, console)
        stopped = _tend(store, plan, out, workers, arguments.device, console)
        if stopped:
            console.print("stopped; the same command with --resume goes on")
            return 128 + stopped
        write_report(store, name, out, console)
        failures = sum(cell.status == FAILED for cell in store.cells(name))
        return 1 if failures else 0


def asked(arguments: argparse.Namespace) -> Study:
    """The study of that name with what the command line says otherwise."""
    study = study_of(arguments.recipe)
    base = study.run if arguments.data is None else replace(study.run, corpus=corpus_from(arguments.data))
    study = replace(study, run=configure(base, arguments.settings))
    changes = []
    for control in arguments.control:
        settings = []
        for setting in control.split(","):
            path, sign, value = setting.partition("=")
            if not sign or not path:
                raise ConfigError(f"--control {control!r}: expected PATH=VALUE, as in model.encoder=CurrentEncoder")
            settings.append((path, value))
        changes.append(Change(control, tuple(settings)))
    given = {
        "leave_out": _paths(arguments.leave_out),
        "add": _paths(arguments.add),
        "changes": (*study.changes, *changes) if changes else None,
        "tokens": arguments.tokens,
        "seeds": arguments.seeds,
        "margin": arguments.margin,
        "held_out": arguments.held_out,
        "match": False if arguments.no_match else None,
    }
    if arguments.add is not None and arguments.leave_out is None:
        given["leave_out"] = ()  # who asks for one side is not given both
    study = replace(study, **{key: value for key, value in given.items() if value is not None})
    return replace(study, plain=None) if arguments.no_plain else study


def _paths(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(path.strip() for path in text.split(",") if path.strip() and path.strip() != "none")


@contextmanager
def _claimed(out: Path) -> Generator[None]:
    """One process tends a study at a time."""
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"another process tends the study in {str(out)!r}; add workers: wetware study work URL"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _registered(
    store: Store,
    name: str,
    study: Study,
    threads: int,
    command: str,
    out: Path,
    arguments: argparse.Namespace,
    console: Console,
) -> Plan:
    """The plan: as it was registered, when there is one; else drawn up, written down, and registered."""
    if name in store.names():
        if not arguments.resume:
            raise ConfigError(
                f"{store.shown} holds a study {name!r} already: --resume goes on with it, --name names another"
            )
        plan = store.plan(name)
        if not plan.asks(draw_up(name, study, measure=False)):
            raise ConfigError(f"--resume: study {name!r} was registered with another plan; use --name for a new one")
        freed, again = store.release_dead(name, forgive=True), store.retry(name) if arguments.retry_failed else 0
        done = sum(cell.status == DONE for cell in store.cells(name))
        console.print(f"resumed {name}: {done} of {len(plan.cells)} cells are done" + _also(freed, again))
    else:
        plan = _drawn(name, study, threads, command, console)
        write_atomically(out / "preregistration.md", plan.markdown())  # before the first cell, whatever comes after
        store.register(plan)
        console.print(f"pre-registered in {out / 'preregistration.md'}, digest {plan.digest}", soft_wrap=True)
    return plan


def _also(freed: int, again: int) -> str:
    said = [f"{freed} taken back from workers that died"] if freed else []
    said += [f"{again} failed ones are tried again"] if again else []
    return "".join(f"; {text}" for text in said)


def _drawn(name: str, study: Study, threads: int, command: str, console: Console) -> Plan:
    columns = (BarColumn(bar_width=16), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        return draw_up(
            name,
            study,
            threads=threads,
            command=command,
            progress=lambda text, share: bar.update(task, completed=share, description=text),
        )


# ------------------------------------------------------------------------------------------------------------- its workers


def _tend(store: Store, plan: Plan, out: Path, workers: int, place: str, console: Console) -> int | None:
    """Keep ``workers`` processes at work until no cell is open; gives the signal that stopped it, if one did."""
    total = sum(plan.seconds(arm) for arm, _ in plan.cells)
    left = sum(plan.seconds(cell.arm) for cell in store.cells(plan.name) if cell.status not in (DONE, FAILED))
    console.print(
        f"{len(plan.arms)} arms x {plan.seeds} seeds = {len(plan.cells)} cells; about {clock(left / workers)} of training on "
        f"{workers} worker{'s' * (workers > 1)}, evaluations beside it; cells in {out / 'cells'}",
        soft_wrap=True,
    )
    caught: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _: caught.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    crew = _Crew(store, plan, out, workers, place)
    columns = (BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=total)
            watch = _Watch(plan, console)
            while store.open(plan.name) and not caught:
                cells = store.cells(plan.name)
                crew.keep_up(sum(cell.attempts for cell in cells))
                bar.update(task, **watch.look(cells))
                time.sleep(POLL)
            watch.look(store.cells(plan.name))
        crew.stop(interrupt=bool(caught))
    except BaseException:
        crew.stop(interrupt=True)
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return caught[0] if caught else None


class _Crew:
    """The worker processes. One that dies is replaced: the store counts how often a cell takes its worker with it."""

    def __init__(self, store: Store, plan: Plan, out: Path, workers: int, device: str) -> None:
        self.store, self.study, self.out, self.deaths, self.begun = store, plan.name, out, 0, -1
        self.processes: list[subprocess.Popen | None] = [None] * workers
        self.command = [sys.executable, "-m", "wetware", "study", "work", "--name", plan.name]
        self.command += ["--threads", str(plan.threads), "--device", device]
        self.command += ["--out", str(out), "--parent", str(os.getpid())]
        self.environment = {**os.environ, VARIABLE: store.url}

    def keep_up(self, begun: int) -> None:
        """Start who is missing; ``begun`` counts the attempts at cells so far, by which a death is told from a false start."""
        if begun != self.begun:
            self.begun, self.deaths = begun, 0
        for place, process in enumerate(self.processes):
            if process is not None and (process.poll() is None or process.returncode == 0):
                continue
            log = self.out / f"worker-{place + 1}.log"
            if process is not None:
                self.deaths += 1
                self.store.release_dead(self.study)  # what it was at is tried again, but not for ever
            if self.deaths >= HOPELESS:
                raise DataError(f"workers die before they begin a cell; the last one said why in {str(log)!r}")
            with log.open("ab") as file:
                # A session of its own: Ctrl-C reaches it through us, once, and not through the terminal as well.
                self.processes[place] = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                    env=self.environment,
                )

    def stop(self, interrupt: bool) -> None:
        for process in self.processes:
            if process is not None and process.poll() is None and interrupt:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            if process is not None:
                process.wait()


class _Watch:
    """What the cells do, as lines and as one line."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.plan, self.console = plan, console
        self.told: set[int] | None = None
        self.started, self.at_start = time.monotonic(), 0.0
        self.said = 0.0

    def look(self, cells: list[Cell]) -> dict:
        work = {cell.id: self.plan.seconds(cell.arm) for cell in cells}
        ended = [cell for cell in cells if cell.status in (DONE, FAILED)]
        done = sum(work[cell.id] for cell in ended)
        done += sum(work[cell.id] * cell.progress for cell in cells if cell.status == RUNNING)
        if self.told is None:
            self.told, self.at_start = {cell.id for cell in ended}, done
        for cell in ended:
            if cell.id not in self.told:
                self.told.add(cell.id)
                self._tell(cell, len(ended), len(cells))
        spent, gained = time.monotonic() - self.started, done - self.at_start
        left = clock((sum(work.values()) - done) * spent / gained) if gained > 0 else "?"
        running = [f"{cell.arm} #{cell.seed} {cell.progress:.0%}" for cell in cells if cell.status == RUNNING]
        line = f"{len(ended)} of {len(cells)} cells, {left} left; now {', '.join(running) or 'starting'}"
        if not self.console.is_terminal and time.monotonic() - self.said > 60:
            self.said = time.monotonic()
            self.console.print(escape(line), soft_wrap=True)
        return {"completed": done, "description": escape(line)}

    def _tell(self, cell: Cell, ended: int, total: int) -> None:
        if cell.status == FAILED:
            said = f"[red]failed: {escape(cell.error or '')}[/red]"
        else:
            said = f"[bold]{cell.result['bits_per_byte']:.4f}[/bold] bits per byte"
        self.console.print(f"{ended:4d}/{total}  {escape(cell.arm)}, seed {cell.seed}: {said}", soft_wrap=True)


# ---------------------------------------------------------------------------------------------------- work and report alone


def _work(arguments: argparse.Namespace) -> int:
    keep_buffers()
    console, store, where = Console(), Store(url_of(arguments.url)), device(arguments)
    if arguments.name is not None:
        store.plan(arguments.name)
    out = Path(arguments.out or Path("runs") / "studies")
    say = lambda text: console.print(escape(text), soft_wrap=True)  # noqa: E731
    cells = out / "cells"
    stopped = Worker(store, cells, arguments.name, device=where, parent=arguments.parent, say=say).work()
    return 0 if stopped is None else 128 + stopped


def _report(arguments: argparse.Namespace) -> int:
    store = Store(url_of(arguments.url))
    names = store.names()
    if arguments.name is None and len(names) != 1:
        raise ConfigError(f"--name which? {store.shown} holds {', '.join(names) or 'no study'}")
    name = arguments.name or names[0]
    write_report(store, name, Path(arguments.out or Path("runs") / "studies" / name), Console())
    return 0
