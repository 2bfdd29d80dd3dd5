"""Configs: frozen dataclasses that describe a part and build it.

A config nests another config exactly where a mechanism may be swapped or taken away, nowhere else. "Off" is ``None`` in an
optional slot, or absence from a tuple of configs. A dotted *path* names a field: ``"block.neuron.threshold"``; an element of a
tuple is named by its kind: ``"modulators.environment"``.

Everything about configs lives here: checking, ``mechanisms``, ``ablate``, ``with_``, ``to_dict`` and ``from_dict``.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

REGISTRY: dict[str, type[Config]] = {}


class ConfigError(ValueError):
    """A config that cannot be: names the thing, the value, what is allowed and the nearest guess."""


def nearest(word: str, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    """``"; did you mean 'threshold'?"`` when one of ``allowed`` is close to ``word``, else what is allowed. ``cutoff``, from 0
    to 1: how close."""
    names = sorted(set(allowed))
    close = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed: {', '.join(names)}" if names else ""


def number(default: Any, low: float | None = None, high: float | None = None, *, open_ends: bool = False) -> Any:
    """A numeric field with a range; ``open_ends`` excludes the ends themselves. The range is checked and also searched."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "open": open_ends})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Base of every config. A subclass is a frozen keyword-only dataclass; its class name is its name in saved files.

    ``neutral`` declares that the part, as it is before training, changes no logit (law L5 holds it to that). ``label`` names
    the field by which an element of a tuple is told from others of its kind; without one, a tuple holds one of each kind.
    """

    neutral: ClassVar[bool] = False
    label: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = REGISTRY.get(cls.__name__)
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(f"two configs are named {cls.__name__!r}: in {known.__module__} and {cls.__module__}")
        REGISTRY[cls.__name__] = cls

    def __post_init__(self) -> None:
        if type(self).__dict__.get("abstract"):
            raise ConfigError(f"{type(self).__name__} is a slot, not a part; allowed: {', '.join(kinds(type(self)))}")
        for field in dataclasses.fields(self):
            value = _checked(type(self), field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Raise :class:`ConfigError` when fields that are fine one by one do not fit together."""

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """The part that this config describes."""
        raise TypeError(f"{type(self).__name__} describes data only; there is nothing to build")

    def to_dict(self) -> dict[str, Any]:
        return to_dict(self)


# ------------------------------------------------------------------------------------------------------------- checking


@functools.cache
def hints(cls: type[Config]) -> dict[str, Any]:
    """Resolved annotations of the fields of ``cls``."""
    resolved = typing.get_type_hints(cls)
    return {field.name: resolved[field.name] for field in dataclasses.fields(cls)}


