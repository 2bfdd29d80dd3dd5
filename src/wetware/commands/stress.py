"""``--stress``: another stress in use than the one a model was trained for."""

from __future__ import annotations

from typing import Any

from wetware.config import ConfigError, get, mechanisms, with_
from wetware.models import reconfigured
from wetware.modulation import Environment, FixedStress, FrozenStress, InferenceStress, NeutralStress, SurpriseStress
from wetware.training import checkpoint


def under_stress(model: Any, run: str, stress: str) -> Any:
    """``model`` with ``stress`` in use: neutral, frozen (the last of its training), surprise, or a number from 0 to 1. Raises
    ConfigError for another word, and for a model without an environment."""
    kind = type(model.config).__name__
    path = next((path for path in mechanisms(model.config) if isinstance(get(model.config, path), Environment)), None)
    if path is None:
        raise ConfigError(f"--stress {stress}: this {kind} has no environment, and no stress")
    asked = f"{path}.inference"
    if stress == "frozen" and isinstance(get(model.config, asked), FrozenStress):
        return model
    return reconfigured(model, with_(model.config, asked, _inference(run, stress)))


def _inference(run: str, stress: str) -> InferenceStress:
    if stress == "frozen":
        return FixedStress(value=_last(run))
    if stress in ("neutral", "surprise"):
        return NeutralStress() if stress == "neutral" else SurpriseStress()
    try:
        value = float(stress)
    except ValueError:
        raise ConfigError(f"--stress {stress!r}: allowed neutral, frozen, surprise, or a number from 0 to 1") from None
    return FixedStress(value=value)


def _last(run: str) -> float:
    """The stress at which the training of a checkpoint stood."""
    file = checkpoint.find(run) / "trainer.json"
    try:
        return float(checkpoint.read_json(file)["signals"]["stress"]["value"])
    except (checkpoint.CheckpointError, KeyError, TypeError, ValueError):
        raise ConfigError(f"--stress frozen: {run!r} does not say at what stress its training stood") from None
