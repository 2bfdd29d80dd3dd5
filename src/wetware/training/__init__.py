"""Training: one loop for every model."""

from wetware.training.checkpoint import CheckpointError, load, save
from wetware.training.counted import AfterMark, AssistantTurns, Counted, EveryToken
from wetware.training.curriculum import AtCap, Converged, Curriculum, Phase, Replay, Rewarm, ShareCap, TokenCap
from wetware.training.losses import Reading, Score, cross_entropy, held_out_loss, held_out_walk
from wetware.training.optimizers import AdamW, MuonAdamW
from wetware.training.reporting import PhaseReport, Reporter, StepReport
from wetware.training.run import Calibration, Monitoring, Run, Training
from wetware.training.schedules import Cosine, Minutes, Stable, Steps, Tokens
from wetware.training.starting import SavedWeights
from wetware.training.trainer import Diverged, Trainer

__all__ = [
    "AdamW",
    "AfterMark",
    "AssistantTurns",
    "AtCap",
    "Calibration",
    "CheckpointError",
    "Converged",
    "Cosine",
    "Counted",
    "Curriculum",
    "Diverged",
    "EveryToken",
    "Minutes",
    "Monitoring",
    "MuonAdamW",
    "Phase",
    "PhaseReport",
    "Reading",
    "Replay",
    "Reporter",
    "Rewarm",
    "Run",
    "SavedWeights",
    "Score",
    "ShareCap",
    "Stable",
    "StepReport",
    "Steps",
    "TokenCap",
    "Tokens",
    "Trainer",
    "Training",
    "cross_entropy",
    "held_out_loss",
    "held_out_walk",
    "load",
    "save",
]
