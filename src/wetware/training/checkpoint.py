"""Checkpoints: folders that rebuild a model, its tokenizer and, in a run, the trainer, from themselves alone.

A checkpoint holds ``config.json``, ``model.safetensors`` (with a golden output, so that a wrong load is noticed),
``tokenizer.json`` and, in a run, ``trainer.json`` and ``trainer.safetensors``. Nothing is unpickled. A folder is written
beside its place and renamed into it, so that what has the final name is whole, whatever kills the writer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from wetware import __version__
from wetware.config import ConfigError, from_dict, nearest, to_dict
from wetware.data import DataError, Tokenizer, load_tokenizer
from wetware.data.files import sync, write_atomically
from wetware.models import LanguageModel, ModelConfig

STEP = re.compile(r"step-(\d{8,})$")
GOLDEN = "golden.logits"
FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or does not fit."""


# ---------------------------------------------------------------------------------------------------------- atomic write


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """``fill`` a new folder beside ``folder``, then put it in its place. Interrupted, it leaves ``folder`` as it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.partial"
    partial.mkdir()
    try:
        fill(partial)
        for path in (*partial.iterdir(), partial):
            sync(path)
        if folder.exists():  # a folder cannot be renamed over one that is not empty
            old = partial.with_suffix(".old")
            os.replace(folder, old)
            os.replace(partial, folder)
            shutil.rmtree(old)
        else:
            os.replace(partial, folder)
        sync(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def clear_partial(folder: Path) -> None:
    """Remove what killed writers left in ``folder``. For the one who writes there, before it starts."""
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path, ignore_errors=True)


def _restore(folder: Path) -> None:
    """Put back a folder whose writer was killed between taking the old one away and putting the new one in its place."""
    for old in folder.parent.glob(f".{folder.name}.*.old"):
        os.replace(old, folder)
        return


# ------------------------------------------------------------------------------------------------------------ save, load


def _probe(model: LanguageModel) -> Tensor:
    """The golden output: the model's logits after 16 fixed tokens."""
    tokens = (torch.arange(16, device=next(model.parameters()).device) * 37 + 11) % model.vocab_size
    with torch.inference_mode():
        return model(tokens[None]).logits[0, -1].float().cpu().clone()


def fill_model(folder: Path, model: LanguageModel, tokenizer: Tokenizer | None, **more: Any) -> None:
    """Write a model's files into a folder that exists; ``more`` goes into ``config.json``."""
    about = {"format": FORMAT, "wetware": __version__, "model": to_dict(model.config), **more}
    (folder / "config.json").write_text(json.dumps(about, indent=1))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file({**tensors, GOLDEN: _probe(model)}, folder / "model.safetensors")
    if tokenizer is not None:
        tokenizer.save(folder)


def save(model: LanguageModel, folder: str | Path, tokenizer: Tokenizer | None = None) -> Path:
    """Save a model, and the tokenizer it was trained with, into ``folder``; atomic."""
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "model.safetensors").exists():
        raise CheckpointError(f"{str(folder)!r} holds something else than a model; choose another folder")
    write_folder(folder, lambda partial: fill_model(partial, model, tokenizer))
    return folder


def load(folder: str | Path, device: torch.device | str = "cpu") -> tuple[LanguageModel, Tokenizer | None]:
    """The model and the tokenizer of a checkpoint, or of a run's best one.

    Raises:
        CheckpointError: missing or damaged files, a vocabulary that does not fit, a golden output that does not come out.
    """
    folder = find(folder)
    config = _model_config(folder)
    model = config.module()
    tensors = read_tensors(folder / "model.safetensors")
    golden = tensors.pop(GOLDEN, None)
    _check_names(folder, model, tensors)
    model.load_state_dict(tensors)
    if golden is not None:
        # Another machine may round a neuron across its threshold, which moves logits by a per cent; wrong weights do more.
        difference = float((_probe(model) - golden).abs().mean())
        if not difference <= 0.05 * float(golden.std()) + 1e-6:
            raise CheckpointError(f"{str(folder)!r} does not give its golden output (mean difference {difference:.3g})")
    tokenizer = _tokenizer(folder, model.vocab_size)
    return model.to(device), tokenizer


def _model_config(folder: Path) -> ModelConfig:
    about = read_json(folder / "config.json")
    try:
        config = from_dict(about.get("model") if isinstance(about, dict) else about)
    except ConfigError as error:
        raise CheckpointError(f"{str(folder / 'config.json')!r}: {error}") from None
    if not isinstance(config, ModelConfig):
        raise CheckpointError(f"{str(folder / 'config.json')!r} describes no model")
    return config


def _check_names(folder: Path, model: LanguageModel, tensors: dict[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            wanted, given = expected.get(name, "absent"), found.get(name, "absent")
            raise CheckpointError(f"{str(folder)!r}: tensor {name!r} should be {wanted}, is {given}")


def _tokenizer(folder: Path, vocab_size: int) -> Tokenizer | None:
    if not (folder / "tokenizer.json").exists():
        return None
    try:
        tokenizer = load_tokenizer(folder)
    except DataError as error:
        raise CheckpointError(str(error)) from None
    if tokenizer.vocab_size != vocab_size:
        sizes = f"the tokenizer has {tokenizer.vocab_size} tokens, the model {vocab_size}"
        raise CheckpointError(f"{str(folder)!r}: vocabularies do not fit: {sizes}")
    return tokenizer


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"missing file {str(path)!r}") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"damaged file {str(path)!r}: {error}") from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"missing file {str(path)!r}") from None
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"damaged file {str(path)!r}: {error}") from None


# ------------------------------------------------------------------------------------------------------------- in a run


def steps(run: Path) -> list[Path]:
    """The numbered checkpoints of a run, oldest first."""
    folder = run / "checkpoints"
    found = [path for path in folder.iterdir() if STEP.match(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def mark_best(run: Path, checkpoint: Path) -> None:
    """Name ``checkpoint`` as the run's best."""
    write_atomically(run / "checkpoints" / "best.json", json.dumps({"checkpoint": checkpoint.name}))


def best(run: Path) -> Path | None:
    """The checkpoint that scored best on held-out text, if one was marked and is there."""
    pointer = run / "checkpoints" / "best.json"
    if not pointer.exists():
        return None
    marked = run / "checkpoints" / str(read_json(pointer).get("checkpoint"))
    return marked if marked.is_dir() else None


def drop_old(run: Path, keep: int) -> None:
    """Remove all but the last ``keep`` checkpoints and the best."""
    for path in steps(run)[:-keep]:
        if path != best(run):
            shutil.rmtree(path)


def find(folder: str | Path) -> Path:
    """The checkpoint meant by ``folder``: itself, or the best (else the last) one of a run."""
    folder = Path(folder)
    if not folder.is_dir():
        _restore(folder)
    if not folder.is_dir():
        known = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        raise CheckpointError(f"no such run or checkpoint: {str(folder)!r}{nearest(folder.name, known)}")
    if (folder / "config.json").exists() and (folder / "model.safetensors").exists():
        return folder
    numbered = steps(folder)
    if numbered:
        return best(folder) or numbered[-1]
    if any((folder / name).exists() for name in ("config.json", "model.safetensors")):
        present = ", ".join(sorted(path.name for path in folder.iterdir()))
        raise CheckpointError(
            f"{str(folder)!r} is no whole checkpoint: config.json and model.safetensors wanted, has {present}"
        )
    raise CheckpointError(f"{str(folder)!r} holds no checkpoint (a run, a step of it, or a saved model was expected)")
