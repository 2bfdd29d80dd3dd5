"""One query of each text through its synapses, compiled: the segments of a cache stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.derived import made_once
from wetware.kernels.compiled import why_not


def refuses(
    cleft: Any,
    query: Tensor,
    keys: tuple[Tensor, ...],
    values: tuple[Tensor, ...],
    first: Tensor,
    state: Any,
    time: int,
    tokens: Tensor,
    dropped: int,
) -> str | None:
    """Why these synapses need their own forward for this chunk, or None."""
    from wetware.synapses.vesicle_release import Vesicles

    if query.shape[1] != 1:
        return f"is for one query, got {query.shape[1]}"
    if torch.is_grad_enabled():
        return "gradients are recorded"
    if reason := why_not():
        return reason
    if cleft.release is not None and (type(cleft.release) is not Vesicles or cleft.release.config.sampler is not None):
        return f"knows VesicleRelease without a sampler, got {type(cleft.release).__name__}"
    for tensor in (query, *keys, *values, *(part for part in state if isinstance(part, Tensor))):
        if not tensor.is_cpu or tensor.dtype != torch.float32:
            return f"needs float32 on the CPU, got {tensor.dtype} on {tensor.device.type}"
    return "autocast would have products in another type" if torch.is_autocast_enabled("cpu") else None


def run(
    cleft: Any,
    query: Tensor,
    keys: tuple[Tensor, ...],
    values: tuple[Tensor, ...],
    first: Tensor,
    state: Any,
    time: int,
    tokens: Tensor,
    dropped: int,
) -> tuple[Tensor, Any]:
    """Same signature and meaning as the forward of :class:`~wetware.synapses.synapse.SynapticCleft`."""
    from wetware.kernels.compiled import threads
    from wetware.synapses import synapse_loops as loops

    batch, _, heads, size = query.shape
    # these are held here, for the loop knows their addresses only
    keys, values = (tuple(part.contiguous() for part in parts) for parts in (keys, values))
    lengths = np.array([part.shape[1] for part in keys])
    count = int(lengths.sum())
    release = query.new_empty(0, 0, 0, 0)
    before, hops = release, release
    if cleft.release:
        before = state.release
        release = before.new_empty(*before.shape[:3], count)
    if cleft.two_hop:
        hops = query.new_empty(batch, count, heads, size)
        hops[:, : count - 1] = state.hops.view(batch, count - 1, heads, size)
    weights = made_once(cleft, "token", lambda: _weights(cleft, loops.Weights))
    mixed = torch.empty_like(query, memory_format=torch.contiguous_format)
    addresses = [np.array([part.data_ptr() for part in parts]) for parts in (keys, values)]
    given = [each.contiguous().numpy() for each in (query[:, 0], first, before)]
    made = [each.numpy() for each in (release, hops, mixed[:, 0])]
    work = np.empty((3, batch, heads, 1, count), np.float32)
    threads.run(
        lambda a, b: loops.ask(weights, *addresses, lengths, *given, time, *made, work, a, b), threads.shares(batch)
    )
    parts = (release[..., dropped:] if cleft.release else (), hops[:, dropped:] if cleft.two_hop else ())
    left = [part.clone() if dropped and isinstance(part, Tensor) else part for part in parts]
    return mixed, type(state)(*left)


def _weights(cleft: Any, kind: Any) -> Any:
    """The parameters as the loop reads them; what is absent is empty."""
    kinetics = cleft.release.kinetics().detach().numpy() if cleft.release else np.zeros((0, 0), np.float32)
    learned = [
        part.detach().numpy() if part is not None else np.zeros(0, np.float32)
        for part in (
            cleft.distance and cleft.distance.slope,
            cleft.septin and cleft.septin.strength,
            cleft.two_hop and cleft.two_hop.strength,
        )
    ]
    return kind(kinetics, *learned, cleft.septin.window if cleft.septin else 1)
