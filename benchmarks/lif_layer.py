"""What does one training step of a recurrent layer of spiking neurons cost?

Forward and backward of one layer, input weights included, from a leaf without gradient to a given gradient on the output:

- every backend of ``wetware.kernels.lif_scan``, the input weights applied in one product before it. Decays and thresholds get
  their gradients, as they do in the models;
- with ``--bfloat16``, the backend that ``lif_scan`` picks once more, the input product under bfloat16 autocast, as in training;
- ``snntorch.RLeaky`` at its cheapest: nothing learned but the weights, no bias, the input weights in one product too;
- ``snntorch.RLeaky`` as its tutorials write it: an ``nn.Linear`` called at every step, biases there and in the recurrence;
- eager naive: the step loop as one would write it first, decay and threshold constant;
- ``nn.RNN`` (tanh), ``nn.GRU`` and ``nn.LSTM`` of the same width: 1, 3 and 4 times the products;
- the floor: the layer's matrix products and nothing else, into memory that is there already. A dense layer cannot be faster;
  only one that leaves out the products of neurons that are silent can.

All spiking layers have the same weights, a decay of 0.9 and a threshold of 1; the input weights are scaled until ``lif_scan``
fires at the rate asked for. snnTorch takes the whole threshold off one step later, so it fires a little less.

    python benchmarks/lif_layer.py [--size 512] [--rates 0.1 | --all-rates] [--spiking-input] [--bfloat16] [--short]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import (
    Contestant,
    clock_for,
    console,
    interleaved,
    options,
    parse,
    positive,
    ratios,
    report,
    say_missing,
    show_table,
)
from wetware.kernels import OPS, lif_scan
from wetware.kernels.lif_scan import LIFState, surrogate
from wetware.neurons import LIF

DECAY, THRESHOLD = 0.9, 1.0
RATES = (0.02, 0.05, 0.1, 0.2, 0.4)
TOLERANCE = 0.1  # of the rate asked for
SLOPE = LIF().surrogate.slope
SNNTORCH, SNNTORCH_LINEAR = "snntorch RLeaky", "snntorch RLeaky + Linear"
INSTALL = "snntorch is not installed (get it with: pip install snntorch, or tools/bootstrap.py --extras bench)"


class Layer(NamedTuple):
    """The weights, what comes in and the gradient that comes back, time first: what all contestants share."""

    inputs: Tensor  # [T, B, features]
    upstream: Tensor  # [T, B, N], dL/d output
    w_in: Tensor  # [N, features]
    w_rec: Tensor  # [N, N], row = presynaptic
    spiking_input: bool

    @property
    def size(self) -> int:
        return len(self.w_rec)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Copies that gradients are kept for."""
        return self.w_in.clone().requires_grad_(), self.w_rec.clone().requires_grad_()


class Entry(NamedTuple):
    """A contestant: one training step, what it leaves gradients in, and, where it spikes, the spikes of one forward."""

    step: Contestant
    parameters: tuple[Tensor, ...] = ()
    spikes: Callable[[], Tensor] | None = None


