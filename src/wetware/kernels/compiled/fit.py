"""Whether compiled loops can take what they are given: they know the processor's memory only, have one type throughout and look
at no bounds."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wetware.kernels.compiled import why_not

Given = Mapping[str, Tensor | None]


def unfit(given: Given, *kinds: torch.dtype) -> str | None:
    """Why loops cannot take these tensors, which must be on the CPU and all of one of the types ``kinds``, or None. What is not
    given fits."""
    if reason := why_not():
        return reason
    there = {name: tensor for name, tensor in given.items() if tensor is not None}
    first = next(iter(there.values())).dtype
    for name, tensor in there.items():
        if tensor.device.type != "cpu":
            return f"needs tensors on the CPU, got {name} on {tensor.device.type}"
        if tensor.dtype not in kinds or tensor.dtype != first:
            wanted = " or ".join(str(kind).removeprefix("torch.") for kind in kinds)
            return f"needs {wanted}{' throughout' if len(kinds) > 1 else ''}, got {name} of {tensor.dtype}"
    return None


def misshapen(given: Given, shapes: Mapping[str, list[int]]) -> str | None:
    """The first of ``shapes`` that a given tensor does not have, or None."""
    for name, shape in shapes.items():
        tensor = given[name]
        if tensor is not None and list(tensor.shape) != shape:
            return f"needs {name} of {shape}, got {list(tensor.shape)}"
    return None
