"""Phases: how runs with a curriculum stood at the end of each phase, from what they wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from wetware.training import CheckpointError
from wetware.training.metrics import read


class PhaseEnd(NamedTuple):
    """The end of a phase: the means over the ``runs`` that reached it.

    chunk: tokens of a chunk. why: what ended it, how often. tokens: read in it. loss: nats per token, and perplexity, of the
    phase's own held-out text. firing: spikes per neuron and token there; None without neurons. fixed: bits per byte of the
    held-out whole text, which is the same for every phase.
    """

    name: str
    chunk: int
    runs: int
    why: dict[str, int]
    tokens: float
    loss: float
    perplexity: float
    firing: float | None
    fixed: float


def phase_rows(folder: str | Path, event: str = "end") -> list[dict[str, Any]]:
    """What a run wrote at the ``end`` (or ``start``) of each phase, in order; the last time for one that ended twice, since its
    run went on."""
    if not (Path(folder) / "metrics.jsonl").exists():
        return []
    rows = [row for row in read(folder) if row.get("kind") == "phase" and row["event"] == event]
    return [row for _, row in sorted({row["number"]: row for row in rows}.items())]


def alike(folders: Iterable[str | Path]) -> list[list[Path]]:
    """Runs in groups, in their order: those of a group differ in the seed alone. Raises CheckpointError for what is no run, or
    had no phase that ended."""
    groups: dict[str, list[Path]] = {}
    for folder in map(Path, folders):
        if not (folder / "metrics.jsonl").exists() or not (folder / "config.json").exists():
            raise CheckpointError(f"{str(folder)!r} is no run's folder: config.json and metrics.jsonl are looked for")
        if not phase_rows(folder):
            raise CheckpointError(f"{str(folder)!r} tells of no phase that ended: was it trained with a curriculum?")
        config = json.loads((folder / "config.json").read_text())
        key = json.dumps({**config, "seed": None, "monitoring": None}, sort_keys=True)
        groups.setdefault(key, []).append(folder)
    return list(groups.values())


def phase_ends(folders: Iterable[str | Path]) -> list[PhaseEnd]:
    """The end of every phase, on average over runs that are alike."""
    ends: dict[int, list[dict[str, Any]]] = {}
    for folder in folders:
        for row in phase_rows(folder):
            ends.setdefault(row["number"], []).append(row)
    return [_mean(rows) for _, rows in sorted(ends.items())]


def _mean(rows: list[dict[str, Any]]) -> PhaseEnd:
    first, firing = rows[0], [row["mean_firing"] for row in rows if row["mean_firing"] is not None]
    reasons = [row["why"] for row in rows]
    tokens, loss, perplexity, fixed = (
        fmean(row[name] for row in rows) for name in ("phase_tokens", "loss", "perplexity", "fixed_bits_per_byte")
    )
    why = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    rate = fmean(firing) if firing else None
    return PhaseEnd(first["phase"], first["chunk"], len(rows), why, tokens, loss, perplexity, rate, fixed)
