"""Small files of tensors that say what they are."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wetware.data.files import DataError, sync


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file so that ``path`` is at every moment the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, partial, metadata=dict(metadata or {}))
        partial.chmod(0o644)
        sync(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file. Raises DataError when it is missing or damaged."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no such file: {str(path)!r}")
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(f"damaged file {str(path)!r}: {error}") from None


def tensor_digest(*tensors: Tensor) -> str:
    """32 hexadecimal digits that stand for the shapes and values of tensors."""
    made = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        made.update(str(tuple(tensor.shape)).encode())
        made.update(tensor.detach().cpu().contiguous().to(torch.float32).numpy().tobytes())
    return made.hexdigest()


def field(metadata: Mapping[str, Any], name: str, path: str | Path, kind: str) -> Any:
    """``metadata[name]``. Raises DataError that says ``path`` is no such ``kind`` of file."""
    if name not in metadata:
        raise DataError(f"{str(path)!r} is no {kind}: it does not say its {name}")
    return metadata[name]
