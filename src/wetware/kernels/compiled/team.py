"""Threads that work on one sequence together and wait for each other many times a token.

A wait is a loop that reads a counter: no system call, a tenth of a microsecond when the others are nearly there. It must
only be entered by threads that run at the same time (:func:`wetware.kernels.compiled.threads.together`).
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wetware.kernels.compiled import vectors
from wetware.kernels.compiled.jit import jit

PATIENCE = 2000
"""Turns of waiting (some tens of microseconds) after which the core is offered to others."""


def _arrive_(typingctx: Any, counter: Any) -> Any:
    """Add 1 to ``counter[0]`` (int64), for all threads to see, and with it all that was written before."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = context.make_array(signature.args[0])(context, builder, values[0]).data
        builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "acq_rel")
        return context.get_dummy_value()

    return types.void(counter), codegen


def _count_(typingctx: Any, counter: Any) -> Any:
    """``counter[0]`` as it is now, and with it all that others wrote before they arrived."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(counter), codegen


def _pause_(typingctx: Any) -> Any:
    """Tell the processor that this is a loop that waits."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if "sse2" in vectors.features():
            builder.call(vectors.llvm_function(builder, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
        return context.get_dummy_value()

    return types.void(), codegen


def _give_way_(typingctx: Any) -> Any:
    """Let another thread have this core, where the system can be asked for that."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if sys.platform != "win32":
            builder.call(vectors.llvm_function(builder, "sched_yield", ir.IntType(32), []), [])
        return context.get_dummy_value()

    return types.void(), codegen


_give_way: Any = intrinsic(_give_way_)
_arrive: Any = intrinsic(_arrive_)
_count: Any = intrinsic(_count_)
_pause: Any = intrinsic(_pause_)


@jit
def wait(counter, turn, parts):
    """Wait until all ``parts`` threads have come here for the ``turn``-th time (from 1); ``counter`` [1] of int64 starts at 0.
    Gives the next turn."""
    if parts > 1:
        _arrive(counter)
        spins = 0
        while _count(counter) < turn * parts:
            _pause()
            spins += 1
            if spins % PATIENCE == 0:  # the other thread may be waiting for the very core that this one spins on
                _give_way()
    return turn + 1
