"""One pass over a matrix that is changed and read at every token: rows are loaded once, changed, stored, and met by all that
ask for them, with every sum over rows in registers. numba's own loops keep those sums in memory, at twice the time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.vectors import LANES, LONG, Storage, llvm_function, loop, multiply_add, splat

WIDE = 4
"""Vectors in a block of columns."""


def sweep(updates: int, sums: int, asks: int, vectors: int) -> Any:
    """For a block of 16 ``vectors`` columns of a matrix M [R, C], from ``column`` on::

        M_r   = gain M_r + sum over updates of f_r x
        y     = sum_r f_r M_r             for each of the sums
        a_r  += M_r . x                   where it asks (0 or 1 times)

    Arguments: M, gain; a tuple of factors f [R], those of the updates and then those of the sums; a tuple of rows of C numbers,
    the x of the updates, the y, and the x that it asks with; a [R]; column. All of one type, float32 or float64, contiguous.
    """

    @intrinsic
    def kernel(typingctx, matrix, gain, factors, rows, answers, column):
        def codegen(context, builder, signature, values):
            def storages(at):
                items = enumerate(signature.args[at].types)
                return [Storage(context, builder, kind, builder.extract_value(values[at], n)) for n, kind in items]

            kind = signature.args[0]
            whole = Storage(context, builder, kind, values[0])
            height, width = cgutils.unpack_tuple(builder, context.make_array(kind)(context, builder, values[0]).shape)
            weights, lines = storages(2), storages(3)
            answer = Storage(context, builder, signature.args[4], values[4])
            number = context.get_value_type(kind.dtype)
            wide = ir.VectorType(number, LANES)
            columns = [builder.add(values[5], LONG(LANES * part)) for part in range(vectors)]
            added = [[line.vector(at) for at in columns] for line in lines[:updates]]
            asked = [[line.vector(at) for at in columns] for line in lines[updates + sums :]]
            kept = splat(builder, context.cast(builder, values[1], signature.args[1], kind.dtype))

            def turn(row, totals):
                start, totals = builder.mul(row, width), list(totals)
                scales = [splat(builder, weight.number(row, number)) for weight in weights]
                dots = [ir.Constant(wide, [0.0] * LANES) for _ in asked]
                for part, at in enumerate(columns):
                    place = builder.add(start, at)
                    new = builder.fmul(whole.vector(place), kept)
                    for scale, line in zip(scales, added, strict=False):
                        new = multiply_add(builder, scale, line[part], new)
                    whole.store(new, place)
                    for index, scale in enumerate(scales[updates:]):
                        total = index * vectors + part
                        totals[total] = multiply_add(builder, scale, new, totals[total])
                    dots = [multiply_add(builder, new, line[part], dot) for line, dot in zip(asked, dots, strict=True)]
                for dot in dots:
                    bits = 64 if number == ir.DoubleType() else 32
                    add = llvm_function(builder, f"llvm.vector.reduce.fadd.v{LANES}f{bits}", number, [number, wide])
                    so_far = answer.number(row, number)
                    answer.store(builder.call(add, [so_far, dot], fastmath=("reassoc",)), row)
                return totals

            made = loop(builder, height, [ir.Constant(wide, [0.0] * LANES)] * (sums * vectors), turn)
            for total, value in enumerate(made):
                index, part = divmod(total, vectors)
                lines[updates + index].store(value, columns[part])
            return context.get_dummy_value()

        return types.void(matrix, gain, factors, rows, answers, types.int64), codegen

    return kernel


_meet4, _meet1 = sweep(1, 2, 0, WIDE), sweep(1, 2, 0, 1)
_back4, _back1 = sweep(2, 1, 1, WIDE), sweep(2, 1, 1, 1)


@jit
def meet(matrix, gain, factors, rows):
    """One update and two sums (see :func:`sweep`); the columns of ``matrix`` are a multiple of 16."""
    column = 0
    while column + WIDE * LANES <= matrix.shape[1]:
        _meet4(matrix, gain, factors, rows, rows[0], column)
        column += WIDE * LANES
    while column < matrix.shape[1]:
        _meet1(matrix, gain, factors, rows, rows[0], column)
        column += LANES


@jit
def meet_and_ask(matrix, gain, factors, rows, answers):
    """Two updates, a sum, and what each row answers."""
    for row in range(answers.shape[0]):
        answers[row] = 0
    column = 0
    while column + WIDE * LANES <= matrix.shape[1]:
        _back4(matrix, gain, factors, rows, answers, column)
        column += WIDE * LANES
    while column < matrix.shape[1]:
        _back1(matrix, gain, factors, rows, answers, column)
        column += LANES
