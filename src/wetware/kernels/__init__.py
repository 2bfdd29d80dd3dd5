"""Kernels: each op with its readable reference and the faster backends that must agree with it."""

from wetware.kernels.attention import attention
from wetware.kernels.causal_products import causal_mix, causal_mix_twice, causal_scores
from wetware.kernels.cross_entropy import cross_entropy
from wetware.kernels.delta_scan import delta_scan
from wetware.kernels.gated_sum import gated_sum
from wetware.kernels.graded_scan import graded_scan
from wetware.kernels.inhibited_softmax import inhibited_softmax
from wetware.kernels.kuramoto_scan import kuramoto_scan
from wetware.kernels.latch_scan import latch_scan
from wetware.kernels.lateral_inhibition import lateral_inhibition
from wetware.kernels.leaky_scan import leaky_scan
from wetware.kernels.lif_scan import lif_scan
from wetware.kernels.linear_attention import linear_attention
from wetware.kernels.op import OPS, Case, Choice, Op, Refused
from wetware.kernels.rms_norm import rms_norm
from wetware.kernels.spike_linear import spike_linear
from wetware.kernels.vesicle_scan import vesicle_scan

__all__ = [
    "OPS",
    "Case",
    "Choice",
    "Op",
    "Refused",
    "attention",
    "causal_mix",
    "causal_mix_twice",
    "causal_scores",
    "cross_entropy",
    "delta_scan",
    "gated_sum",
    "graded_scan",
    "inhibited_softmax",
    "kuramoto_scan",
    "latch_scan",
    "lateral_inhibition",
    "leaky_scan",
    "lif_scan",
    "linear_attention",
    "rms_norm",
    "spike_linear",
    "vesicle_scan",
]
