"""Elementary cellular automata: rows of bits, each made of the one above by a rule on neighbours."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def cellular_automaton(
    rule: int, width: int, steps: int, generator: Generator, fresh_every: int | None = None
) -> Tensor:
    """``steps`` rows of ``width`` bits (bool [steps, width]) by an elementary rule from 0 to 255 (Wolfram, 1983)::

        bit[t + 1, i] = (rule >> (4 bit[t, i - 1] + 2 bit[t, i] + bit[t, i + 1])) & 1     on a ring

    The first row is random. So is every ``fresh_every``-th (None: no other), and every row in whose place the rule would
    repeat one that was there before: from there on the orbit would only go round. Raises ValueError for another rule.
    """
    if not 0 <= rule <= 255:
        raise ValueError(f"rule = {rule}: elementary rules are numbered from 0 to 255")
    table = torch.tensor([bool(rule >> pattern & 1) for pattern in range(8)])
    rows, seen = torch.empty(steps, width, dtype=torch.bool), set()
    for step in range(steps):
        row = _next(rows[step - 1], table) if step else None
        if row is None or (fresh_every and step % fresh_every == 0) or _key(row) in seen:
            row = torch.randint(0, 2, (width,), generator=generator, dtype=torch.bool)
        seen.add(_key(row))
        rows[step] = row
    return rows


def _next(row: Tensor, table: Tensor) -> Tensor:
    bits = row.long()
    return table[4 * bits.roll(1) + 2 * bits + bits.roll(-1)]


def _key(row: Tensor) -> bytes:
    return row.numpy().tobytes()