def layer(size: int, batch: int, chunk: int, rate: float, spiking_input: bool) -> Layer:
    """Weights and inputs from a seed, ``w_in`` scaled until ``lif_scan`` fires at ``rate``."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    inputs, upstream = draw(chunk, batch, size), draw(chunk, batch, size) / size
    if spiking_input:
        inputs = (torch.rand(chunk, batch, size, generator=generator) < rate).float()
    w_in, w_rec = draw(size, size) / size**0.5, 0.2 * draw(size, size).fill_diagonal_(0.0) / size**0.5
    return calibrated(Layer(inputs, upstream, w_in, w_rec, spiking_input), rate)


@torch.no_grad()
def calibrated(given: Layer, rate: float) -> Layer:
    """Bisect on the logarithm of a gain of ``w_in``. Raises SystemExit when no gain gives the rate."""
    low, high, fired = -8.0, 8.0, 0.0
    for _ in range(20):
        middle = 0.5 * (low + high)
        scaled = given._replace(w_in=given.w_in * 2.0**middle)
        fired = scan(scaled, *scaled.weights()).mean().item()
        if abs(fired - rate) < 0.02 * rate:
            return scaled
        low, high = (middle, high) if fired < rate else (low, middle)
    if abs(fired - rate) > TOLERANCE * rate:
        raise SystemExit(f"no scale of the input makes the layer fire at {rate:.1%}: the nearest was {fired:.1%}")
    return scaled


# ----------------------------------------------------------------------------------------------------------- contestants


def arguments(given: Layer, current: Tensor, w_rec: Tensor, learned: bool) -> tuple[tuple, dict[str, Any]]:
    """What ``lif_scan`` is called with; ``current`` [B, T, N]."""
    ones, zeros = torch.ones(given.size), torch.zeros(current.shape[0], given.size)
    decay, threshold = (DECAY * ones).requires_grad_(learned), (THRESHOLD * ones).requires_grad_(learned)
    keywords = {"width": ones, "slope": SLOPE}
    return (current, LIFState(zeros, zeros.clone()), decay, threshold, ones, w_rec, None), keywords


def scan(given: Layer, w_in: Tensor, w_rec: Tensor) -> Tensor:
    """The spikes of the backend that ``lif_scan`` runs, [B, T, N]."""
    positional, keywords = arguments(given, functional.linear(given.inputs.transpose(0, 1), w_in), w_rec, False)
    return lif_scan(*positional, **keywords)[0]


def refusal(name: str, given: Layer) -> str | None:
    """Why a backend cannot take this layer."""
    if name not in lif_scan.backends:
        return None  # the reference takes everything
    w_in, w_rec = given.weights()
    current = functional.linear(given.inputs.transpose(0, 1), w_in)
    positional, keywords = arguments(given, current, w_rec, True)
    return lif_scan.backends[name].refuses(*positional, **keywords)


def entry(
    parameters: tuple[Tensor, ...], forward: Callable[[], Tensor], upstream: Tensor, spiking: bool = True
) -> Entry:
    """Forward and backward, with the gradients of the step before let go as an optimizer does."""

    def step() -> None:
        for parameter in parameters:
            parameter.grad = None
        forward().backward(upstream)

    return Entry(step, parameters, forward if spiking else None)


def wetware_layer(name: str, given: Layer, bfloat16: bool = False) -> Entry:
    """``lif_scan`` by one backend. Where a spiking layer is below, its spikes go through ``spike_linear`` if there is one; the
    reference is plain PyTorch throughout. ``bfloat16`` is for the input product: neurons are float32 always."""
    w_in, w_rec = given.weights()
    inputs, upstream = (x.transpose(0, 1).contiguous() for x in (given.inputs, given.upstream))
    (_, *positional), keywords = arguments(given, inputs, w_rec, True)
    projection: Callable[..., Tensor] = functional.linear
    if given.spiking_input and name != "reference":
        projection = OPS.get("spike_linear", projection)

    def forward() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            current = projection(inputs, w_in)
        with lif_scan.using(name):
            return lif_scan(current.float(), *positional, **keywords)[0]

    return entry((w_in, w_rec, *positional[1:3]), forward, upstream)


def rleaky(given: Layer, bias: bool) -> nn.Module:
    """snnTorch's neuron with the layer's recurrent weights; a bias starts at zero, so that it moves no spike.
    Raises ImportError when snnTorch is missing."""
    import snntorch
    from snntorch.surrogate import fast_sigmoid

    neuron = snntorch.RLeaky(
        beta=DECAY,
        linear_features=given.size,
        threshold=THRESHOLD,
        spike_grad=fast_sigmoid(slope=SLOPE),
        reset_mechanism="subtract",
    )
    neuron.recurrent = linear(given.w_rec.T, bias)
    return neuron


def linear(weight: Tensor, bias: bool) -> nn.Linear:
    module = nn.Linear(weight.shape[1], weight.shape[0], bias)
    module.weight.data.copy_(weight)
    if bias:
        module.bias.data.zero_()
    return module


def snntorch_layer(given: Layer) -> Entry:
    """At its cheapest."""
    neuron, (w_in, _) = rleaky(given, bias=False), given.weights()

    def forward() -> Tensor:
        spikes = membrane = torch.zeros(given.inputs.shape[1], given.size)
        out = []
        for current in functional.linear(given.inputs, w_in).unbind(0):
            spikes, membrane = neuron(current, spikes, membrane)
            out.append(spikes)
        return torch.stack(out)

    return entry((w_in, *neuron.parameters()), forward, given.upstream)


def snntorch_linear_layer(given: Layer) -> Entry:
    """As the tutorials write it."""
    neuron, project = rleaky(given, bias=True), linear(given.w_in, bias=True)

    def forward() -> Tensor:
        spikes = membrane = torch.zeros(given.inputs.shape[1], given.size)
        out = []
        for now in given.inputs.unbind(0):
            spikes, membrane = neuron(project(now), spikes, membrane)
            out.append(spikes)
        return torch.stack(out)

    return entry((*project.parameters(), *neuron.parameters()), forward, given.upstream)


class Spike(torch.autograd.Function):
    """The step forward, the surrogate backward."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * surrogate(ctx.saved_tensors[0], SLOPE)


