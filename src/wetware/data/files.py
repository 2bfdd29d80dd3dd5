"""What all of the data room needs from the file system: one error, digests, atomic writes, the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """Something is wrong with a user's data: names the thing, the value, what is allowed and the nearest guess."""


def digest(value: Any) -> str:
    """32 hexadecimal digits that stand for plain data (dicts, lists, numbers, text), the same on every machine."""
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """32 hexadecimal digits that stand for the content of a file; about a second per gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def default_cache() -> Path:
    """``$WETWARE_CACHE``, or ``wetware`` in the user's cache folder of this platform."""
    chosen = os.environ.get("WETWARE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wetware"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "wetware" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wetware"


def sync(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk; nothing for folders on Windows, which cannot open them."""
    if path.is_dir() and sys.platform == "win32":
        return
    # Windows flushes only what it may write.
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 so that ``path`` is at every moment the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync(path.parent)


@contextlib.contextmanager
def held(path: Path) -> Generator[None]:
    """Hold the lock file ``path``: one process at a time. The system releases it when its holder dies."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield
