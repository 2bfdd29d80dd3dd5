"""Markdown: the results of a suite as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wetware.evaluation.measure import Table
from wetware.evaluation.suite import Results


def page(heading: str, facts: Sequence[str], results: Results, pictures: Mapping[str, str]) -> str:
    """Every table under its title, with its picture (``pictures``: measure to file, relative to the page), then what refused
    and what failed."""
    parts = [f"# {_text(heading)}", "; ".join(facts) + "."]
    for name, table in results.tables.items():
        parts += [f"## {_text(results.titles[name])}", rows(table)]
        if table.note:
            parts.append(_text(table.note))
        if name in pictures:
            parts.append(f"![{_text(results.titles[name])}]({pictures[name]})")
    for heading, reasons in (("Not asked", results.refused), ("Failed", results.failed)):
        if reasons:
            parts += [f"## {heading}", "\n".join(f"- `{name}`: {_text(reason)}" for name, reason in reasons.items())]
    return "\n\n".join(parts) + "\n"


def rows(table: Table) -> str:
    """A table in Markdown: the first column to the left, figures to the right."""
    line = lambda cells: "| " + " | ".join(_text(cell) or " " for cell in cells) + " |"  # noqa: E731
    rule = "|" + "|".join(["---", *["---:"] * (len(table.columns) - 1)]) + "|"
    return "\n".join([line(table.columns), rule, *(line(row) for row in table.rows)])


def _text(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