def naive_layer(given: Layer) -> Entry:
    """The loop that one writes first, input weights inside."""
    w_in, w_rec = given.weights()

    def forward() -> Tensor:
        spikes = membrane = torch.zeros(given.inputs.shape[1], given.size)
        out = []
        for now in given.inputs.unbind(0):
            pre = DECAY * membrane + functional.linear(now, w_in) + spikes @ w_rec
            spikes = Spike.apply(pre - THRESHOLD)
            membrane = pre - THRESHOLD * spikes.detach()
            out.append(spikes)
        return torch.stack(out)

    return entry((w_in, w_rec), forward, given.upstream)


def torch_layer(kind: type[nn.Module], given: Layer) -> Entry:
    module = kind(given.inputs.shape[-1], given.size)
    return entry(tuple(module.parameters()), lambda: module(given.inputs)[0], given.upstream, spiking=False)


def floor(given: Layer, dtype: torch.dtype) -> Entry:
    """The products of forward, 2TBN(F + N) operations, and of backward, 2TBN(2N + F)."""
    inputs, d_current, w_in, w_rec = (x.to(dtype) for x in (given.inputs, given.upstream, given.w_in, given.w_rec))
    current, back = torch.empty_like(d_current), torch.empty_like(d_current)
    d_in, d_rec = torch.empty_like(w_in), torch.empty_like(w_rec)
    spikes = (given.upstream > 0).to(dtype)
    flat, flat_current = inputs.flatten(0, 1), current.flatten(0, 1)
    flat_d, flat_spikes = d_current.flatten(0, 1), spikes.flatten(0, 1)

    def step() -> None:
        torch.mm(flat, w_in.T, out=flat_current)
        for fired, into in zip(spikes.unbind(0), back.unbind(0), strict=True):
            torch.mm(fired, w_rec, out=into)
        for change, into in zip(d_current.unbind(0), back.unbind(0), strict=True):
            torch.mm(change, w_rec.T, out=into)
        torch.mm(flat_d.T, flat, out=d_in)
        torch.mm(flat_spikes.T, flat_d, out=d_rec)

    return Entry(step)


