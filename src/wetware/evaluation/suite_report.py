"""Report: the results of a suite as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wetware.evaluation.document import Document
from wetware.evaluation.suite import Results


def document(heading: str, facts: Sequence[str], results: Results, pictures: Mapping[str, Path]) -> Document:
    """Every table under its title, with its picture (``pictures`` by the measure's name), then what refused and what failed."""
    report = Document(heading)
    report.text("; ".join(facts) + ".")
    for name, table in results.tables.items():
        report.heading(results.titles[name])
        report.table(table.columns, list(table.rows))
        report.text(table.note)
        if name in pictures:
            report.picture(pictures[name], results.titles[name])
    for title, reasons in (("Not asked", results.refused), ("Failed", results.failed)):
        if reasons:
            report.heading(title)
            report.points([f"`{name}`: {reason}" for name, reason in reasons.items()])
    return report
