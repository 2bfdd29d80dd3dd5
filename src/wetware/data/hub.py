"""The Hugging Face hub: a data set row by row, over a network that fails now and then."""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from wetware.config import number
from wetware.data.conversations import SPECIALS
from wetware.data.corpora import Corpus, Reader, Split, bound_of, check_split, chosen, rank
from wetware.data.files import DataError, digest
from wetware.data.forms import Form
from wetware.data.readers import checked_text, column_of

# Seconds before each new try; a row that arrives starts them over.
WAITS = (1, 2, 4, 8, 16, 32)
# What no waiting mends, when it comes before the first row: no such data set, subset, split or library.
LASTING = (FileNotFoundError, PermissionError, ImportError, ValueError, TypeError, LookupError, AttributeError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HubDataset(Corpus):
    """A data set of the Hugging Face hub, streamed by the library ``datasets`` (the extra ``hf``); needs the network.

    ``subset`` is what the hub calls a configuration, the field ``column`` of a row is a document, or, with a ``form``, what it
    holds is a conversation, ``limit`` keeps the first that many rows, and ``held_out`` of
    them, chosen by a hash of their content, are the validation split. The fingerprint knows the name, not the content:
    pin ``revision`` (a tag or commit) when the data set may change under it. Given as a run's corpus it is packed whole
    before training; in a :class:`Mixture`, also one of it alone, it is packed while training goes on.
    """

    name: str
    subset: str | None = None
    split: str = "train"
    column: str = "text"
    form: Form | None = None
    held_out: float = number(0.01, 0.0, 1.0, open_ends=True)
    limit: int | None = number(None, 1)
    revision: str | None = None

    @property
    def specials(self) -> tuple[str, ...]:
        return SPECIALS if self.form else ()

    def documents(self, split: Split) -> Iterator[str]:
        return chosen(lambda: _texts(_Rows(self)), self.held_out, check_split(split))

    def fingerprint(self) -> str:
        return digest(self.to_dict())

    def reader(self, place: Any = None) -> Reader:
        return _HubReader(self, place)


class _HubReader(Reader):
    """The training documents; the bound of the held-out ones goes along, for it takes rows to find."""

    def __init__(self, data: HubDataset, place: Any) -> None:
        self._bound = place["bound"] if place else bound_of((rank(text) for text in _texts(_Rows(data))), data.held_out)
        self._rows = _Rows(data, place and place["rows"])
        self._texts = _texts(self._rows)

    def __next__(self) -> str:
        for text in self._texts:
            if rank(text) >= self._bound:
                return text
        raise StopIteration

    @property
    def place(self) -> Any:
        return {"rows": self._rows.place, "bound": self._bound}


class _Rows:
    """Rows of a data set from a place on, with what must be known to begin again there.

    The place is a state that ``datasets`` can go back to without reading what came before it, and the number of rows
    since; a data set that has no states is read again from its start.
    """

    def __init__(self, data: HubDataset, place: Any = None) -> None:
        self.data = data
        self._state: Any = place["state"] if place else None
        self._since: int = place["since"] if place else 0
        self.index: int = place["index"] if place else 0
        self._dataset: Any = None
        self._rows: Iterator[dict[str, Any]] | None = None
        self._failures, self._begun = 0, False
        self._before = self._place

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        if self.data.limit is not None and self.index >= self.data.limit:
            raise StopIteration
        while True:
            try:
                if self._rows is None:
                    self._rows = self._open()
                row = next(self._rows)
            except StopIteration:
                raise
            except DataError:
                raise
            except Exception as error:  # the network, the hub and the loaders below it raise errors of many libraries
                self._wait(error)
            else:
                self._failures, self._begun = 0, True
                self._before = self._place
                self.index += 1
                if hasattr(self._dataset, "state_dict"):  # microseconds, and a new try need not read anything again
                    self._state = self._dataset.state_dict()
                else:
                    self._since += 1
                return row

    @property
    def place(self) -> Any:
        """From where what is given next is read again: a row earlier, where a form had to look at it already."""
        return self._before if self.data.form is not None and self.data.form.ahead else self._place

    @property
    def _place(self) -> dict[str, Any]:
        return {"state": self._state, "since": self._since, "index": self.index}

    def _open(self) -> Iterator[dict[str, Any]]:
        data = self.data
        try:
            datasets = importlib.import_module("datasets")
        except ImportError:
            message = f"hf:{data.name} needs the library 'datasets': pip install 'wetware[hf]'"
            raise DataError(message) from None
        self._dataset = datasets.load_dataset(
            data.name, data.subset, split=data.split, revision=data.revision, streaming=True
        )
        if self._state is not None:
            self._dataset.load_state_dict(self._state)
        rows = iter(self._dataset)
        deque(islice(rows, self._since), maxlen=0)
        return rows

    def _wait(self, error: Exception) -> None:
        """Sleep before the next try, or raise :class:`DataError` when there is none."""
        self._rows = None
        self._failures += 1
        lasting = not self._begun and isinstance(error, LASTING)
        if lasting or self._failures > len(WAITS):
            tried = "" if lasting else f" (at row {self.index}, tried {self._failures} times)"
            words = " ".join(str(error).split())[:300]
            raise DataError(f"cannot stream hf:{self.data.name}: {type(error).__name__}: {words}{tried}") from error
        time.sleep(WAITS[self._failures - 1])


def _texts(rows: _Rows) -> Iterator[str]:
    """The texts of rows; what shows nothing is left out."""
    located = ((f"hf:{rows.data.name}, row {rows.index - 1}", row) for row in rows)
    if rows.data.form is not None:
        yield from (talk.template for talk in rows.data.form.conversations(located))
        return
    for where, row in located:
        text = checked_text(column_of(row, rows.data.column, where), where)
        if text.strip():
            yield text
