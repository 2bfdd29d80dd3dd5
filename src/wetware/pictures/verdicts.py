"""What a study found, arm by arm: a forest plot, and the same in characters."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wetware.config import ConfigError
from wetware.pictures.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wetware.evaluation.statistics import Judged

GREY, INK = "0.45", "0.15"
# By the first word of the verdict, told apart by shape too: colour, marker of the picture, mark of the terminal.
MARKS = {
    "better": (COLOURS[0], "<", "◀"),
    "worse": (COLOURS[1], ">", "▶"),
    "equivalent": (COLOURS[2], "s", "■"),
    "undecided": (GREY, "o", "○"),
}
FAR = 4  # times the margin, or what is usual among the arms: beyond that one arm would hide what the others do


class Row(NamedTuple):
    """An arm of a forest plot. differences: arm minus reference in held-out bits per byte, one a seed. interval: of their
    mean, None for one seed. p, equivalence_p: corrected, None where there is no test. Rows of one ``group`` stand together
    under its name; those of "" under none."""

    name: str
    group: str
    differences: Sequence[float]
    interval: tuple[float, float] | None
    p: float | None
    verdict: str
    equivalence_p: float | None = None

    @classmethod
    def of(cls, name: str, judged: Judged, group: str = "") -> Row:
        """The row of an arm that ``evaluation.statistics.family`` has judged."""
        effect = judged.effect
        return cls(name, group, effect.differences, effect.interval, judged.p, judged.verdict, judged.equivalence_p)

    @property
    def mean(self) -> float:
        return math.fsum(self.differences) / len(self.differences)

    @property
    def ends(self) -> tuple[float, float]:
        """Of its interval, or of the point where there is none."""
        return self.interval or (self.mean, self.mean)

    @property
    def mark(self) -> tuple[str, str, str]:
        return MARKS.get(self.verdict.split(",")[0], MARKS["undecided"])


# ------------------------------------------------------------------------------------------------------------------ forest


def forest(
    rows: Sequence[Row],
    margin: float,
    file: str | Path,
    reference: str = "reference",
    title: str = "",
    confidence: float = 0.95,
) -> Path:
    """The mean effect of every arm with its interval, its seeds as faint dots, the margin of equivalence as a band around 0,
    and beside them the figures and the verdict: a picture, PNG, SVG or PDF by the suffix of ``file``. Arms stand in the order
    given, those of a group together. What is far outside is cut off with an arrow; its figure stands beside it."""
    return save(forest_figure(rows, margin, reference, title, confidence), file)


def forest_figure(
    rows: Sequence[Row], margin: float, reference: str = "reference", title: str = "", confidence: float = 0.95
) -> Figure:
    """The picture itself."""
    from matplotlib.figure import Figure

    lines, (low, high) = list(grouped(rows)), reach(rows, margin)
    figure = Figure(figsize=(10, 1.5 + 0.3 * len(lines) + (0.3 if title else 0)), layout="constrained")
    axis = figure.subplots()
    axis.axvspan(-margin, margin, color="0.925", zorder=0, linewidth=0)
    axis.axvline(0, color=GREY, linewidth=0.9, zorder=1)
    columns = _columns(rows)
    beside: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "va": "center",
        "fontsize": 9,
        "color": INK,
    }
    for place, line in enumerate(lines):
        if isinstance(line, str):
            axis.annotate(line, (0, place), (-8, 0), ha="right", weight="bold", **beside)
            continue
        axis.axhline(place, color="0.88", linewidth=0.6, zorder=0.5)
        axis.annotate(line.name, (0, place), (-8, 0), ha="right", **beside)
        for _, x, align, write in columns:
            axis.annotate(write(line), (1, place), (x, 0), ha=align, **beside)
        _forest_row(axis, place, line, low, high)
    above: dict[str, Any] = {"textcoords": "offset points", "va": "bottom", "fontsize": 8, "color": GREY}
    for heading, x, align, _ in columns:
        axis.annotate(heading, (1, 1), (x, 5), "axes fraction", ha=align, **above)
    for text, x, align in (("← better", -6, "right"), ("worse →", 6, "left")):
        axis.annotate(text, (0, 1), (x, 5), ("data", "axes fraction"), ha=align, **above)
    _frame(axis, (low, high), len(lines))
    axis.set_xlabel(f"held-out bits per byte, arm minus {reference}", fontsize=9, color=INK)
    legend = f"mean and {100 * confidence:g} % interval; a small dot is a seed; the band is ±{margin:g}"
    axis.annotate(legend, (0.5, 0), (0, -38), "axes fraction", ha="center", **above)
    if title:
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)
    return figure


def _forest_row(axis: Any, place: int, row: Row, low: float, high: float) -> None:
    colour, marker, _ = row.mark
    inside = [value for value in row.differences if low <= value <= high]
    below = [place + 0.24] * len(inside)
    axis.plot(inside, below, "o", color=colour, alpha=0.4, markersize=3, markeredgewidth=0, zorder=2)
    ends = [min(max(end, low), high) for end in row.ends]
    axis.plot(ends, [place, place], "-", color=colour, linewidth=2, solid_capstyle="butt", zorder=3)
    for end, shown in zip(row.ends, ends, strict=True):
        if end != shown:  # an arrow: it goes on
            shape = "<" if end < low else ">"
        else:
            shape = "|" if row.interval else ""
        axis.plot([shown], [place], shape, color=colour, markersize=6, markeredgewidth=1.5, clip_on=False, zorder=3)
    if low <= row.mean <= high:
        face = "white" if marker == "o" else colour
        axis.plot([row.mean], [place], marker, color=colour, markersize=6, markerfacecolor=face, zorder=4)


def _frame(axis: Any, ends: tuple[float, float], lines: int) -> None:
    axis.set_xlim(*ends)
    axis.set_ylim(lines - 0.35, -0.65)
    axis.set_yticks([])
    axis.tick_params(labelsize=8, color=GREY, labelcolor=INK)
    axis.locator_params(axis="x", nbins=8)
    for side in ("left", "top", "right"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(GREY)


def _columns(rows: Sequence[Row]) -> list[tuple[str, float, str, Callable[[Row], str]]]:
    """Heading, place in points right of the axis, alignment, and what is written of a row."""
    made: list[tuple[str, float, str, Callable[[Row], str]]] = [
        ("effect", 58, "right", lambda row: f"{row.mean:+.4f}".replace("-", "−")),
        ("corrected p,\ndifferent", 124, "right", lambda row: _p(row.p)),
    ]
    if any(row.equivalence_p is not None for row in rows):
        made.append(("corrected p,\nin the band", 188, "right", lambda row: _p(row.equivalence_p)))
    return [*made, ("verdict", made[-1][1] + 16, "left", lambda row: row.verdict)]


def _p(p: float | None) -> str:
    if p is None:
        return "none"
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def grouped(rows: Sequence[Row]) -> Iterator[str | Row]:
    """The rows group by group, in the order in which the groups first come, each after its name."""
    if not rows:
        raise ConfigError("no arm to draw: allowed one or more")
    for group in dict.fromkeys(row.group for row in rows):
        if group:
            yield group
        yield from (row for row in rows if row.group == group)


def reach(rows: Sequence[Row], margin: float) -> tuple[float, float]:
    """Both ends of the axis: as far as the arms go, but for those that lie far beyond what is usual among them."""
    values = [(*row.ends, *row.differences) for row in rows]
    most = usual(values, margin)
    low, high = -1.3 * margin, 1.3 * margin
    for row in values:
        if max(map(abs, row)) <= most:
            low, high = min(low, *row), max(high, *row)
    room = 0.06 * (high - low)
    return low - room, high + room


def usual(values: Sequence[Sequence[float]], margin: float) -> float:
    """How far from 0 the values of an arm may lie without hiding what the other arms do."""
    return FAR * max(margin, statistics.median(max(map(abs, arm)) for arm in values))


# ---------------------------------------------------------------------------------------------------------------- terminal


def terminal_forest(rows: Sequence[Row], margin: float, width: int = 100) -> str:
    """The same in characters, at most ``width`` a line where names and verdicts leave room for it: the margin shaded, seeds as
    dots, the interval as a line. The p is that of the verdict: of equivalence where that is what was shown, else of a
    difference."""
    lines, ends = list(grouped(rows)), reach(rows, margin)
    said = [_said(line) for line in lines if isinstance(line, Row)]
    names = min(max(len(row.name) for row in rows), max(30, width // 3))
    size = max(width - names - max(map(len, said)) - 4, 20)
    scale = Scale(*ends, size)
    written, texts = [f"{'':{names}}  {scale.heading()}"], iter(said)
    for line in lines:
        if isinstance(line, Row):
            written.append(f"{_cut(line.name, names):>{names}}  {_terminal_row(line, margin, scale)}  {next(texts)}")
        else:
            written.append(line)
    written.append(f"{'':{names}}  {scale.ticks()}")
    return "\n".join(line.rstrip() for line in written)


class Scale(NamedTuple):
    """An axis in characters: ``size`` of them from ``low`` to ``high``."""

    low: float
    high: float
    size: int

    def at(self, value: float) -> int:
        """The character nearest to ``value``, at the ends for what is outside."""
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * (self.size - 1))

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def heading(self) -> str:
        zero = self.at(0)
        return f"{'better ◂' if zero >= 8 else '':>{zero}} ▸ worse"

    def ticks(self) -> str:
        low, high, zero = f"{self.low:.3g}", f"{self.high:+.3g}", self.at(0)
        line = f"{low}{high:>{self.size - len(low)}}"
        if line[zero - 1 : zero + 2].isspace():
            line = f"{line[:zero]}0{line[zero + 1 :]}"
        return line


def _terminal_row(row: Row, margin: float, scale: Scale) -> str:
    cells = ["░" if scale.at(-margin) <= place <= scale.at(margin) else " " for place in range(scale.size)]
    cells[scale.at(0)] = "│"
    low, high = map(scale.at, row.ends)
    cells[low : high + 1] = "─" * (high + 1 - low)
    for value in filter(scale.holds, row.differences):
        cells[scale.at(value)] = "·"
    for end, place, tick, arrow in zip(row.ends, (low, high), "├┤", "◁▷", strict=True):
        if row.interval:
            cells[place] = tick if scale.holds(end) else arrow
    if scale.holds(row.mean):
        cells[scale.at(row.mean)] = row.mark[2]
    return "".join(cells)


def _said(row: Row) -> str:
    p = row.equivalence_p if row.verdict == "equivalent" and row.equivalence_p is not None else row.p
    return f"{row.mean:+.4f}  p {_p(p):>6}  {row.verdict.replace('by less than the margin', '< margin')}"


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
