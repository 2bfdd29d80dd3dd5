"""Training steps: the work of training without its book-keeping, to be timed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from wetware.models import LanguageModel
from wetware.state import detach
from wetware.training import Training, cross_entropy
from wetware.training.optimizers import gradient_norm, scale_gradients


def training_steps(
    model: LanguageModel, training: Training, chunks: Iterable[tuple[Tensor, Tensor]]
) -> Iterator[float]:
    """One optimizer step for each ``(inputs, targets)`` [B, T] of ``chunks``, as the trainer does it at full learning rate:
    forward, backward, clipping, optimizer, state carried. Gives the loss of each. Moves ``model``: give a copy."""
    device = next(model.parameters()).device
    optimizers = training.optimizer.build(model)
    states = [None] * training.accumulate
    for inputs, targets in chunks:
        whole = 0.0
        parts = zip(inputs.tensor_split(training.accumulate), targets.tensor_split(training.accumulate), strict=True)
        for index, (read, wanted) in enumerate(parts):
            output = model(read.to(device), states[index])
            entropy, share = cross_entropy(output.logits, wanted.to(device)), len(read) / len(inputs)
            ((entropy + sum(output.losses.values())) * share).backward()
            states[index] = detach(output.state)
            whole += share * entropy.item()
        norm = gradient_norm(model)
        if training.clip < norm < float("inf"):
            scale_gradients(model, training.clip / norm)
        optimizers.step(1.0)
        optimizers.zero_grad()
        yield whole
