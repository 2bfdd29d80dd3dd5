"""What the Triton backends share: whether their kernels can run on a device, and how what they call is made."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def interpreting() -> bool:
    """Whether TRITON_INTERPRET asks for the interpreter now; read as Triton reads it."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


@functools.cache
def installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def why_not(like: Tensor, kernels: str) -> str | None:
    """Why the module ``kernels`` cannot run on the device of ``like`` or not in its type, or None."""
    device = like.device
    if device.type == "cpu" and not interpreting():
        return (
            "the tensors are on the CPU and Triton's interpreter is not on (TRITON_INTERPRET=1 turns it on, for tests)"
        )
    if device.type not in ("cpu", "cuda"):
        return f"needs cuda, got {device.type}"
    if like.dtype not in (torch.float32, torch.float64):
        return f"needs float32 or float64, got {like.dtype}"
    if not installed():
        return "triton is not installed"
    loaded = sys.modules.get(kernels)
    if loaded is not None and interpreting() != loaded.INTERPRETED:
        return "TRITON_INTERPRET was changed after the kernels were first used; it holds from then on"
    if device.type == "cuda" and not interpreting() and torch.version.hip is None:
        capability = torch.cuda.get_device_capability(device)
        if capability < (8, 0):
            return f"Triton needs compute capability 8.0, {device} has {capability}"
    return None


def helper(function: Callable[..., Any]) -> Any:
    """What a kernel calls. In the interpreter a kernel runs as Python, and this can be a plain function: as a jit function it
    would patch the whole of Triton's language at every call, which took most of the time."""
    import triton
    from triton import knobs

    return function if knobs.runtime.interpret else triton.jit(function)


def blocks_of(length: int, block: int) -> int:
    """How many blocks hold ``length`` things."""
    return -(-length // block)