def lineup(given: Layer, bfloat16: bool = False) -> tuple[dict[str, Entry], dict[str, str]]:
    """All contestants that can take part, and why the others cannot; ``bfloat16`` asks for one more of ours."""
    entries: dict[str, Entry] = {}
    missing: dict[str, str] = {}
    for name in lif_scan.names:
        if reason := refusal(name, given):
            missing[f"wetware {name}"] = reason
        else:
            entries[f"wetware {name}"] = wetware_layer(name, given)
    if bfloat16:
        fastest = next(name for name in lif_scan.names if f"wetware {name}" in entries)
        entries[f"wetware {fastest}, bfloat16 input product"] = wetware_layer(fastest, given, True)
    for name, build in ((SNNTORCH, snntorch_layer), (SNNTORCH_LINEAR, snntorch_linear_layer)):
        try:
            entries[name] = build(given)
        except ImportError:
            missing[name] = INSTALL
    entries["eager naive"] = naive_layer(given)
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        entries[f"nn.{kind.__name__}"] = torch_layer(kind, given)
    entries["floor, float32 products"] = floor(given, torch.float32)
    entries["floor, bfloat16 products"] = floor(given, torch.bfloat16)
    return entries, missing


# ------------------------------------------------------------------------------------------------------------------ main


@torch.no_grad()
def firing(entries: dict[str, Entry]) -> dict[str, float]:
    return {name: one.spikes().mean().item() for name, one in entries.items() if one.spikes}


def measure(rate: float, given: argparse.Namespace) -> dict[str, Any]:
    """All contestants at one rate; prints their table."""
    built = layer(given.size, given.batch, given.chunk, rate, given.spiking_input)
    entries, missing = lineup(built, given.bfloat16)
    rates = firing(entries)
    steps = {name: one.step for name, one in entries.items()}
    timings = interleaved(steps, given.rounds, given.warmup, f"firing at {rate:.0%}")
    ours = [name for name in entries if name.startswith("wetware")]
    clock = clock_for(given.threads)
    compared = ratios(timings, ours, clock)
    columns = {"firing": {name: f"{fired:.1%}" for name, fired in rates.items()}}
    columns |= {
        f"x {mine.removeprefix('wetware ')}": {name: f"{ratio:.2f}" for name, ratio in compared[mine].items()}
        for mine in ours
    }
    kind = "spikes" if given.spiking_input else "reals"
    title = f"one layer of {given.size}, batch {given.batch}, chunk {given.chunk}, firing {rate:.0%}, input {kind}"
    show_table(title, timings, columns)
    say_missing(missing)
    results = {name: timing.row() for name, timing in timings.items()}
    for name, fired in rates.items():
        results[name]["firing"] = round(fired, 4)
    return {"results": results, "ratios": compared, "missing": missing}


def main(argv: Sequence[str] | None = None) -> int:
    parser = options(__doc__, rounds=20)
    parser.add_argument("--size", type=positive, default=512, help="neurons, and features of the input (default: 512)")
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--chunk", type=positive, default=64)
    parser.add_argument("--warmup", type=positive, default=2)
    parser.add_argument("--rates", default="0.1", help="firing rates, as in 0.02,0.1 (default: 0.1)")
    parser.add_argument("--all-rates", action="store_true", help=f"the rates {', '.join(map(str, RATES))}")
    parser.add_argument("--spiking-input", action="store_true", help="the input is spikes, at the same rate")
    parser.add_argument("--bfloat16", action="store_true", help="also the input product in bfloat16, as in training")
    given = parse(parser, argv, {"rounds": 5, "warmup": 1})
    rates = RATES if given.all_rates else tuple(float(text) for text in given.rates.split(","))
    clock = clock_for(given.threads)
    console().print(f"ratios of median {clock} times, threads: {given.threads}; above 1, wetware's backend is faster")
    found = {str(rate): measure(rate, given) for rate in rates}
    shape = {name: getattr(given, name) for name in ("size", "batch", "chunk", "rounds", "spiking_input", "bfloat16")}
    parts = {part: {rate: row[part] for rate, row in found.items()} for part in ("results", "ratios", "missing")}
    report("lif_layer", argv, given.threads, clock=clock, **shape, **parts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
