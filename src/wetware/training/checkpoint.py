"""Checkpoints: folders that rebuild a model, its tokenizer and, in a run, the trainer, from themselves alone.

A checkpoint holds ``config.json``, ``model.safetensors`` (with a golden output, so that a wrong load is noticed),
``tokenizer.json`` and, in a run, ``trainer.json`` and ``trainer.safetensors``. Nothing is unpickled. A folder is written
beside its place and renamed into it, so that what has the final name is whole, whatever kills the writer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from wetware import __version__
from wetware.config import ConfigError, from_dict, nearest, to_dict
from wetware.data import DataError, Tokenizer, load_tokenizer
from wetware.data.files import file_digest, sync, write_atomically
from wetware.models import LanguageModel, ModelConfig

STEP = re.compile(r"step-(\d{8,})$")
GOLDEN = "golden.logits"
SEAL = "digests.json"
FORMAT = 1
RUN_FILES = {".lock", "config.json", "metrics.jsonl", "tb", "checkpoints", "evaluation", "inspection"}

R = TypeVar("R")


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
            try:
                os.replace(partial, folder)
            except BaseException:
                os.replace(old, folder)
                raise
        else:
            os.replace(partial, folder)
        for old in folder.parent.glob(f".{folder.name}.*.old"):
            shutil.rmtree(old)
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
    seal(folder)


def seal(folder: Path) -> None:
    """Write down a digest of every file of tensors in ``folder``; :func:`check_seal` holds them to it."""
    digests = {path.name: file_digest(path) for path in sorted(folder.glob("*.safetensors"))}
    (folder / SEAL).write_text(json.dumps(digests, indent=1))


def check_seal(folder: Path) -> None:
    """Raise :class:`CheckpointError` when a file of tensors is not the one that was written. No seal, nothing to hold to."""
    if not (folder / SEAL).exists():
        return
    digests = read_json(folder / SEAL)
    for name, digest in digests.items() if isinstance(digests, dict) else [(SEAL, None)]:
        path = folder / name
        if not path.exists():
            raise CheckpointError(f"missing file {str(path)!r}")
        if file_digest(path) != digest:
            raise CheckpointError(f"damaged file {str(path)!r}: it is not what was written")


def save(model: LanguageModel, folder: str | Path, tokenizer: Tokenizer | None = None, **more: Any) -> Path:
    """Save a model, and the tokenizer it was trained with, into ``folder``; atomic. ``more`` goes into ``config.json``."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{str(folder)!r} is a file; a model is saved into a folder of its own")
    if folder.exists() and any(folder.iterdir()) and not (folder / "model.safetensors").exists():
        raise CheckpointError(f"{str(folder)!r} holds something else than a model; choose another folder")
    if tokenizer is not None:
        _check_vocabulary(folder, tokenizer, model.vocab_size)
    write_folder(folder, lambda partial: fill_model(partial, model, tokenizer, **more))
    return folder


def load(folder: str | Path, device: torch.device | str = "cpu") -> tuple[LanguageModel, Tokenizer | None]:
    """The model and the tokenizer of a checkpoint, or of a run's best one.

    Raises:
        CheckpointError: missing or damaged files, a vocabulary that does not fit, a golden output that does not come out.
    """
    folder = find(folder)
    config = model_config(folder)
    model = config.module()
    fill_weights(folder, model)
    tokenizer = _tokenizer(folder, model.vocab_size)
    return model.to(device), tokenizer


def fill_weights(folder: Path, model: LanguageModel) -> None:
    """Load a checkpoint's weights into ``model`` and see that they are whole and say what they said when they were saved."""
    tensors = read_tensors(folder / "model.safetensors")
    golden = tensors.pop(GOLDEN, None)
    _check_names(folder, model, tensors)
    check_seal(folder)
    model.load_state_dict(tensors)
    if golden is None:
        return
    # Another machine may round a neuron across its threshold, which moves logits by a per cent; wrong weights do more.
    difference = float((_probe(model) - golden).abs().mean())
    if not difference <= 0.05 * float(golden.std(correction=0)) + 1e-6:
        raise CheckpointError(f"{str(folder)!r} does not give its golden output (mean difference {difference:.3g})")


