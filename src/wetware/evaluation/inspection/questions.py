"""Questions: what ``wetware inspect`` asks, in the order of its report."""

from __future__ import annotations

from wetware.evaluation.inspection.feature_rank import FeatureRank
from wetware.evaluation.inspection.gradient_flow import GradientFlow
from wetware.evaluation.inspection.lesioned import Lesioned
from wetware.evaluation.inspection.program_rates import ProgramRates
from wetware.evaluation.inspection.spike_intervals import SpikeIntervals
from wetware.evaluation.inspection.steadiness import Steadiness
from wetware.evaluation.inspection.synaptic_fatigue import SynapticFatigue
from wetware.evaluation.inspection.wiring import Wiring
from wetware.evaluation.measure import Measure
from wetware.evaluation.measures.activity import Activity
from wetware.evaluation.measures.energy import Energy
from wetware.evaluation.measures.memory_horizon import MemoryHorizon

DEAD = 0.001  # spikes per token, below which a neuron is as good as dead


def questions(limit: int) -> tuple[Measure, ...]:
    """The questions, of at most ``limit`` held-out tokens; a fifth of them for each lesion."""
    return (
        Wiring(),
        Activity(limit=limit, dead=DEAD),
        ProgramRates(limit=limit),
        SpikeIntervals(limit=limit),
        GradientFlow(limit=limit),
        FeatureRank(limit=limit),
        Energy(limit=limit),
        MemoryHorizon(),
        Lesioned(limit=max(1, limit // 5)),
    )


def synaptic_questions(limit: int) -> tuple[Measure, ...]:
    """The questions to a model of living synapses."""
    return SynapticFatigue(), Steadiness(tokens=max(2, min(limit, 256)))
