"""Arms: what a study trains, made from the model itself.

Everything on, without each mechanism, with each mechanism alone, with everything absent, a plain transformer of the same
size, and whatever controls and peers a study declares. Each arm but the anchors is compared with one other, its reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from wetware.config import Config, ConfigError, ablate, from_dict, get, mechanisms, nearest, snake, to_dict, with_
from wetware.evaluation.measure import Measure
from wetware.evaluation.study.matching import matched, parameters
from wetware.layers import SelfAttention
from wetware.models import GPT, ModelConfig
from wetware.training import Run, Tokens

EVERYTHING, SKELETON, PLAIN = "everything", "skeleton", "plain"
ANCHOR, LEFT_OUT, ADDED, CONTROL, LONGER, PEER, EQUAL_TIME = (
    "anchor",
    "left out",
    "added alone",
    "control",
    "trained longer",
    "peer",
    "peer at equal time",
)
ALL = "all"


class Change(NamedTuple):
    """A control that a study declares: ``settings`` (path, value) of the run that make it out of the run of ``against``.
    ``match``: whether its width is matched too; not where what is added has more parameters than a narrow model leaves."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    about: str = ""
    against: str = EVERYTHING
    match: bool = True


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked. From it :meth:`arms` makes what is trained.

    run: the recipe, everything on. question: for the report. leave_out, add: mechanisms of the model by path, ``("all",)`` for
    every one. peers: other models by name, trained as ``run`` is; ``equal_time`` trains each peer once more, on as many tokens
    as it reads in the time in which the recipe reads its own. tokens: read in training, the same for every arm.
    margin: the difference in bits per byte below which nobody would care; what equivalence is tested against. held_out: tokens
    of the final score (None: all). match: whether arms get the width at which they have as many parameters as everything on.
    longer: how many times the tokens to train everything on with once more; between these, arms that take more time a token are
    compared with what everything on is worth in their time. called: the arm of ``run`` itself, for studies in which it is bare.
    measures: taken of each finished cell beside its score; figures without a test. found: bits per byte below which a task
    counts as found; the tokens until then are compared beside the score (:mod:`~wetware.evaluation.study.found`).
    """

    run: Run
    question: str = ""
    leave_out: tuple[str, ...] = (ALL,)
    add: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    peers: tuple[tuple[str, ModelConfig], ...] = ()
    equal_time: bool = False
    plain: ModelConfig | None = GPT(depth=4, attention=SelfAttention(heads=2, window=64))
    tokens: int = 1_000_000
    seeds: int = 6
    margin: float = 0.01
    held_out: int | None = None
    match: bool = True
    longer: tuple[float, ...] = ()
    called: str = EVERYTHING
    measures: tuple[Measure, ...] = ()
    found: float | None = None

    def arms(self) -> tuple[Arm, ...]:
        """Every arm, its parameters matched. ``run`` must be fitted to its tokenizer. Raises ConfigError for unknown paths."""
        run = replace(self.run, training=replace(self.run.training, limit=Tokens(count=self.tokens)))
        arms = [Arm(EVERYTHING, ANCHOR, run, None, "every mechanism on")]
        left, added = _chosen(run.model, self.leave_out), _chosen(run.model, self.add)
        if left or added:
            arms.append(
                Arm(SKELETON, ANCHOR, _keeping(run, ()), EVERYTHING, "the same skeleton, every mechanism absent")
            )
        if self.plain is not None:
            arms.append(
                Arm(PLAIN, ANCHOR, replace(run, model=self._as_peer(self.plain)), EVERYTHING, "plain transformer")
            )
        arms += [Arm(f"without {path}", LEFT_OUT, _ablated(run, path), EVERYTHING, _kind(run, path)) for path in left]
        for path in added:
            above = _ancestors(run.model, path)
            reference = f"only {above[-1]}" if above else SKELETON
            arms.append(Arm(f"only {path}", ADDED, _keeping(run, (*above, path)), reference, _kind(run, path)))
        for change in self.changes:
            base = next((arm.run for arm in arms if arm.name == change.against), None)
            if base is None:
                names = [arm.name for arm in arms]
                raise ConfigError(
                    f"{change.name}: no arm {change.against!r} to compare with{nearest(change.against, names)}"
                )
            arms.append(Arm(change.name, CONTROL, changed(base, change.settings), change.against, change.about))
        for times in self.longer:
            count = round(times * self.tokens)
            more = replace(run, training=replace(run.training, limit=Tokens(count=count)))
            arms.append(Arm(f"{EVERYTHING}, {times:g} x tokens", LONGER, more, EVERYTHING, "the same, trained longer"))
        for name, model in self.peers:
            arms.append(Arm(name, PEER, replace(run, model=self._as_peer(model)), EVERYTHING, type(model).__name__))
        references = {arm.against for arm in arms} - {arm.name for arm in arms} - {None}
        if references:
            missing = ", ".join(sorted(str(name).removeprefix("only ") for name in references))
            raise ConfigError(f"to add a part of a part, add what holds it too: {missing}")
        target = parameters(run.model) if self.match else None
        as_it_is = {change.name for change in self.changes if not change.match}
        arms = [arm.matched(None if arm.name in as_it_is else target) for arm in arms]
        if self.called == EVERYTHING:
            return tuple(arms)
        renamed = [replace(arms[0], name=self.called, about="what the rest is compared with"), *arms[1:]]
        return tuple(replace(arm, against=self.called) if arm.against == EVERYTHING else arm for arm in renamed)

    def _as_peer(self, model: ModelConfig) -> ModelConfig:
        """Another model for the same tokens."""
        return replace(model, vocab_size=self.run.model.vocab_size, boundary=self.run.model.boundary)


@dataclass(frozen=True)
class Arm:
    """One thing that is trained, once for each seed.

    about: what it is, in a few words. unmatched: the number of parameters before the width was matched. against: the arm it is
    compared with, by seed.
    """

    name: str
    group: str
    run: Run
    against: str | None
    about: str = ""
    unmatched: int = 0

    @property
    def tokens(self) -> int:
        return self.run.training.limit.count  # ty: ignore[missing-attribute]

    def matched(self, target: int | None) -> Arm:
        """The arm at ``target`` parameters, as near as its width allows; None leaves it as it is."""
        model = self.run.model if target is None else matched(self.run.model, target)
        return replace(self, run=replace(self.run, model=model), unmatched=parameters(self.run.model))

    def to_dict(self) -> dict[str, Any]:
        plain = {key: value for key, value in vars(self).items() if key != "run"}
        return {**plain, "parameters": parameters(self.run.model), "run": to_dict(self.run)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Arm:
        return cls(
            **{key: value for key, value in data.items() if key not in ("run", "parameters")},
            run=from_dict(data["run"]),
        )


def changed(run: Run, settings: Iterable[tuple[str, Any]]) -> Run:
    """``run`` with every (path, value) set. A config in a slot keeps the fields that the new one shares with the old one."""
    for path, value in settings:
        before, run = _present(run, path), with_(run, path, value)
        after = _present(run, path)
        if type(before) is not type(after) and isinstance(before, Config) and isinstance(after, Config):
            kept = {key: held for key, held in vars(before).items() if key in vars(after)}
            run = with_(run, path, replace(after, **kept))
    return run


def _present(run: Run, path: str) -> Any:
    """What is at ``path``; None where a list of parts does not hold it."""
    parent, _, _ = path.rpartition(".")
    try:
        return get(run, path)
    except ConfigError:
        if isinstance(get(run, parent), tuple):
            return None
        raise


def _chosen(model: ModelConfig, paths: tuple[str, ...]) -> tuple[str, ...]:
    known = mechanisms(model)
    if paths == (ALL,):
        return known
    for path in paths:
        if path not in known:
            raise ConfigError(f"{type(model).__name__} has no mechanism {path!r}{nearest(path, known)}")
    return paths


def _ablated(run: Run, path: str) -> Run:
    return replace(run, model=ablate(run.model, path))


def _keeping(run: Run, kept: tuple[str, ...]) -> Run:
    """``run`` with every mechanism absent but ``kept``."""
    model: Any = run.model
    while doomed := [path for path in mechanisms(model) if path not in kept]:
        model = ablate(model, doomed[0])
    return replace(run, model=model)


def _ancestors(model: ModelConfig, path: str) -> tuple[str, ...]:
    """The mechanisms that a mechanism is a part of, outermost first."""
    return tuple(other for other in mechanisms(model) if path.startswith(f"{other}."))


def _kind(run: Run, path: str) -> str:
    return snake(type(get(run.model, path)).__name__).replace("_", " ")