def model_config(folder: Path) -> ModelConfig:
    """What model a checkpoint holds."""
    about = read_about(folder)
    try:
        config = from_dict(about.get("model"))
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
    _check_vocabulary(folder, tokenizer, vocab_size)
    return tokenizer


def _check_vocabulary(folder: Path, tokenizer: Tokenizer, vocab_size: int) -> None:
    if tokenizer.vocab_size != vocab_size:
        sizes = f"the tokenizer has {tokenizer.vocab_size} tokens, the model {vocab_size}"
        raise CheckpointError(f"{str(folder)!r}: vocabularies do not fit: {sizes}")


def read_about(folder: Path) -> dict[str, Any]:
    """What ``config.json`` of a checkpoint says. Raises :class:`CheckpointError` for another version's format."""
    about = read_json(folder / "config.json")
    if not isinstance(about, dict):
        raise CheckpointError(f"{str(folder / 'config.json')!r} is no checkpoint's config")
    if about.get("format") != FORMAT:
        raise CheckpointError(f"{str(folder)!r} has format {about.get('format')!r}; this wetware reads {FORMAT}")
    return about


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


def resumable(folder: Path, kind: type[R], otherwise: str) -> tuple[R, list[Path]]:
    """The run that the last checkpoint of ``folder`` is of, and all its checkpoints, the oldest first. Raises CheckpointError
    when there is none, or it is no ``kind`` of run: ``otherwise``."""
    numbered = steps(folder)
    if not numbered:
        raise CheckpointError(f"nothing to resume: {str(folder)!r} holds no checkpoint")
    try:
        run = from_dict(read_about(numbered[-1]).get("run"))
    except ConfigError as error:
        raise CheckpointError(f"{str(numbered[-1] / 'config.json')!r}: {error}") from None
    if not isinstance(run, kind):
        raise CheckpointError(f"{str(numbered[-1])!r} {otherwise}: there is nothing to resume")
    return run, numbered


def mark_best(run: Path, checkpoint: Path) -> None:
    """Name ``checkpoint`` as the run's best."""
    write_atomically(run / "checkpoints" / "best.json", json.dumps({"checkpoint": checkpoint.name}))


def best(run: Path) -> Path | None:
    """The checkpoint that scored best on held-out text, if one was marked and is there."""
    pointer = run / "checkpoints" / "best.json"
    if not pointer.exists():
        return None
    try:
        marked = run / "checkpoints" / str(read_json(pointer)["checkpoint"])
    except (CheckpointError, KeyError, TypeError):  # a pointer that is lost loses nothing: the checkpoints are there
        return None
    return marked if STEP.match(marked.name) and marked.is_dir() else None


def drop_old(run: Path, keep: int) -> None:
    """Remove all but the last ``keep`` checkpoints and the best."""
    for path in steps(run)[:-keep]:
        if path != best(run):
            shutil.rmtree(path)


@contextlib.contextmanager
def claimed(folder: Path, last: Path | None, kind: str = "Run") -> Generator[None]:
    """Hold a run's folder: nothing in it is touched before, and one process trains into it at a time.

    ``last`` is the checkpoint that the holder stands on; None: a run of that ``kind`` begins. Raises :class:`CheckpointError`
    when somebody else holds it, or has trained on, or when it is not free to begin in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(f"another process is training into {str(folder)!r}") from None
    try:
        if steps(folder)[-1:] != ([last] if last else []):
            raise CheckpointError(f"{str(folder)!r} was trained on by another process meanwhile; use --resume")
        if last is None:
            check_free(folder, kind)
        clear_partial(folder / "checkpoints")
        yield
    finally:
        lock.release()


def check_free(folder: Path, kind: str = "Run") -> None:
    """Raise :class:`CheckpointError` unless a new run of that ``kind`` can begin in ``folder`` without touching what is
    somebody's."""
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{str(folder)!r} is a file; a run needs a folder of its own")
    if steps(folder):
        raise CheckpointError(f"{str(folder)!r} holds a run already: --resume goes on with it, --out names another")
    if not folder.exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in RUN_FILES)
    config = folder / "config.json"
    if not foreign and config.exists():
        about = read_json(config)
        foreign = [] if isinstance(about, dict) and about.get("type") == kind else ["config.json"]
    if foreign:
        raise CheckpointError(f"{str(folder)!r} holds something else ({foreign[0]}); choose another folder with --out")


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
