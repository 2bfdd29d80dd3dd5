"""wetware: language models built the way brains are built.

``import wetware`` is quick: PyTorch is loaded when something that needs it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "wetware.config": ("Config", "ConfigError", "ablate", "from_dict", "mechanisms", "to_dict", "with_"),
    "wetware.data": (
        "BPE",
        "AssociativeRecall",
        "Bytes",
        "Characters",
        "Conversation",
        "Copying",
        "Corpus",
        "DataError",
        "Greetings",
        "HubDataset",
        "Instructions",
        "LengthMax",
        "MessageTrees",
        "Messages",
        "Mixture",
        "Names",
        "Needle",
        "Part",
        "Questions",
        "SavedTokenizer",
        "ShareGPT",
        "Sotu",
        "Sums",
        "TemplateConversations",
        "TextFiles",
        "Turn",
        "VariableBinding",
        "corpus_from",
        "tokenizer_from",
        "Clauses",
        "Conversations",
        "Cut",
        "Sentences",
        "Stories",
        "WholeText",
        "Words",
    ),
    "wetware.layers": (
        "AxonalDelays",
        "CurrentEncoder",
        "Gauge",
        "Homeostasis",
        "DotRouting",
        "EnergyAccount",
        "Fatigue",
        "InputGate",
        "LayerNormCurrents",
        "LeakyReadout",
        "Lifecycle",
        "LoadBalance",
        "NeuroScoreFitness",
        "NeuronGate",
        "NormalWeights",
        "NormalisedReadout",
        "PlainReadout",
        "ProjectedOutput",
        "RMSNorm",
        "RMSCurrents",
        "RabSnareRouting",
        "Recurrence",
        "ResidualOutput",
        "ResidualStream",
        "ReversibleResidual",
        "Rule30",
        "Rule116",
        "RouterInhibition",
        "STESpikes",
        "SelfAttention",
        "SpikeOutput",
        "SpikingBlock",
        "SynapticExperts",
        "UltrametricRouting",
        "Unnormalised",
    ),
    "wetware.models": (
        "GPT",
        "GRU",
        "LSTM",
        "MODELS",
        "BioNanochat",
        "FiringFloor",
        "FiringTarget",
        "LanguageModel",
        "MembraneReading",
        "ModelConfig",
        "Output",
        "RealSam",
        "SpikeWhale",
    ),
    "wetware.models.generation": ("Sampling", "Session", "generate", "stream"),
    "wetware.modulation": (
        "NEUTRAL",
        "Acetylcholine",
        "CellPrograms",
        "ConstantPrograms",
        "ConstantSignal",
        "ConstantStress",
        "Dopamine",
        "Environment",
        "FixedStress",
        "FreeNeurons",
        "FrozenStress",
        "FromLoss",
        "GeneProgram",
        "ImportedPrograms",
        "LogNormalDiversity",
        "LossStress",
        "Neuromodulator",
        "NeutralStress",
        "Noradrenaline",
        "PermutedPrograms",
        "ProgramFile",
        "RandomPrograms",
        "ShuffledSignal",
        "ShuffledStress",
        "SurpriseStress",
        "Signals",
    ),
    "wetware.neurons": (
        "LIF",
        "AttachedReset",
        "DecayByInput",
        "DetachedReset",
        "FastSigmoid",
        "GradedLIF",
        "InputDecayNeuron",
        "LearnedDecay",
        "LearnedThreshold",
        "LogSpacedDecay",
        "MeanPreserving",
        "RelativeFastSigmoid",
        "TwoCompartmentLIF",
        "UniformDecay",
        "VariancePreserving",
    ),
    "wetware.plasticity": (
        "BDNF",
        "BistableLatch",
        "Consolidation",
        "DeltaRule",
        "DualWeights",
        "Eligibility",
        "FastWeights",
        "Hebbian",
        "InputDependence",
        "LinearAttentionMemory",
        "LinearLatch",
        "RandomDirection",
        "Toward",
    ),
    "wetware.recipes": ("recipe", "recipe_names"),
    "wetware.synapses": (
        "CalciumBuffer",
        "Complexin",
        "DistanceBarrier",
        "Doc2",
        "FrequencyPenalty",
        "GumbelSample",
        "NormalSample",
        "SeptinInhibition",
        "Snare",
        "StaticRelease",
        "StraightThrough",
        "Synapse",
        "SynapticEnergy",
        "TwoHop",
        "VesicleRelease",
    ),
    "wetware.training": (
        "AdamW",
        "AfterMark",
        "AssistantTurns",
        "Calibration",
        "CheckpointError",
        "Cosine",
        "EveryToken",
        "Minutes",
        "Monitoring",
        "MuonAdamW",
        "Run",
        "SavedWeights",
        "Stable",
        "Steps",
        "Tokens",
        "Trainer",
        "Training",
        "held_out_loss",
        "load",
        "save",
        "AtCap",
        "Converged",
        "Curriculum",
        "Phase",
        "Replay",
        "Rewarm",
        "ShareCap",
        "TokenCap",
    ),
    "wetware.traits": (
        "BigramBias",
        "DeepSupervision",
        "DepthwiseConvolution",
        "Engram",
        "FixedRetention",
        "HierarchicalRefinement",
        "JEPA",
        "Kuramoto",
        "LearnedRetention",
        "MixtureOfExperts",
        "MultiTokenPrediction",
        "ProgramSemantics",
        "RealKeys",
        "SpikingAttention",
        "SpikingKeys",
        "VarianceHinge",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = (
    "cell",
    "config",
    "data",
    "kernels",
    "layers",
    "models",
    "modulation",
    "neurons",
    "plasticity",
    "recipes",
    "state",
    "synapses",
    "training",
    "traits",
)

__all__ = ["__version__", "build", "model_names", "tiny", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"wetware.{name}")
    raise AttributeError(f"module 'wetware' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS})


def model_names() -> tuple[str, ...]:
    """The names of all models."""
    from wetware.models import MODELS

    return tuple(sorted(MODELS))


def tiny(name: str) -> Any:
    """A config of test size of the named model, with its default mechanisms on. Raises ConfigError for an unknown name."""
    from wetware.config import ConfigError, nearest
    from wetware.models import MODELS

    if name not in MODELS:
        raise ConfigError(f"no model {name!r}{nearest(name, MODELS)}")
    return MODELS[name].tiny()


def build(config: Any, seed: int = 0) -> Any:
    """The model that ``config`` describes, its parameters drawn from ``seed``; the same as ``config.build(seed)``."""
    return config.build(seed)
