"""Vector kernels written as LLVM instructions, for the places where a plain loop falls short.

numba compiles plain loops well, with exceptions that matter here: it does not keep a block of sums in registers (a tile of a
matrix product, a sum of many rows), and it does not find the instruction that multiplies four int8 pairs at once. Each factory
below gives an ``@intrinsic``: a function that compiled code calls with arrays and the offsets (in elements) at which to start.
There are no bounds checks: callers see to sizes. Each has a plain twin in ``tests/kernels/compiled``, which it must equal.

Vectors are sixteen floats wide. Where the processor has narrower ones LLVM splits them; :data:`ROWS` keeps a tile within its
registers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
PANEL = 2 * LANES  # columns of a packed panel
AHEAD = 4
"""How many events ahead a row is fetched."""

FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()
BYTE, SHORT, INT, LONG = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)


@functools.cache
def features() -> frozenset[str]:
    """What the processor can do, by LLVM's names."""
    return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


ROWS = 8 if "avx512f" in features() else 2
"""Height of the tallest tile: rows x 2 vectors of sums must fit the registers (32 of 16 floats, or 16 of 8)."""


# ----------------------------------------------------------------------------------------------------------- instructions
# Values and builders are llvmlite's, whose annotations know less than they do: Any.


def llvm_function(builder: Any, name: str, returns: Any, arguments: list) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(returns, arguments), name)


