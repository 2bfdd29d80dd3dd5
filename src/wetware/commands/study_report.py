"""The report of a study as files, and as a picture in the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from wetware.commands.console import Console
from wetware.data.files import write_atomically
from wetware.evaluation.study.arms import ADDED, ANCHOR, LEFT_OUT
from wetware.evaluation.study.report import COLUMNS, TITLES, document, row
from wetware.evaluation.study.results import Outcome, Results, results
from wetware.evaluation.study.store import Store
from wetware.pictures.bands import Curve, bands
from wetware.pictures.verdicts import Row, forest, terminal_forest

MOST_CURVES = 12


def write_report(store: Store, name: str, out: Path, console: Console) -> None:
    """Judge the study and write ``report.md``, ``report.html``, ``results.json``, ``cells.csv``, ``cells.jsonl`` and pictures
    into ``out``; show the verdicts."""
    found = results(store, name)
    out.mkdir(parents=True, exist_ok=True)
    rows = [Row.of(outcome.arm.name, outcome.judged, _group(outcome)) for outcome in found.outcomes if outcome.judged]
    pictures = {}
    if rows:
        pictures["forest"] = forest(rows, found.plan.margin, out / "forest.png", title=name)
    if any(found.curves.values()):
        pictures["curves"] = bands(_curves(found), out / "curves.png", margin=found.plan.margin, title=name)
    report = document(found, pictures)
    write_atomically(out / "report.md", report.markdown())
    write_atomically(out / "report.html", report.html())
    about = {"study": name, "plan": found.digest, "effects": found.effects(), "limits": list(found.limits)}
    write_atomically(out / "results.json", json.dumps(about, indent=1))
    cells = found.rows()
    write_atomically(out / "cells.jsonl", "".join(json.dumps(cell) + "\n" for cell in cells))
    write_atomically(out / "cells.csv", _csv(cells))
    _show(found, rows, console)
    console.print(f"report: {out / 'report.md'}, {out / 'report.html'}; rows: {out / 'cells.csv'}", soft_wrap=True)


def _group(outcome: Outcome) -> str:
    """What a group of the picture is called; where a mechanism is taken out, worse means that it helps."""
    title = TITLES.get(outcome.arm.group, outcome.arm.group)
    meaning = {LEFT_OUT: "worse: it helps", ADDED: "better: it helps"}.get(outcome.arm.group)
    return f"{title} ({meaning})" if meaning else title


def _curves(found: Results) -> dict[str, dict[int, Curve]]:
    """The curves of the anchors and of what differs most from its reference: more could not be told apart."""

    def size(outcome: Outcome) -> float:
        return abs(outcome.judged.effect.mean) if outcome.judged and outcome.arm.group != ANCHOR else float("inf")

    chosen = sorted((o for o in found.outcomes if found.curves[o.arm.name]), key=size, reverse=True)[:MOST_CURVES]
    names = [outcome.arm.name for outcome in found.outcomes if outcome in chosen]
    return {
        name: {seed: Curve(*zip(*points, strict=True)) for seed, points in found.curves[name].items() if points}
        for name in names
    }


def _csv(cells: list[dict]) -> str:
    columns = list(dict.fromkeys(key for cell in cells for key in cell))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: json.dumps(v) if isinstance(v, (list, dict)) else v for key, v in cell.items()} for cell in cells
    )
    return text.getvalue()


def _show(found: Results, rows: list[Row], console: Console) -> None:
    if not console.is_terminal:
        console.width = max(console.width, 160)  # nobody's window: a file has room
    for group in dict.fromkeys(outcome.arm.group for outcome in found.outcomes):
        members = [outcome for outcome in found.outcomes if outcome.arm.group == group]
        table = Table(title=TITLES.get(group, group), title_justify="left", box=None, pad_edge=False)
        for place, column in enumerate(COLUMNS):
            table.add_column(column, justify="left" if place in (0, 5) else "right", overflow="fold", min_width=6)
        for outcome in members:
            table.add_row(*(escape(cell) for cell in row(outcome)))
        console.print(table)
        console.print()
    if rows:
        console.print(terminal_forest(rows, found.plan.margin, min(console.width, 120)), markup=False, soft_wrap=True)
    for line in found.limits:
        console.print(f"[dim]{escape(line)}[/dim]")
