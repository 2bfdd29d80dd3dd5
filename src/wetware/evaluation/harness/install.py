"""Whether the harness is there, and how it comes to know our models."""

from __future__ import annotations

from importlib.util import find_spec

NAME = "wetware"
"""What our models are called in the harness: ``--model wetware``."""

MISSING = "the evaluation harness is not installed: pip install 'wetware[eval]'"


def installed() -> bool:
    return find_spec("lm_eval") is not None


def register() -> None:
    """Add :class:`~wetware.evaluation.harness.model.SavedRun` to the harness's registry, under :data:`NAME`."""
    from lm_eval.api.registry import MODEL_REGISTRY, register_model

    from wetware.evaluation.harness.model import SavedRun

    if NAME not in MODEL_REGISTRY:
        register_model(NAME)(SavedRun)
