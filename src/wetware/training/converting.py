"""Converting: a trained model as another kind of model, with parts it had not, that says the same until it learns more."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wetware.config import Config, ConfigError, mechanisms, nearest, with_
from wetware.data import Sotu, Tokenizer
from wetware.models import MODELS, LanguageModel, ModelConfig

# Largest difference of logits that passes for none. Sums in another order differ by less than a thousandth of it in float64.
SAME = {torch.float64: 1e-6, torch.float32: 1e-4}
CHUNKS = (256, 128)  # tokens that are compared: the second chunk sees what the first left behind


class Converted(NamedTuple):
    """model: to be saved. new: shapes of the tensors that were drawn. parts: paths of the parts that the old model had not.
    difference: largest of the logits on the tokens compared, in ``dtype``; rounded: the same in float32."""

    model: LanguageModel
    new: dict[str, tuple[int, ...]]
    parts: tuple[str, ...]
    difference: float
    dtype: torch.dtype
    rounded: float


def larger(config: ModelConfig, kind: str) -> ModelConfig:
    """The model of that kind with the fields of ``config``, and the parts of its own by default.

    Raises ConfigError, with the nearest guess, unless ``kind`` names a model that is a ``config`` with more parts.
    """
    if kind not in MODELS:
        raise ConfigError(f"no model {kind!r}{nearest(kind, MODELS)}")
    if not issubclass(MODELS[kind], type(config)):
        fitting = [name for name, each in MODELS.items() if issubclass(each, type(config)) and each is not type(config)]
        names = type(config).__name__, MODELS[kind].__name__
        raise ConfigError(
            f"a {names[0]} cannot become a {names[1]} that says the same: only {', '.join(fitting) or 'nothing'} is a "
            f"{names[0]} with more parts"
        )
    return MODELS[kind](**{field.name: getattr(config, field.name) for field in fields(config)})


def convert(
    model: LanguageModel, config: ModelConfig, tokenizer: Tokenizer | None = None, *, seed: int = 0
) -> Converted:
    """``model`` as a ``config``: all its tensors, and what it has not drawn from ``seed``.

    Raises ConfigError when a tensor finds no place, or logits on text (without a tokenizer: on drawn tokens) are not the same;
    it names what changes them.
    """
    made = _filled(model, config, tokenizer, seed)
    tokens = probe(config, tokenizer)
    difference, dtype = compared(model, made, tokens)
    if not difference <= SAME[dtype]:
        raise ConfigError(_blame(model, config, tokenizer, seed, difference))
    old = model.state_dict()
    new = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items() if name not in old}
    parts = tuple(_new_parts(model.config, config))
    return Converted(made, new, parts, difference, dtype, _difference(model, made, tokens))


def probe(config: ModelConfig, tokenizer: Tokenizer | None) -> Tensor:
    """Tokens [2, T] to compare two models on: real text, a document beginning somewhere in each row; without a tokenizer, drawn
    ones."""
    length = sum(CHUNKS)
    if tokenizer is None:
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(config.vocab_size, (2, length), generator=generator)
    else:
        text = next(iter(Sotu().documents("validation")))
        tokens = torch.tensor(tokenizer.encode(text[: 24 * length]))
        tokens = tokens.repeat(-(-2 * length // len(tokens)))[: 2 * length].view(2, length)
    if config.boundary is not None:
        tokens[0, 0] = tokens[1, length // 3] = config.boundary
    return tokens


def compared(a: LanguageModel, b: LanguageModel, tokens: Tensor) -> tuple[float, torch.dtype]:
    """The largest difference of their logits, in float64; where a part knows only float32, in that."""
    try:
        wide = [deepcopy(model).double() for model in (a, b)]
        return _difference(*wide, tokens), torch.float64
    except (RuntimeError, TypeError):
        return _difference(a, b, tokens), torch.float32


@torch.inference_mode()
def _difference(a: LanguageModel, b: LanguageModel, tokens: Tensor) -> float:
    """Over chunks, with state carried."""
    states, largest = [None, None], 0.0
    for chunk in tokens.split(CHUNKS, 1):
        outputs = [model(chunk, state) for model, state in zip((a, b), states, strict=True)]
        states = [output.state for output in outputs]
        # a logit that is no number is as far off as can be
        apart = (outputs[0].logits - outputs[1].logits).abs().nan_to_num(nan=torch.inf)
        largest = max(largest, float(apart.max()))
    return largest


def _filled(model: LanguageModel, config: ModelConfig, tokenizer: Tokenizer | None, seed: int) -> LanguageModel:
    made = config.build(seed)
    if tokenizer is not None:
        made.read_vocabulary(tokenizer.pieces)
    theirs, ours = model.state_dict(), made.state_dict()
    kind = type(config).__name__
    for name, tensor in theirs.items():
        if name not in ours:
            raise ConfigError(f"the {kind} asked for has no place for {name!r}: no trained part can be left out")
        if tensor.shape != ours[name].shape:
            sizes = f"{list(ours[name].shape)} in the {kind} asked for and {list(tensor.shape)} in what there is"
            raise ConfigError(f"{name!r} is {sizes}: sizes cannot be changed")
    made.load_state_dict(theirs, strict=False)
    return made


def _new_parts(old: ModelConfig, config: ModelConfig) -> Iterator[str]:
    """Paths of the parts of ``config`` that ``old`` has not, without those inside of them."""
    known, found = mechanisms(old), []
    for path in mechanisms(config):
        if path not in known and not any(path.startswith(f"{outer}.") for outer in found):
            found.append(path)
            yield path


def _blame(model: LanguageModel, config: ModelConfig, tokenizer: Tokenizer | None, seed: int, difference: float) -> str:
    """Which fields or parts change the logits: each is tried with all others taken back."""
    old, apart = model.config, f"logits would differ by up to {difference:.3g} before any training"
    names = [field.name for field in fields(old) if getattr(config, field.name) != getattr(old, field.name)]
    if names:
        return f"{apart}: model.{names[0]} is not what it was"
    choices, guilty, tokens = _choices(old, config), [], probe(config, tokenizer)
    for path in choices:
        alone = config
        for other, without in choices.items():
            alone = alone if other == path else with_(alone, other, without)
        by, dtype = compared(model, _filled(model, alone, tokenizer, seed), tokens)
        if not by <= SAME[dtype]:
            guilty.append((path, by))
    if not guilty:
        return f"{apart}: {', '.join(choices) or 'the model itself'} together change them"
    told = ", ".join(f"{path} (by {by:.3g})" for path, by in guilty)
    kinds = {path: "none" if choices[path] is None else type(choices[path]).__name__ for path, _ in guilty}
    out = " ".join(f"--set model.{path}={kind}" for path, kind in kinds.items())
    return f"{apart}: {told} cannot be added without changing them; without it: {out}"


def _choices(old: ModelConfig, config: ModelConfig) -> dict[str, Any]:
    """By path, what may be taken back of what ``old`` has not: None for a part, the usual kind for a slot that is never
    empty."""
    found: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        filled = isinstance(value, Config) and field.name not in mechanisms(config)
        if field.name not in vars(old) and filled and type(value) is not type(field.default):
            found[field.name] = field.default
    parts = _new_parts(old, config)
    return found | {path: None for path in parts if path.split(".")[0] not in found}