def options(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def is_config_type(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _element_type(annotation: Any) -> Any:
    """``X`` of ``tuple[X, ...]``, else None."""
    for option in options(annotation):
        if typing.get_origin(option) is tuple:
            return typing.get_args(option)[0]
    return None


def describe(annotation: Any) -> str:
    """An annotation in words a user of the command line understands."""
    words = []
    for option in options(annotation):
        if option is type(None):
            words.append("none")
        elif is_config_type(option):
            words.extend(sorted(kinds(option)))
        elif typing.get_origin(option) is tuple:
            words.append(f"a list of {describe(typing.get_args(option)[0])}")
        else:
            words.append(getattr(option, "__name__", str(option)))
    return " or ".join(words)


def kinds(base: type[Config]) -> dict[str, type[Config]]:
    """The configs that fit a slot of type ``base``: itself and all below it that add or keep a way to build."""
    return {name: cls for name, cls in REGISTRY.items() if issubclass(cls, base) and not cls.__dict__.get("abstract")}


def _fits(option: Any, value: Any) -> bool:
    if option is Any:
        return True
    if option is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if option is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if typing.get_origin(option) is tuple:
        inner = typing.get_args(option)[0]
        return isinstance(value, (tuple, list)) and all(any(_fits(o, v) for o in options(inner)) for v in value)
    return isinstance(option, type) and isinstance(value, option)


def _checked(cls: type[Config], field: dataclasses.Field, value: Any) -> Any:
    name, annotation = f"{cls.__name__}.{field.name}", hints(cls)[field.name]
    if not any(_fits(option, value) for option in options(annotation)):
        raise ConfigError(f"{name} = {value!r}: expected {describe(annotation)}, got {type(value).__name__}")
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple) and value and all(isinstance(item, Config) for item in value):
        names = [element_name(item) for item in value]
        if len(set(names)) < len(names):
            same = "name" if any(item.label for item in value) else "kind"
            raise ConfigError(f"{name} holds two parts of one {same}: {', '.join(names)}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_range(name, value, field.metadata)
    if isinstance(value, int) and not isinstance(value, bool) and int not in options(annotation):
        value = float(value)
    return value


def _check_range(name: str, value: float, meta: Any) -> None:
    low, high, is_open = meta.get("low"), meta.get("high"), meta.get("open", False)
    too_low = low is not None and (value <= low if is_open else value < low)
    too_high = high is not None and (value >= high if is_open else value > high)
    # no machine integer holds more, and turning such a number into a float would overflow
    endless = abs(value) >= 2**63 if isinstance(value, int) else not math.isfinite(value)
    if too_low or too_high or endless:
        brackets = "()" if is_open else "[]"
        ends = f"{'-inf' if low is None else low}, {'inf' if high is None else high}"
        shown = repr(value) if abs(value) < 10**40 or isinstance(value, float) else f"{str(value)[:12]}..."
        raise ConfigError(f"{name} = {shown} is out of range: allowed {brackets[0]}{ends}{brackets[1]}")


# ---------------------------------------------------------------------------------------------------------------- paths


@functools.cache
def snake(name: str) -> str:
    """``LogNormalDiversity`` -> ``log_normal_diversity``; runs of capitals stay together (``LIF`` -> ``lif``)."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def element_name(item: Config) -> str:
    """What an element of a tuple is called in paths: by its ``label`` if it has one, else by its kind."""
    return snake(type(item).__name__) if item.label is None else getattr(item, item.label)


def _fields(config: Config) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


def walk(config: Config, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every ``(path, annotation, value)`` of a config, outer fields first."""
    for name, value in _fields(config).items():
        path, annotation = f"{prefix}{name}", hints(type(config))[name]
        yield path, annotation, value
        if isinstance(value, Config):
            yield from walk(value, f"{path}.")
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Config):
                    inner = f"{path}.{element_name(item)}"
                    yield inner, type(item) | None, item
                    yield from walk(item, f"{inner}.")


def mechanisms(config: Config) -> tuple[str, ...]:
    """Paths of every part that can be taken away: optional slots that are filled, and elements of tuples of configs."""
    return tuple(
        path
        for path, annotation, value in walk(config)
        if isinstance(value, Config) and type(None) in options(annotation)
    )


def get(config: Config, path: str) -> Any:
    """The value at a dotted path. Raises :class:`ConfigError` with the nearest guess."""
    value: Any = config
    for part in path.split("."):
        if isinstance(value, tuple):
            value = {element_name(item): item for item in value if isinstance(item, Config)}.get(part, _MISSING)
        elif isinstance(value, Config) and part in _fields(value):
            value = getattr(value, part)
        else:
            value = _MISSING
        if value is _MISSING:
            raise _unknown(config, path)
    return value


_MISSING = object()


def _unknown(config: Config, path: str) -> ConfigError:
    every = [known for known, _, _ in walk(config)]
    last = path.rsplit(".", 1)[-1]
    same_end = [known for known in every if known.rsplit(".", 1)[-1] == last]
    guess = f"; did you mean {same_end[0]!r}?" if same_end else nearest(path, every)
    return ConfigError(f"unknown field of {type(config).__name__}: {path!r}{guess}")


def with_(config: Config, path: str, value: Any) -> Any:
    """A copy of ``config`` with ``value`` at ``path``.

    Text is read by the field's type: ``"0.8"``, ``"none"``, ``"CurrentEncoder"``. A config given for an absent element of a
    tuple is added, ``None`` for a present one removes it.
    """
    return _with(config, path.split("."), value, config, path)


def _with(config: Any, parts: list[str], value: Any, root: Config, path: str) -> Any:
    head, rest = parts[0], parts[1:]
    if not isinstance(config, Config) or head not in _fields(config):
        raise _unknown(root, path)
    annotation, current = hints(type(config))[head], getattr(config, head)
    if not rest:
        new = parse(annotation, value, path) if isinstance(value, str) else value
    elif isinstance(current, tuple):
        new = _with_element(current, annotation, rest, value, root, path)
    else:
        new = _with(current, rest, value, root, path)
    return dataclasses.replace(config, **{head: new})


def _with_element(items: tuple, annotation: Any, rest: list[str], value: Any, root: Config, path: str) -> tuple:
    base, name = _element_type(annotation), rest[0]
    names = [element_name(item) for item in items if isinstance(item, Config)]
    if name in names:
        index = names.index(name)
        if rest[1:]:
            new: Any = _with(items[index], rest[1:], value, root, path)
        else:
            new = parse(base | None, value, path) if isinstance(value, str) else value
        return items[:index] + (() if new is None else (new,)) + items[index + 1 :]
    fitting = {snake(kind) for kind, cls in kinds(base).items() if cls.label is None} if is_config_type(base) else ()
    labelled = isinstance(value, Config) and value.label is not None and element_name(value) == name
    if not (name in fitting or labelled) or rest[1:]:
        close = difflib.get_close_matches(name, sorted({*names, *fitting}), n=1, cutoff=0.6)
        if close and close[0] != name:
            whole = ".".join([path[: -len(".".join(rest)) - 1], close[0], *rest[1:]])
            raise ConfigError(f"unknown field of {type(root).__name__}: {path!r}; did you mean {whole!r}?")
        raise _unknown(root, path)
    new = parse(base | None, value, path) if isinstance(value, str) else value
    return items if new is None else (*items, new)


def ablate(config: Any, path: str) -> Any:
    """A copy of ``config`` without the mechanism at ``path``. Raises :class:`ConfigError` when it is not one."""
    known = mechanisms(config)
    if path not in known:
        raise ConfigError(f"{type(config).__name__} has no mechanism {path!r}{nearest(path, known)}")
    return with_(config, path, None)


# ----------------------------------------------------------------------------------------------------------------- text


def parse(annotation: Any, text: str, path: str) -> Any:
    """Read ``text`` as the type of a field; the class name of a config stands for its defaults, ``Kind(field=value, ...)`` for
    others."""
    for option in sorted(options(annotation), key=lambda option: option is str):
        value = _parse_one(option, text.strip())
        if value is not _MISSING:
            return value
    names = [name for option in options(annotation) if is_config_type(option) for name in kinds(option)]
    raise ConfigError(f"{path} = {text!r}: expected {describe(annotation)}{nearest(text, names) if names else ''}")


def _parse_one(option: Any, text: str) -> Any:
    if option is type(None):
        return None if text.lower() in ("none", "null", "off") else _MISSING
    if option is bool:
        return {"true": True, "false": False}.get(text.lower(), _MISSING)
    if option in (int, float):
        try:
            return option(text.replace("_", ""))
        except ValueError:
            return _MISSING
    if option is str:
        return text
    if is_config_type(option):
        name, bracket, inside = text.partition("(")
        if name not in kinds(option) or (bracket and not inside.endswith(")")):
            return _MISSING
        return _made(kinds(option)[name], _assignments(inside[:-1]))
    if typing.get_origin(option) is tuple:
        inner, pieces = typing.get_args(option)[0], [piece for piece in text.strip("()[]").split(",") if piece.strip()]
        values = [_parse_one(inner, piece.strip()) for piece in pieces]
        return _MISSING if _MISSING in values else tuple(values)
    return _MISSING


def _assignments(text: str) -> list[str]:
    """``"a=1, b=Kind(c=2, d=3)"`` at its outer commas."""
    pieces, depth, start = [], 0, 0
    for place, letter in enumerate(f"{text},"):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            pieces.append(text[start:place].strip())
            start = place + 1
    return [piece for piece in pieces if piece]


def _made(cls: type[Config], assignments: list[str]) -> Config:
    """``cls`` with the fields that ``assignments`` ("field=value") name, all at once, the rest by default."""
    values = {}
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign or name.strip() not in hints(cls):
            raise ConfigError(f"{cls.__name__}({assignment}): expected FIELD=VALUE{nearest(name.strip(), hints(cls))}")
        values[name.strip()] = parse(hints(cls)[name.strip()], text, f"{cls.__name__}.{name.strip()}")
    fields = dataclasses.fields(cls)
    needed = [field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING]
    if missing := [name for name in needed if name not in values]:
        example = f"{cls.__name__}({', '.join(f'{name}=...' for name in needed)})"
        raise ConfigError(f"{cls.__name__} cannot be named alone: it needs {', '.join(missing)}: {example}")
    return cls(**values)


def to_dict(value: Any) -> Any:
    """Plain data (dicts, lists, numbers, text) from which :func:`from_dict` makes the same config again."""
    if isinstance(value, Config):
        return {"type": type(value).__name__, **{name: to_dict(item) for name, item in _fields(value).items()}}
    if isinstance(value, tuple):
        return [to_dict(item) for item in value]
    return value


def from_dict(data: Any) -> Any:
    """The inverse of :func:`to_dict`. Unknown types and fields raise :class:`ConfigError` with the nearest guess."""
    if isinstance(data, list):
        return tuple(from_dict(item) for item in data)
    if not isinstance(data, dict):
        return data
    name = data.get("type")
    if not isinstance(name, str) or name not in REGISTRY:
        raise ConfigError(f"unknown config type {name!r}{nearest(str(name), REGISTRY)}")
    cls = REGISTRY[name]
    unknown = [key for key in data if key != "type" and key not in hints(cls)]
    if unknown:
        raise ConfigError(f"unknown field of {name}: {unknown[0]!r}{nearest(unknown[0], hints(cls))}")
    try:
        return cls(**{key: from_dict(item) for key, item in data.items() if key != "type"})
    except TypeError as error:
        raise ConfigError(f"{name}: {error}") from None
