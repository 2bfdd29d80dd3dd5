"""What the laws run over: every registered model, alone and without each of its mechanisms, and each alternative part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from typing import Any, get_args, get_origin

import torch
from torch import Tensor

import wetware
from wetware.config import Config, ablate, get, is_config_type, kinds, mechanisms, options, snake, with_
from wetware.config import walk as walk_config
from wetware.models import LanguageModel, ModelConfig, Output
from wetware.modulation import Signals
from wetware.state import leaves

TOLERANCE = 1e-4
TIE = 1e-5


def models() -> list[tuple[str, ModelConfig]]:
    return [(name, wetware.tiny(name)) for name in wetware.model_names()]


def variants() -> list[tuple[str, ModelConfig]]:
    """Every model, without each mechanism, without all of them, with every other part in every slot, and with every part
    added that a list of parts may hold."""
    found = []
    for name, config in models():
        found.append((name, config))
        found += [(f"{name}-without-{path}", ablate(config, path)) for path in mechanisms(config)]
        found.append((f"{name}-bare", without_all(config)))
        found += [
            (f"{name}-{path}={type(part).__name__}", with_(config, path, part)) for path, part in alternatives(config)
        ]
        found += [(f"{name}-with-{path}", larger) for path, larger in additions(config)]
    return found


def registered(base: type[Config]) -> dict[str, type[Config]]:
    """The kinds of ``base`` that the package brings; other tests define kinds of their own, which are not under the laws."""
    return {name: kind for name, kind in kinds(base).items() if kind.__module__.partition(".")[0] == wetware.__name__}


def without_all(config: ModelConfig) -> ModelConfig:
    while paths := mechanisms(config):
        config = ablate(config, paths[0])
    return config


def alternatives(config: Config) -> Iterator[tuple[str, Config]]:
    """Every other part that fits a slot of ``config``, with the fields that it shares with the present one kept."""
    for path, annotation, value in walk_config(config):
        if not isinstance(value, Config) or not _is_slot(config, path):
            continue
        for base in (option for option in options(annotation) if is_config_type(option)):
            for kind in registered(base).values():
                if kind is not type(value) and not _needs(kind):
                    shared = {key: getattr(value, key) for key in vars(value) if key in kind.__dataclass_fields__}
                    yield path, kind(**shared)


def additions(config: ModelConfig) -> Iterator[tuple[str, ModelConfig]]:
    """``(path, larger config)`` for every part that a list of parts or an empty slot in ``config`` could hold and does not,
    added by its defaults."""
    for path, annotation, value in walk_config(config):
        if value is None:
            for base in filter(is_config_type, options(annotation)):
                yield from (
                    (path, with_(config, path, kind())) for kind in registered(base).values() if not _needs(kind)
                )
        bases = [get_args(option)[0] for option in options(annotation) if get_origin(option) is tuple]
        for base in filter(is_config_type, bases):
            for kind in registered(base).values():
                if not _needs(kind) and not any(type(part) is kind for part in value):
                    inner = f"{path}.{snake(kind.__name__)}"
                    yield inner, with_(config, inner, kind())


def _needs(kind: type[Config]) -> bool:
    """Whether a part cannot be made of its defaults: it needs a file, say."""
    return any(field.default is field.default_factory is MISSING for field in fields(kind))


def _is_slot(config: Config, path: str) -> bool:
    """Whether a path is a field; elements of tuples are not."""
    parent = path.rpartition(".")[0]
    return not isinstance(get(config, parent), tuple) if parent else True


def mechanism_cases(only: Callable[[Any], bool] = lambda part: True) -> list[tuple[str, ModelConfig, str]]:
    return [
        (f"{name}-{path}", config, path)
        for name, alone in models()
        for path, config in (*((path, alone) for path in mechanisms(alone)), *additions(alone))
        if only(get(config, path))
    ]


def ids(cases: list) -> list[str]:
    return [case[0] for case in cases]


def tokens(config: ModelConfig, batch: int = 3, steps: int = 41, seed: int = 0) -> Tensor:
    """Random tokens; boundaries among them, in different places in each row."""
    drawn = torch.randint(0, config.vocab_size, (batch, steps), generator=torch.Generator().manual_seed(seed))
    if config.boundary is not None:
        drawn[0, steps // 2] = drawn[-1, steps // 3] = config.boundary
    return drawn


def lively(config: ModelConfig, seed: int = 0) -> LanguageModel:
    """A model whose every parameter has left its start, so that nothing is hidden by a zero or by symmetry."""
    model = config.build(seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.empty_like(parameter).normal_(generator=generator)
            parameter.add_(0.1 * noise * (parameter.std() if parameter.numel() > 1 and parameter.std() > 0 else 1.0))
    return model


STRESSED = Signals(stress=0.9, dopamine=0.5, acetylcholine=0.7, noradrenaline=0.3)


def in_chunks(model: LanguageModel, text: Tensor, sizes: tuple[int, ...], **keywords: Any) -> Output:
    """The outputs of ``text`` read in chunks of these sizes, joined."""
    state, parts = model.init_state(len(text)), []
    for part in text.split(sizes, 1):
        output = model(part, state, **keywords)
        state = output.state
        parts.append(output)
    activity = tuple(
        type(layer[0])(*(torch.cat(signal, 1) for signal in zip(*layer, strict=True)))
        for layer in zip(*(part.activity for part in parts), strict=True)
    )
    return Output(torch.cat([part.logits for part in parts], 1), state, activity)


def assert_same(a: Output, b: Output, thresholds: list[Tensor] | None = None, tolerance: float = TOLERANCE) -> None:
    """Equal logits and final states within ``tolerance``.

    Another summation order may round a membrane that stands on its threshold to the other side. Then everything up to the
    first such flip must be equal, and the flip must be a tie within 1e-5 of threshold.
    """
    flip = first_flip(a, b)
    upto = a.logits.shape[1]
    if flip is not None:
        upto, layer, (row, step, neuron) = flip
        membrane, threshold = a.activity[layer].membrane[row, step, neuron], thresholds[layer][neuron]
        assert abs(float(membrane - threshold)) < TIE, (
            f"layer {layer} neuron {neuron} flipped at {step}: {membrane} of {threshold}"
        )
        assert upto > a.logits.shape[1] // 4, f"a flip as early as step {upto} leaves nothing to compare"
    torch.testing.assert_close(a.logits[:, :upto], b.logits[:, :upto], atol=tolerance, rtol=0)
    if flip is None:
        mine, other = dict(leaves(a.state)), dict(leaves(b.state))
        assert mine.keys() == other.keys()
        for path in mine:
            torch.testing.assert_close(
                mine[path], other[path], atol=tolerance, rtol=0, msg=lambda text, path=path: f"{path}: {text}"
            )


def first_flip(a: Output, b: Output) -> tuple[int, int, tuple[int, int, int]] | None:
    """The earliest token at which a spike differs, the lowest layer there, and the place (row, step, neuron). Graded outputs do
    not jump: they should never differ by as much."""
    found = []
    for layer, (x, y) in enumerate(zip(a.activity, b.activity, strict=True)):
        places = ((x.spikes - y.spikes).abs() > 0.5).nonzero()
        if len(places):
            row, step, neuron = min(places.tolist(), key=lambda place: place[1])
            found.append((step, layer, (row, step, neuron)))
    return min(found) if found else None


def thresholds(model: LanguageModel) -> list[Tensor]:
    """The threshold of each layer of neurons, in order, as modulators leave it under :data:`STRESSED`."""
    return [params.threshold.detach() for params in model.neuron_params(STRESSED)]


def with_vocab(config: ModelConfig, vocab_size: int, boundary: int) -> ModelConfig:
    return replace(config, vocab_size=vocab_size, boundary=boundary)
