"""Matrices and neurons as compiled token loops read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wetware.models.engines.engine import quantised
from wetware.neurons import NeuronParams

Packed = tuple[np.ndarray, np.ndarray]
"""A matrix, and the scale that each of its outputs is to be multiplied with."""


def as_array(numbers: Tensor) -> np.ndarray:
    """bfloat16 as uint16, which is how compiled code knows it."""
    numbers = numbers.contiguous()
    return numbers.view(torch.int16).numpy().view(np.uint16) if numbers.dtype == torch.bfloat16 else numbers.numpy()


def packed(matrix: Tensor, weights: str) -> Packed:
    """[outputs, inputs] as panels of 32 outputs, and the scale of each output."""
    numbers, scale = quantised(matrix, weights)
    outputs, inputs = numbers.shape
    more = -outputs % 32
    padded = functional.pad(numbers.t(), (0, more, 0, -inputs % 4))
    panels = padded.reshape(len(padded), -1, 32).transpose(0, 1)
    return as_array(panels), functional.pad(scale, (0, more)).numpy()


def rows(matrix: Tensor, weights: str) -> Packed:
    """[outputs, inputs] as [inputs, outputs], so that what one spike causes lies together, and the scale of each output."""
    numbers, scale = quantised(matrix, weights)
    return as_array(numbers.t()), scale.numpy()


def stacked(pairs: list[Packed]) -> Packed:
    arrays, scales = zip(*pairs, strict=True)
    return np.stack(arrays), np.stack(scales)


def neurons(layers: list[tuple[NeuronParams, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decay, threshold and gain [L, N] of layers given as parameters and :class:`~wetware.neurons.LIF`; what normalises their
    input is folded into the gain."""
    found = []
    for params, config in layers:
        gain = params.gain * config.normalise.factor(params.decay) if config.normalise else params.gain
        found.append((params.decay, params.threshold, gain))
    decay, threshold, gain = (torch.stack(values).numpy() for values in zip(*found, strict=True))
    return decay, threshold, gain
