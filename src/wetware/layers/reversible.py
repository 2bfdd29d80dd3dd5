"""Reversible blocks: two streams that can be run backwards, so that training keeps no activations of the blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config
from wetware.layers.attention import Span
from wetware.layers.residual import Passed, Residual, Stack
from wetware.parameters import NEURON, filled, parameter

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Gauge(Config):
    """After each block its two streams are turned by a learned angle of that block, 0 at first::

        (x1, x2) <- (x1 cos a - x2 sin a, x1 sin a + x2 cos a)

    A rotation in SO(2) keeps norms and volumes. That the angle is a gauge, a free choice of frame, is an analogy: the next
    block does not turn along, so the angle does change what the model computes, and is learned for that.
    """

    neutral: ClassVar[bool] = True

    def build(self, *, depth: int) -> Turning:
        return Turning(depth)


class Turning(nn.Module):
    """See :class:`Gauge`."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.angle = parameter(depth, draw=filled(0.0), role=NEURON)

    def forward(self, pair: Pair, index: int, sign: int = 1) -> Pair:
        """Turn a pair by the angle of that block; ``sign`` = -1: back."""
        angle = sign * self.angle[index]
        cosine, sine = angle.cos(), angle.sin()
        return pair[0] * cosine - pair[1] * sine, pair[0] * sine + pair[1] * cosine


@dataclass(frozen=True, kw_only=True)
class ReversibleResidual(Residual):
    """Two streams, both the input at first, that each block changes by turns (Gomez et al., RevNet, 2017), and a rotation::

        x1 <- x1 + mix(x2)
        x2 <- x2 + feed(x1)
        (x1, x2) <- gauge(x1, x2)             output: (x1 + x2) / 2

    Each line can be undone and has a Jacobian of determinant 1: the map of the pair keeps volumes, exactly by construction
    and in numbers up to rounding. In training only the last pair is kept; the way back finds each block's input from its
    output and runs the inside of the block again, which takes about a third more arithmetic. Gradients are those of plain
    back-propagation; in low precision the pairs found are rounded, and with them what jumps (a choice of experts, a spike).
    Second derivatives are refused.

    A block has to offer ``mix(x, state, span) -> (added, state, evidence)`` and ``feed(x, state, span) -> (added, state,
    losses, evidence)``, which read and change different parts of its state. It is another model than the plain stream, with
    the same weights and state, for the memory it spares; whether it predicts better has not been studied.
    """

    gauge: Gauge | None = Gauge()

    def build(self, *, depth: int) -> Stack:
        return ReversibleStack(self, depth)


class ReversibleStack(Stack):
    """See :class:`ReversibleResidual`."""

    def __init__(self, config: ReversibleResidual, depth: int) -> None:
        super().__init__()
        self.gauge = config.gauge.build(depth=depth) if config.gauge else None

    def forward(self, blocks: Iterable[Any], x: Tensor, states: tuple, span: Span) -> tuple[Tensor, list[Passed]]:
        blocks = list(blocks)
        if torch.is_grad_enabled():
            pair, passed = _forgetting(_Walk(self.gauge, blocks, states, span), x)
        else:
            pair, passed = self.plainly(blocks, x, states, span)
        hidden = (pair[0] + pair[1]) / 2
        return hidden, [part._replace(hidden=hidden) for part in passed]

    def plainly(self, blocks: list[Any], x: Tensor, states: tuple, span: Span) -> tuple[Pair, list[Passed]]:
        """The last pair and what each block passed on, by the formula alone; autograd keeps what it keeps."""
        pair, passed = (x, x), []
        for index, (block, before) in enumerate(zip(blocks, states, strict=True)):
            pair, part = couple(block, pair, before, span)
            pair = self.gauge(pair, index) if self.gauge else pair
            passed.append(part)
        return pair, passed

    @torch.no_grad()
    def undo(self, blocks: list[Any], pair: Pair, states: tuple, span: Span) -> Pair:
        """The pair before the first block, from the one after the last and the states before."""
        for index, block, before in reversed(list(zip(range(len(blocks)), blocks, states, strict=True))):
            first, second = self.gauge(pair, index, -1) if self.gauge else pair
            second = second - block.feed(first, before, span)[0]
            pair = first - block.mix(second, before, span)[0], second
        return pair


