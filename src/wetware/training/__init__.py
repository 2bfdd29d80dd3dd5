"""Training: one loop for every model."""

from wetware.training.checkpoint import CheckpointError, load, save
from wetware.training.counted import AfterMark, AssistantTurns, Counted, EveryToken
from wetware.training.losses import Reading, Score, cross_entropy, held_out_loss, held_out_walk
from wetware.training.optimizers import AdamW, MuonAdamW
from wetware.training.reporting import Reporter, StepReport
from wetware.training.run import Calibration, Monitoring, Run, Training
from wetware.training.schedules import Cosine, Minutes, Stable, Steps, Tokens
from wetware.training.starting import SavedWeights
from wetware.training.trainer import Diverged, Trainer

__all__ = [
    "AdamW",
    "AfterMark",
    "AssistantTurns",
    "Calibration",
    "CheckpointError",
    "Cosine",
    "Counted",
    "Diverged",
    "EveryToken",
    "Minutes",
    "Monitoring",
    "MuonAdamW",
    "Reading",
    "Reporter",
    "Run",
    "SavedWeights",
    "Score",
    "Stable",
    "StepReport",
    "Steps",
    "Tokens",
    "Trainer",
    "Training",
    "cross_entropy",
    "held_out_loss",
    "held_out_walk",
    "load",
    "save",
]
