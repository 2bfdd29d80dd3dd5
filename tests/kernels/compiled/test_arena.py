"""Arrays in one piece of memory: the same numbers, each where a vector may begin, none in another's place."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled.arena import LINE, PAGE, together


class Some(NamedTuple):
    a: np.ndarray
    b: np.ndarray
    number: int
    c: np.ndarray


def test_together():
    first = Some(
        np.arange(7, dtype=np.int8), np.zeros((0, 3), np.float32), 5, np.random.rand(3, 5, 2).astype(np.float32)
    )
    second = Some(np.arange(900_000, dtype=np.uint16), np.ones((4, 4)).T, -1, np.array([[1, 2]], np.int32)[:, ::-1])
    made = together(first, second)
    arrays = []
    for group, copy in zip((first, second), made, strict=True):
        assert type(copy) is Some and copy.number == group.number
        for before, after in zip(group, copy, strict=True):
            if isinstance(before, np.ndarray):
                assert after.dtype == before.dtype and after.flags.c_contiguous and after.flags.writeable
                assert np.array_equal(before, after)
                assert after.ctypes.data % LINE == 0 or not after.size
                arrays.append(after)
    assert arrays[0].ctypes.data % PAGE == 0
    places = sorted((array.ctypes.data, array.ctypes.data + array.nbytes) for array in arrays if array.size)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
    first.a[:] = 0
    assert made[0].a.tolist() == list(range(7))  # a copy