def couple(block: Any, pair: Pair, state: Any, span: Span) -> tuple[Pair, Passed]:
    """One block on a pair, without the rotation."""
    mixed, state, told = block.mix(pair[1], state, span)
    first = pair[0] + mixed
    fed, state, losses, more = block.feed(first, state, span)
    return (first, pair[1] + fed), Passed(first, state, losses, told | more)


# ------------------------------------------------------------------------------------------------------- the way back


def _mapped(function: Any, value: Any) -> Any:
    """``value`` with ``function`` applied to each tensor in it, in order; what is neither a tensor nor holds any stays."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple):
        items = [_mapped(function, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    return value


def _tensors(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    _mapped(found.append, value)
    return found


def _emptied(value: Any) -> Any:
    """The form of ``value``, which keeps none of its tensors alive."""
    return _mapped(lambda tensor: tensor.new_empty(0), value)


def _start(tensor: Tensor, wanted: bool = True) -> Tensor:
    """The same values at the beginning of a graph."""
    return tensor.detach().requires_grad_(wanted)


def _asks(told: Tensor) -> bool:
    """Whether evidence wants its gradient. That of a parameter is where it always is."""
    return told.requires_grad and (told.is_leaf or told.retains_grad) and not isinstance(told, nn.Parameter)


def _kept(told: Tensor) -> Tensor:
    return told if isinstance(told, nn.Parameter) else _start(told, _asks(told))


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def _known(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


Ends = Iterable[tuple[Tensor, Tensor | None]]


def _gradients(ends: Ends, inputs: list[Tensor]) -> Iterator[Tensor | None]:
    """Of each input, from (output, its gradient); None where nothing leads."""
    known = [(end, gradient.to(end.dtype)) for end, gradient in ends if gradient is not None and end.requires_grad]
    asked = [tensor for tensor in inputs if tensor.requires_grad]
    found: Iterator[Tensor | None] = iter(())
    if known and asked:
        outputs, gradients = zip(*known, strict=True)
        found = iter(torch.autograd.grad(outputs, asked, gradients, allow_unused=True))
    return (next(found, None) if tensor.requires_grad else None for tensor in inputs)


class _Walk:
    """Blocks and what they are given; after the way there, what they passed on, of states and losses the form alone."""

    def __init__(self, gauge: Turning | None, blocks: list[Any], states: tuple, span: Span) -> None:
        self.gauge, self.blocks, self.states, self.span = gauge, blocks, states, span
        self.passed: list[Passed] = []
        self.autocast: dict[str, Any] = {}

    def given(self) -> list[Tensor]:
        """All that the result depends on but x: angles, states and weights, in this order."""
        angles = [self.gauge.angle] if self.gauge else []
        return [*angles, *_tensors(self.states), *(weight for block in self.blocks for weight in block.parameters())]


def _forgetting(walk: _Walk, x: Tensor) -> tuple[Pair, list[Passed]]:
    """The same as :meth:`ReversibleStack.plainly`, of which the way back keeps the last pair."""
    first, second, *made = _Reversed.apply(walk, x, *walk.given())
    rest = iter(made)
    filled_in = [_mapped(lambda _: next(rest), (part.state, part.losses)) for part in walk.passed]
    passed = [Passed(first, *form, part.evidence) for form, part in zip(filled_in, walk.passed, strict=True)]
    return (first, second), passed


class _Reversed(torch.autograd.Function):
    """The whole stack as one step of autograd. Outputs: the last pair, then the state and losses of each block."""

    @staticmethod
    def forward(ctx: Any, walk: _Walk, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        device = x.device.type
        dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        walk.autocast = {"device_type": device, "dtype": dtype, "enabled": enabled}
        pair, made = (x, x), []
        for index, (block, before) in enumerate(zip(walk.blocks, walk.states, strict=True)):
            # with gradients on, as in a plain forward: parts give evidence, and pick their backends, by that
            with torch.enable_grad():
                pair, part = couple(block, (_start(pair[0]), _start(pair[1])), before, walk.span)
                pair = walk.gauge(pair, index) if walk.gauge else pair
            pair = pair[0].detach(), pair[1].detach()
            given_on = part.state, dict(part.losses)
            made += [tensor.detach() for tensor in _tensors(given_on)]
            walk.passed.append(Passed(x.new_empty(0), *_emptied(given_on), _mapped(_kept, part.evidence)))
        ctx.walk = walk
        ctx.save_for_backward(*pair, *given)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(tensor for tensor in made if not tensor.is_floating_point()))
        return (*pair, *made)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "create_graph = True: the way back through reversible blocks has no derivative of its own"
            )
        walk: _Walk = ctx.walk
        first, second, *given = ctx.saved_tensors
        pair = first.detach(), second.detach()
        back = _known(gradients[0], first), _known(gradients[1], second)
        saved, asked = iter(given[1:] if walk.gauge else given), iter(gradients[2:])
        states = [_mapped(lambda _: next(saved), state) for state in walk.states]
        wanted = [[next(asked) for _ in _tensors((part.state, part.losses))] for part in walk.passed]
        angles, of_states, of_weights = [], [], []
        for index in reversed(range(len(walk.blocks))):
            if walk.gauge:
                angles.append((back[1] * pair[0] - back[0] * pair[1]).sum())
                pair, back = walk.gauge(pair, index, -1), walk.gauge(back, index, -1)
            with torch.autocast(**walk.autocast):
                pair, back, state, weights = _unblock(walk, index, pair, back, states[index], wanted[index])
            of_states.append(state)
            of_weights.append(weights)
        turned = [torch.stack(angles[::-1])] if walk.gauge else []
        inside = [gradient for parts in (of_states, of_weights) for part in reversed(parts) for gradient in part]
        return None, back[0] + back[1], *turned, *inside


Found = list[Tensor | None]


def _unblock(
    walk: _Walk, index: int, pair: Pair, back: Pair, before: Any, wanted: Found
) -> tuple[Pair, Pair, Found, Found]:
    """From the pair after a block (not turned) and its gradients to those before it, and the gradients of the state before and
    of the weights. ``wanted``: the gradients of the state and the losses that the block gave.

    The halves are run again in the order in which they can be undone. That is allowed because they touch different parts of
    the state: what one leaves of the other's part is handed through as it is.
    """
    block = walk.blocks[index]
    state = _mapped(lambda tensor: _start(tensor, tensor.requires_grad), before)
    with torch.enable_grad():
        first = _start(pair[0])
        fed, middle, losses, told_by_feed = block.feed(first, state, walk.span)
        second = _start(pair[1] - fed.detach())
        mixed, after, told_by_mix = block.mix(second, middle, walk.span)
    leaves, handed = _tensors(after), {id(tensor) for tensor in _tensors(middle)}
    ends = list(zip([*leaves, *_tensors(dict(losses))], wanted, strict=True))
    of_mix = [end for end in ends[: len(leaves)] if id(end[0]) not in handed]
    of_feed = [end for end in ends if id(end[0]) in handed] + ends[len(leaves) :]
    inputs = [*_tensors(state), *block.parameters()]

    def through(ends: Ends, start: Tensor, told: Any) -> tuple[Tensor | None, Found]:
        asking = [(kept, new) for kept, new in _paired(walk.passed[index].evidence, told) if _asks(new)]
        found = _gradients(ends, [start, *(new for _, new in asking), *inputs])
        of_start = next(found)
        for kept, _ in asking:
            kept.grad = _sum(kept.grad, next(found))
        return of_start, list(found)

    more, one = through([(fed, back[1]), *of_feed], first, told_by_feed)
    back_first = back[0] if more is None else back[0] + more
    more, other = through([(mixed, back_first), *of_mix], second, told_by_mix)
    back_second = back[1] if more is None else back[1] + more
    found = [_sum(*both) for both in zip(one, other, strict=True)]
    count = len(inputs) - len(list(block.parameters()))
    return (pair[0] - mixed.detach(), second.detach()), (back_first, back_second), found[:count], found[count:]


def _paired(kept: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """The tensors of evidence told on the way there, beside those told again."""
    for name in told:
        yield from zip(_tensors(kept[name]), _tensors(told[name]), strict=True)
