"""Models: short compositions of the parts, all with one protocol."""

from wetware.models.bio_nanochat import BioNanochat
from wetware.models.gpt import GPT
from wetware.models.gru import GRU
from wetware.models.language_model import FiringTarget, LanguageModel, ModelConfig, Output, reconfigured
from wetware.models.lstm import LSTM
from wetware.models.real_sam import MembraneReading, RealSam
from wetware.models.spikewhale import FiringFloor, SpikeWhale

MODELS: dict[str, type[ModelConfig]] = {
    "bio_nanochat": BioNanochat,
    "gpt": GPT,
    "gru": GRU,
    "lstm": LSTM,
    "real_sam": RealSam,
    "spikewhale": SpikeWhale,
}

__all__ = [
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
    "reconfigured",
]