def splat(builder: Any, value: Any) -> Any:
    """A vector with ``value`` in every place."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    places = ir.Constant(ir.VectorType(INT, LANES), [0] * LANES)
    return builder.shuffle_vector(builder.insert_element(nothing, value, INT(0)), nothing, places)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    bits = 64 if a.type.element == DOUBLE else 32
    return builder.call(llvm_function(builder, f"llvm.fmuladd.v{LANES}f{bits}", a.type, [a.type] * 3), [a, b, c])


def _fetch(builder: Any, address: Any) -> None:
    """Bring the line at ``address`` into the cache; any address will do, nothing is read."""
    pointer = BYTE.as_pointer()
    function = llvm_function(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, INT, INT, INT])
    builder.call(function, [builder.inttoptr(address, pointer), INT(0), INT(3), INT(1)])


def loop(builder: Any, count: Any, carried: list, body: Callable[[Any, list], list]) -> list:
    """``for index in range(count): carried = body(index, carried)``, with all that is carried in registers."""
    before, function = builder.block, builder.function
    inside, after = function.append_basic_block("turn"), function.append_basic_block("after")
    builder.cbranch(builder.icmp_signed(">", count, LONG(0)), inside, after)
    builder.position_at_end(inside)
    index = builder.phi(LONG)
    values = [builder.phi(value.type) for value in carried]
    following = body(index, list(values))
    onward, last = builder.add(index, LONG(1)), builder.block
    for phi, first, later in zip((index, *values), (LONG(0), *carried), (onward, *following), strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, last)
    builder.cbranch(builder.icmp_signed("<", onward, count), inside, after)
    builder.position_at_end(after)
    results = [builder.phi(value.type) for value in carried]
    for phi, first, later in zip(results, carried, following, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, last)
    return results


# ---------------------------------------------------------------------------------------------------------------- storage


class Storage:
    """How numbers lie in memory: their size in bytes and how sixteen of them become a vector of floats.

    ``float32``, and ``float64`` whose vectors are of doubles; ``uint16`` holds bfloat16, the upper half of a float32; ``int8``
    whole numbers, to be scaled by the caller.
    """

    SIZES: ClassVar = {"float64": 8, "float32": 4, "int32": 4, "uint16": 2, "int8": 1, "uint8": 1}

    def __init__(self, context: Any, builder: ir.IRBuilder, kind: types.Array, value: Any) -> None:
        self.name, self.builder = str(kind.dtype), builder
        self.size = self.SIZES[self.name]
        self.base = builder.ptrtoint(context.make_array(kind)(context, builder, value).data, LONG)

    def address(self, offset: Any) -> Any:
        """Where element ``offset`` lies."""
        offset = LONG(offset) if isinstance(offset, int) else offset
        return self.builder.add(self.base, self.builder.mul(offset, LONG(self.size)))

    def _load(self, offset: Any, kind: ir.Type) -> Any:
        loaded = self.builder.load(self.builder.inttoptr(self.address(offset), kind.as_pointer()))
        loaded.align = self.size
        return loaded

    def number(self, offset: Any, kind: ir.Type) -> Any:
        return self._load(offset, kind)

    def vector(self, offset: Any) -> Any:
        """Sixteen numbers from ``offset``, as floats."""
        builder, wide = self.builder, ir.VectorType(INT, LANES)
        if self.name in ("float32", "float64"):
            return self._load(offset, VECTOR if self.name == "float32" else ir.VectorType(DOUBLE, LANES))
        if self.name == "int8":
            return builder.sitofp(builder.sext(self._load(offset, ir.VectorType(BYTE, LANES)), wide), VECTOR)
        high = builder.zext(self._load(offset, ir.VectorType(SHORT, LANES)), wide)
        return builder.bitcast(builder.shl(high, ir.Constant(wide, [16] * LANES)), VECTOR)

    def store(self, value: Any, offset: Any) -> None:
        place = self.builder.inttoptr(self.address(offset), value.type.as_pointer())
        self.builder.store(value, place).align = self.size


# ---------------------------------------------------------------------------------------------------------------- kernels


def tile(rows: int) -> Any:
    """``out[r, :32] = sum_k x[r, k] * panel[k, :32]`` for ``rows`` rows, all sums in registers.

    Arguments: panels and where the panel starts, count of k (a multiple of 4), x, its start and the elements between its rows,
    out, its start and the elements between its rows.
    """
    unroll = {1: 4, 2: 2}.get(rows, 1)  # few rows: several sums each, or every addition waits for the one before

    @intrinsic
    def kernel(typingctx, panels, start, count, x, x_start, x_stride, out, out_start, out_stride):
        def codegen(context, builder, signature, values):
            weights, inputs, outputs = (Storage(context, builder, signature.args[i], values[i]) for i in (0, 3, 6))
            start, count, x_start, x_stride, out_start, out_stride = (values[i] for i in (1, 2, 4, 5, 7, 8))
            firsts = [builder.add(x_start, builder.mul(x_stride, LONG(row))) for row in range(rows)]

            def turn(index, sums):
                following = list(sums)
                for part in range(unroll):
                    k = builder.add(builder.mul(index, LONG(unroll)), LONG(part))
                    place = builder.add(start, builder.mul(k, LONG(PANEL)))
                    left, right = weights.vector(place), weights.vector(builder.add(place, LONG(LANES)))
                    for row in range(rows):
                        value = splat(builder, inputs.number(builder.add(firsts[row], k), FLOAT))
                        at = 2 * (part * rows + row)
                        following[at] = multiply_add(builder, left, value, following[at])
                        following[at + 1] = multiply_add(builder, right, value, following[at + 1])
                return following

            zero = ir.Constant(VECTOR, [0.0] * LANES)
            sums = loop(builder, builder.sdiv(count, LONG(unroll)), [zero] * (2 * rows * unroll), turn)
            for row in range(rows):
                for half in (0, 1):
                    total = sums[2 * row + half]
                    for part in range(1, unroll):
                        total = builder.fadd(total, sums[2 * (part * rows + row) + half])
                    place = builder.add(out_start, builder.mul(out_stride, LONG(row)))
                    outputs.store(total, builder.add(place, LONG(LANES * half)))
            return context.get_dummy_value()

        size = types.int64
        return types.void(panels, size, size, x, size, size, out, size, size), codegen

    return kernel


def add_rows(vectors: int) -> Any:
    """``out[:16 vectors] = sum_e table[ids[e], :16 vectors]``, from zero, all sums in registers.

    Arguments: ids (int32) and their start, count, table, its first column and the elements between its rows, out and its
    start. The row :data:`AHEAD` events later is fetched into the cache meanwhile, so the list of ids must be readable that far
    beyond its end (what stands there does not matter).
    """

    @intrinsic
    def kernel(typingctx, ids, first, count, table, column, stride, out, out_start):
        def codegen(context, builder, signature, values):
            rows, outputs = (Storage(context, builder, signature.args[i], values[i]) for i in (3, 6))
            first, count, column, stride, out_start = (values[i] for i in (1, 2, 4, 5, 7))
            places = builder.ptrtoint(context.make_array(signature.args[0])(context, builder, values[0]).data, LONG)

            def start_of(event):
                place = builder.add(places, builder.mul(builder.add(first, event), LONG(4)))
                number = builder.load(builder.inttoptr(place, INT.as_pointer()))
                return builder.add(column, builder.mul(builder.sext(number, LONG), stride))

            def turn(index, sums):
                later = start_of(builder.add(index, LONG(AHEAD)))
                for line in range(0, vectors * LANES, 64 // rows.size):  # the lines of the cache
                    _fetch(builder, rows.address(builder.add(later, LONG(line))))
                row = start_of(index)
                return [
                    builder.fadd(total, rows.vector(builder.add(row, LONG(LANES * part))))
                    for part, total in enumerate(sums)
                ]

            zero = ir.Constant(VECTOR, [0.0] * LANES)
            for part, total in enumerate(loop(builder, count, [zero] * vectors, turn)):
                outputs.store(total, builder.add(out_start, LONG(LANES * part)))
            return context.get_dummy_value()

        size = types.int64
        return types.void(ids, size, size, table, size, size, out, size), codegen

    return kernel


def dot() -> Any:
    """``sum_k a[k] b[k]`` over the first ``count`` numbers, a multiple of 16: four sums of sixteen, then one.

    Arguments: a, b, count.
    """

    @intrinsic
    def kernel(typingctx, a, b, count):
        def codegen(context, builder, signature, values):
            left, right = (Storage(context, builder, signature.args[i], values[i]) for i in (0, 1))

            def turn(step):
                def body(index, sums):
                    places = [builder.add(builder.mul(index, LONG(step)), LONG(LANES * i)) for i in range(len(sums))]
                    return [
                        multiply_add(builder, left.vector(place), right.vector(place), total)
                        for place, total in zip(places, sums, strict=True)
                    ]

                return body

            zero = ir.Constant(VECTOR, [0.0] * LANES)
            fours = builder.sdiv(values[2], LONG(4 * LANES))
            a, b, c, d = loop(builder, fours, [zero] * 4, turn(4 * LANES))
            done = builder.mul(fours, LONG(4))
            ones = builder.sub(builder.sdiv(values[2], LONG(LANES)), done)
            total = builder.fadd(builder.fadd(a, b), builder.fadd(c, d))

            def rest(index, sums):
                place = builder.mul(builder.add(done, index), LONG(LANES))
                return [multiply_add(builder, left.vector(place), right.vector(place), sums[0])]

            total = loop(builder, ones, [total], rest)[0]
            add = llvm_function(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", FLOAT, [FLOAT, VECTOR])
            return builder.call(add, [FLOAT(0.0), total], fastmath=("reassoc",))

        return types.float32(a, b, types.int64), codegen

    return kernel


def dot_int8_block() -> Any:
    """``out[r] = sum_e x[e] * codes[e / 4, r, e % 4]`` for 64 rows r: x uint8, codes int8, sums int32, in registers.

    Arguments: codes and where the block starts, count of groups of four, x, out. With VNNI one instruction multiplies and adds
    64 pairs; elsewhere each group is unpacked into 32-bit numbers.
    """
    wide, bytes64 = ir.VectorType(INT, LANES), ir.VectorType(BYTE, 64)
    has_vnni = "avx512vnni" in features()
    # LLVM 22 changed the type of the instruction's operands
    operand = bytes64 if llvm.llvm_version_info[0] >= 22 else wide

    def multiplied(builder, total, numbers, weights):
        if has_vnni:
            function = llvm_function(builder, "llvm.x86.avx512.vpdpbusd.512", wide, [wide, operand, operand])
            many = splat(builder, numbers)
            return builder.call(function, [total, *(builder.bitcast(x, operand) for x in (many, weights))])
        for place in range(4):
            left = ir.Constant(wide, [24 - 8 * place] * LANES)
            weight = builder.ashr(builder.shl(weights, left), ir.Constant(wide, [24] * LANES))
            number = builder.and_(builder.lshr(numbers, INT(8 * place)), INT(255))
            total = builder.add(total, builder.mul(weight, splat(builder, number)))
        return total

    @intrinsic
    def kernel(typingctx, codes, start, count, x, out):
        def codegen(context, builder, signature, values):
            weights, numbers = (Storage(context, builder, signature.args[i], values[i]) for i in (0, 3))
            sums = Storage(context, builder, signature.args[4], values[4])

            def turn(index, totals):
                four = numbers.number(builder.mul(index, LONG(4)), INT)
                place = builder.add(values[1], builder.mul(index, LONG(256)))
                return [
                    multiplied(builder, total, four, weights.number(builder.add(place, LONG(64 * part)), wide))
                    for part, total in enumerate(totals)
                ]

            zero = ir.Constant(wide, [0] * LANES)
            for part, total in enumerate(loop(builder, values[2], [zero] * 4, turn)):
                sums.store(total, LANES * part)
            return context.get_dummy_value()

        return types.void(codes, types.int64, types.int64, x, out), codegen

    return kernel


def float_from_bits() -> Any:
    """The float32 whose bits are those of an int32."""

    @intrinsic
    def kernel(typingctx, number):
        def codegen(context, builder, signature, values):
            return builder.bitcast(builder.trunc(values[0], INT) if values[0].type.width > 32 else values[0], FLOAT)

        return types.float32(number), codegen

    return kernel


def bits_of_float() -> Any:
    """The bits of a float32, as an int32."""

    @intrinsic
    def kernel(typingctx, number):
        def codegen(context, builder, signature, values):
            return builder.bitcast(context.cast(builder, values[0], signature.args[0], types.float32), INT)

        return types.int32(number), codegen

    return kernel


def as_float() -> Any:
    """One number as it is stored (see :class:`Storage`), as a float32."""

    @intrinsic
    def kernel(typingctx, number):
        def codegen(context, builder, signature, values):
            if str(signature.args[0]) == "uint16":
                return builder.bitcast(builder.shl(builder.zext(values[0], INT), INT(16)), FLOAT)
            return context.cast(builder, values[0], signature.args[0], types.float32)

        return types.float32(number), codegen

    return kernel
