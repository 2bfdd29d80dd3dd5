"""Inspection: what goes on in a trained model, one question a file."""

from wetware.evaluation.inspection.feature_rank import FeatureRank
from wetware.evaluation.inspection.gradient_flow import GradientFlow
from wetware.evaluation.inspection.lesioned import Lesioned
from wetware.evaluation.inspection.lesions import Lesion, lesions
from wetware.evaluation.inspection.neurons import Layer, layers_of
from wetware.evaluation.inspection.observation import Observation, Observed, Observing, observe
from wetware.evaluation.inspection.program_rates import ProgramRates
from wetware.evaluation.inspection.questions import DEAD, questions, synaptic_questions
from wetware.evaluation.inspection.sentence import Sentence, first_sentence, read_sentence
from wetware.evaluation.inspection.spike_intervals import SpikeIntervals
from wetware.evaluation.inspection.steadiness import Steadiness, token_by_token
from wetware.evaluation.inspection.synaptic_fatigue import SynapticFatigue, Text, Tired, tired, tiring_text
from wetware.evaluation.inspection.wiring import Assortativity, Wiring, assortativities, assortativity, strengths

__all__ = [
    "DEAD",
    "Assortativity",
    "FeatureRank",
    "GradientFlow",
    "Layer",
    "Lesion",
    "Lesioned",
    "Observation",
    "Observed",
    "Observing",
    "ProgramRates",
    "Sentence",
    "SpikeIntervals",
    "Steadiness",
    "SynapticFatigue",
    "Text",
    "Tired",
    "Wiring",
    "assortativities",
    "assortativity",
    "first_sentence",
    "layers_of",
    "lesions",
    "observe",
    "questions",
    "read_sentence",
    "strengths",
    "synaptic_questions",
    "tired",
    "tiring_text",
    "token_by_token",
]
