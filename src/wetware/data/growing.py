"""Growing: text without an end, packed a block at a time while training reads the blocks before.

A block is a packed folder that also says the place in its sources where it ends. So each block is a function of the
mixture, the tokenizer and the place where the block before it ended: what is on the disk is read, what is not is made
again, and a step number is enough to go on exactly.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from wetware.data.files import digest
from wetware.data.mixing import Mixer
from wetware.data.mixture import Mixture
from wetware.data.packing import FORMAT, SHARD_TOKENS, Packed, Progress, cache_folder, cached, write_tokens
from wetware.data.tokenizers import Tokenizer

PATIENCE = 5.0  # seconds given to a packing that is told to stop; one that hangs in the network is left behind
UNKNOWN = object()


class Growing(Packed):
    """The training split of a mixture. It is its first block for whoever wants a sample of the text (a calibration, the
    counts of an n-gram model), and :meth:`epoch` is block after block for whoever reads on.

    ``waited`` are the seconds that readers have waited for a block.
    """

    def __init__(
        self,
        mixture: Mixture,
        tokenizer: Tokenizer,
        cache: str | Path | None = None,
        *,
        progress: Progress | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Packs the first block. Raises :class:`DataError` when a part has no text or cannot be read."""
        self.mixture, self.tokenizer, self.progress = mixture, tokenizer, progress
        fingerprint = mixture.fingerprint() if fingerprint is None else fingerprint
        self.key = digest([FORMAT, fingerprint, tokenizer.fingerprint(), "blocks", mixture.block])
        self.root = cache_folder(cache) / "packed" / f"blocks-{self.key}"
        self.waited = 0.0
        self._places: dict[int, Any] = {}
        self._mixer: tuple[int, Mixer] | None = None  # at the start of a block
        self._job: _Job | None = None
        self._ahead = False
        super().__init__(self._wait(self._begin(0)).folder)

    # ----------------------------------------------------------------------------------------------------- as it is read

    @property
    def epoch_tokens(self) -> int:
        return self.mixture.block

    def epoch(self, index: int) -> Packed:
        """The block of that index. Waits until it is packed; while :meth:`reading_ahead`, the next one is begun then."""
        block = self if index == 0 else self._wait(self._begin(index))
        if self._ahead:
            self._begin(index + 1)
        self._drop(index)
        return block

    def place(self, epoch: int) -> Any:
        """Where in its sources the block begins, if that is known."""
        place = self._start(epoch)
        return None if place is UNKNOWN else place

    def go_on(self, epoch: int, place: Any) -> None:
        if epoch and place is not None:
            self._places[epoch] = place

    def reading_ahead(self) -> AbstractContextManager[Any]:
        return self._reading_ahead()

    @contextlib.contextmanager
    def _reading_ahead(self) -> Generator[None]:
        self._ahead = True
        try:
            yield
        finally:
            self._ahead = False
            self._stop()
            self._mixer = None

    # ------------------------------------------------------------------------------------------------------ as it is made

    def _begin(self, index: int) -> _Job:
        """The job that makes a block; of several, the last one that was asked for goes on."""
        if self._job is None or self._job.index != index:
            self._stop()
            self._job = _Job(index, self._build)
            self._job.start()
        return self._job

    def _wait(self, job: _Job) -> Packed:
        started = time.monotonic()
        try:
            while job.is_alive():
                job.join(0.1)
                if self.progress is not None and job.is_alive():
                    self.progress(*job.done)
        except BaseException:
            self._stop()
            raise
        finally:
            self.waited += time.monotonic() - started
        self._job = None
        if job.error is not None:
            raise job.error
        assert job.block is not None
        return job.block

    def _stop(self) -> None:
        if self._job is not None:
            self._job.stopped.set()
            self._job.join(PATIENCE)
            self._job = None

    def _build(self, job: _Job) -> Packed:
        """The block of a job, after those before it whose end is not known."""
        first = job.index
        while self._start(first) is UNKNOWN:
            first -= 1
        for index in range(first, job.index):
            self._block(index, job)
        return self._block(job.index, job)

    def _block(self, index: int, job: _Job) -> Packed:
        def build(partial: Path) -> None:
            held, self._mixer = (
                self._mixer,
                None,
            )  # whatever interrupts it, a mixer in the middle of a block is not kept
            if held is not None and held[0] == index:
                mixer = held[1]
                mixer.watch = job.check
            else:
                parts, shares = self.mixture.ordered, self.mixture.shares
                mixer = Mixer(parts, shares, self.tokenizer, self._start(index), job.check)
            rows = self._rows(mixer)
            about = write_tokens(partial, self.key, rows, self.tokenizer, SHARD_TOKENS, job.tell)
            about["end"] = mixer.place
            (partial / "packed.json").write_text(json.dumps(about, indent=1))
            self._mixer = (index + 1, mixer)

        return cached(self._folder(index), Packed, build)

    def _rows(self, mixer: Mixer) -> Iterator[np.ndarray]:
        tokens = 0
        while tokens < self.mixture.block:
            row = next(mixer)
            tokens += len(row)
            yield row

    # ------------------------------------------------------------------------------------------------------- on the disk

    def _folder(self, index: int) -> Path:
        return self.root / f"block-{index:06d}"

    def _start(self, index: int) -> Any:
        """Where a block begins in its sources, from the one before it or a checkpoint; else ``UNKNOWN``."""
        if index == 0:
            return None
        if index in self._places:
            return self._places[index]
        try:
            return json.loads((self._folder(index - 1) / "packed.json").read_bytes())["end"]
        except (OSError, ValueError, KeyError, TypeError):
            return UNKNOWN

    def _drop(self, index: int) -> None:
        """Remove the tokens of blocks before the last ``keep`` ones; where they ended stays known, and the first one stays."""
        if self.mixture.keep is None:
            return
        for old in range(index - self.mixture.keep, 0, -1):
            if not (self._folder(old) / "offsets.npy").exists():
                return
            for path in (*self._folder(old).glob("tokens-*.bin"), self._folder(old) / "offsets.npy"):
                with contextlib.suppress(OSError):  # Windows keeps what another run still reads
                    path.unlink()


class _Stopped(Exception):
    """A job was told to stop."""


class _Job(threading.Thread):
    """A block that is being made: in the end it has a ``block``, or the ``error`` that prevented it."""

    def __init__(self, index: int, build: Callable[[_Job], Packed]) -> None:
        super().__init__(name=f"block-{index}", daemon=True)
        self.index, self._build = index, build
        self.stopped = threading.Event()
        self.done = (0, 0)
        self.block: Packed | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.block = self._build(self)
        except BaseException as error:
            self.error = error

    def check(self) -> None:
        if self.stopped.is_set():
            raise _Stopped

    def tell(self, documents: int, source_bytes: int) -> None:
        self.check()
        self.done = (documents, source_bytes)
