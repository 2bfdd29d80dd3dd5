"""Documents out of files: ``.txt`` (a document a file), ``.jsonl`` (one a line) and ``.parquet`` (one a row)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wetware.config import nearest
from wetware.data.files import DataError


def find_files(root: Path) -> list[tuple[str, Path]]:
    """``(name, path)`` of a file, or of every readable file below a folder, sorted by name; hidden ones are left out.

    Raises :class:`DataError` when ``root`` is missing, of an unsupported kind, or a folder without a readable file.
    """
    if root.is_file():
        if root.suffix.lower() not in READERS:
            raise DataError(f"cannot read {str(root)!r}: its suffix {root.suffix!r} is not one of {', '.join(READERS)}")
        return [(root.name, root)]
    if not root.is_dir():
        raise DataError(f"no file or folder {str(root)!r}")
    inside = ((path.relative_to(root), path) for path in root.rglob("*") if path.suffix.lower() in READERS)
    found = [
        (relative.as_posix(), path)
        for relative, path in inside
        if path.is_file() and not any(part.startswith(".") for part in relative.parts)
    ]
    if not found:
        raise DataError(f"the folder {str(root)!r} holds no file that ends in {', '.join(READERS)}")
    return sorted(found)


def read_documents(path: Path, column: str) -> Iterator[str]:
    """The documents of one file in order; those without a visible character are left out."""
    try:
        for text in READERS[path.suffix.lower()](path, column):
            if text.strip():
                yield text
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from error


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """``(where, row)`` of a file with rows. Raises :class:`DataError` for one of text."""
    kind = path.suffix.lower()
    if kind not in ROWS:
        raise DataError(f"{str(path)!r} has no rows that could hold conversations: expected {' or '.join(ROWS)}")
    try:
        yield from ROWS[kind](path)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from error


def first_columns(root: Path) -> list[str]:
    """The fields of the first row that is found in a file or below a folder; none where there is only text."""
    for _, path in find_files(root):
        if path.suffix.lower() in ROWS:
            for _, row in read_rows(path):
                return list(row)
    return []


def checked_text(value: Any, where: str) -> str:
    """``value`` if it is text that UTF-8 can hold, else :class:`DataError` naming ``where``."""
    if not isinstance(value, str):
        raise DataError(f"{where}: expected text, got {type(value).__name__}: {str(value)[:60]!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: half a surrogate pair {value[error.start]!a} at character {error.start}") from None
    return value


def column_of(row: dict[str, Any], column: str, where: str) -> Any:
    """``row[column]``, or :class:`DataError` that lists the columns there are."""
    if column not in row:
        raise missing_column(column, list(row), where)
    return row[column]


def missing_column(column: str, columns: list[str], where: str) -> DataError:
    """The error for a column that is not there."""
    guess = nearest(column, columns)
    there = "" if "allowed" in guess else f"; there are: {', '.join(columns)}"
    return DataError(f"{where}: no column {column!r}{guess}{there}")


def _read_txt(path: Path, _column: str) -> Iterator[str]:
    content = path.read_bytes()
    try:
        yield content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text ({error.reason} at byte {error.start})") from None


def json_objects(lines: Iterable[bytes], name: str, about: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """``(where, object)`` of each line that is not blank; ``where`` says file and line for later errors.

    Raises :class:`DataError` for a line that is not UTF-8, not JSON, or not an object ``about`` something.
    """
    for number, line in enumerate(lines, start=1):
        where = f"{name}, line {number}"
        try:
            text = line.decode("utf-8-sig")
            if not text.strip():
                continue
            row = json.loads(text)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 text ({error.reason} at byte {error.start})") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected an object{about}, got {text.strip()[:60]!r}")
        yield where, row


def _jsonl_rows(path: Path, about: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        yield from json_objects(file, str(path), about)


def _read_jsonl(path: Path, column: str) -> Iterator[str]:
    for where, row in _jsonl_rows(path, f" with a {column!r}"):
        yield checked_text(column_of(row, column, where), where)


def _parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its rows, of all ``columns`` or of these. Raises :class:`DataError` for one that is not there."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for column in columns or ():
                if column not in names:
                    raise missing_column(column, names, str(path))
            number = 0
            for batch in file.iter_batches(batch_size=1024, columns=columns):
                for row in batch.to_pylist():
                    yield f"{path}, row {number}", row
                    number += 1
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {str(path)!r} as parquet: {error}") from error


def _read_parquet(path: Path, column: str) -> Iterator[str]:
    for where, row in _parquet_rows(path, [column]):
        if row[column] is not None:
            yield checked_text(row[column], f"{where}, column {column!r}")


ROWS = {".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
READERS = {".txt": _read_txt, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
