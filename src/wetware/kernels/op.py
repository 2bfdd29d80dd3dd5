"""Choice: one thing done in several ways, each of which may refuse with a reason. Op: a choice among ways to compute one
formula, all of which must agree with its readable reference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple

from wetware.config import nearest

OPS: dict[str, Op] = {}


class Refused(RuntimeError):
    """A backend that was asked for by name cannot take these arguments; the message says why."""


class Backend(NamedTuple):
    """``how``: what it does by itself, depending on what it meets while it runs; shown by ``explain``."""

    name: str
    run: Callable[..., Any]
    refuses: Callable[..., str | None]
    how: str = ""


class Case(NamedTuple):
    """Arguments on which every backend is held against the reference (law L3)."""

    name: str
    args: tuple
    keywords: dict[str, Any]


class Choice:
    """A reference that always serves, and faster backends that serve where they do not refuse.

    Calling it runs the first backend, in order of registration, that does not refuse the arguments; the reference never
    refuses. ``with choice.using("name"):`` runs that one or raises :class:`Refused`: there is no silent fallback.
    """

    def __init__(self, name: str, reference: Callable[..., Any]) -> None:
        self.name, self.reference = name, reference
        self.backends: dict[str, Backend] = {}
        self._forced: ContextVar[str | None] = ContextVar(f"{name}_backend", default=None)

    def backend(self, name: str, refuses: Callable[..., str | None], how: str = "") -> Callable:
        """Register a backend. ``refuses(*args, **keywords)`` gives the reason it cannot take these arguments, or None."""

        def register(run: Callable[..., Any]) -> Callable[..., Any]:
            self.backends[name] = Backend(name, run, refuses, how)
            return run

        return register

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.backends, "reference")

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        forced = self._forced.get()
        if forced == "reference":
            return self.reference(*args, **keywords)
        if forced is not None:
            reason = self.backends[forced].refuses(*args, **keywords)
            if reason:
                raise Refused(f"{self.name}: backend {forced!r} refused: {reason}")
            return self.backends[forced].run(*args, **keywords)
        for backend in self.backends.values():
            if backend.refuses(*args, **keywords) is None:
                return backend.run(*args, **keywords)
        return self.reference(*args, **keywords)

    @contextlib.contextmanager
    def using(self, name: str) -> Generator[None]:
        """Run this backend, by name, inside the ``with``. Raises ValueError for a name that does not exist."""
        if name not in self.names:
            raise ValueError(f"{self.name} has no backend {name!r}{nearest(name, self.names)}")
        token = self._forced.set(name)
        try:
            yield
        finally:
            self._forced.reset(token)

    def explain(self, *args: Any, **keywords: Any) -> str:
        """Which backend these arguments get, and why each one before it does not: ``"triton: refused, needs cuda; ..."``."""
        parts, forced = [], self._forced.get()
        chosen = forced == "reference"
        for backend in self.backends.values():
            reason = backend.refuses(*args, **keywords)
            if reason:
                parts.append(f"{backend.name}: refused, {reason}")
            elif chosen or forced not in (None, backend.name):
                parts.append(f"{backend.name}: available")
            else:
                parts.append(f"{backend.name}: chosen" + (f" ({backend.how})" if backend.how else ""))
                chosen = True
        last = forced == "reference" or (forced is None and not chosen)
        parts.append(f"reference: {'chosen' if last else 'available'}")
        return "; ".join(parts)


class Op(Choice):
    """A computation with a readable reference and any number of faster backends.

    Args:
        reference: plain PyTorch, as readable as the formula, differentiable by autograd.
        cases: gives the :class:`Case` list that law L3 runs over (odd sizes, optional arguments present and absent).
    """

    def __init__(self, name: str, reference: Callable[..., Any], cases: Callable[[], Iterable[Case]]) -> None:
        super().__init__(name, reference)
        self.cases = cases
        OPS[name] = self
