"""Arguments on which every backend of ``graded_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.lif_scan.cases import cases as lif_cases
from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Those of ``lif_scan`` with a graded last output, at the default slope and at a steeper one."""
    for index, (name, (current, state, *rest), keywords) in enumerate(lif_cases()):
        state = state._replace(spikes=torch.sigmoid(state.spikes - state.membrane))
        yield Case(name, (current, state, *rest), keywords | {"slope": (2.0, 5.0)[index % 2]})
