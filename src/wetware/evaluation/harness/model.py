"""A language model as the harness asks it: the three kinds of request it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lm_eval.api.model import LM

from wetware.config import ConfigError, nearest
from wetware.data import Tokenizer
from wetware.evaluation.scoring import Likelihood, passages, score
from wetware.models import LanguageModel
from wetware.models.engines import rounded
from wetware.models.generation import Sampling, Session
from wetware.training import CheckpointError, load

ROWS = 32
LENGTH_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
SAMPLING_NAMES = ("top_k", "top_p", "repetition_penalty")


class HarnessModel(LM):
    """Answers by :func:`wetware.evaluation.scoring.score` and :class:`wetware.models.generation.Session`.

    There is no longest context: the state is carried through whatever a task gives. Every request is a document of its own.
    ``progress`` is told which share of the requests of a kind is answered.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        *,
        rows: int = ROWS,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__()
        self._model, self._tokenizer, self._rows, self._progress = model, tokenizer, rows, progress
        self._device = next(model.parameters()).device

    @property
    def tokenizer_name(self) -> str:
        """Sets apart what the harness keeps in its caches."""
        return f"wetware-{self._tokenizer.fingerprint()}"

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """``(log-probability, greedy)`` of each ``(context, continuation)``."""
        pairs = [request.args for request in requests]
        return [(likelihood.log_probability, likelihood.greedy) for likelihood in self._score(pairs)]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """The log-probability of each whole text, its state carried from its start."""
        texts = [("", request.args[0]) for request in requests]
        return [likelihood.log_probability for likelihood in self._score(texts)]

    def _score(self, pairs: list[tuple[str, str]]) -> list[Likelihood]:
        found = passages(self._tokenizer, pairs)
        return score(self._model, self._tokenizer, found, rows=self._rows, progress=self._progress)

    def generate_until(self, requests: list[Any]) -> list[str]:
        """What the model writes after each context: up to a stop text, a document's end or a number of tokens."""
        texts = []
        for index, request in enumerate(requests):
            context, options = request.args
            texts.append(self._write(context, index, **options))
            if self._progress:
                self._progress((index + 1) / len(requests))
        return texts

    def _write(self, context: str, seed: int, **options: Any) -> str:
        """The continuation of ``context``. Greedy, unless the task says ``do_sample`` or gives a temperature."""
        until = options.pop("until", None) or []
        stops = [stop for stop in ([until] if isinstance(until, str) else until) if stop]
        lengths = [value for name in LENGTH_NAMES if (value := options.pop(name, None)) is not None]
        temperature = float(options.pop("temperature", None) or 0.0)
        drawn = options.pop("do_sample", None)
        temperature = 0.0 if drawn is False else temperature or (1.0 if drawn else 0.0)
        for name in options:
            if name not in SAMPLING_NAMES:
                raise ConfigError(f"generation_kwargs: {name!r} is not known{nearest(name, SAMPLING_NAMES)}")
        chosen = {name: value for name, value in options.items() if value is not None}
        session = Session(self._model, Sampling(temperature=temperature, **chosen), seed)
        session.read([self._tokenizer.boundary, *self._tokenizer.encode(context)])
        text, decoder = "", self._tokenizer.decoder()
        for token in session.write(int(lengths[0]) if lengths else 256, stop=self._tokenizer.boundary):
            text += decoder.push(token)
            if any(stop in text for stop in stops):
                break
        else:
            text += decoder.flush()
        return text[: min([text.find(stop) for stop in stops if stop in text], default=len(text))]


class SavedRun(HarnessModel):
    """A run or a checkpoint, as ``--model wetware --model_args run=PATH`` names it.

    Args:
        run: its folder.
        weights: ``float32``, or ``bfloat16`` or ``int8``: how its matrices are kept.
        device: ``cpu``, ``cuda``, ...; the harness says ``cuda:0`` unasked, so without one it is the CPU.
        batch_size: how many requests side by side. ``auto``, and the 1 that the harness says unasked, are 32: the answers do
            not depend on it.
        max_batch_size: accepted, as the harness gives it; memory is bounded in any case.
    """

    def __init__(
        self,
        run: str,
        weights: str = "float32",
        device: str = "cpu",
        batch_size: int | str = "auto",
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        for name in unknown:
            raise ConfigError(f"model_args: no argument {name!r}{nearest(name, ('run', 'weights', 'device'))}")
        there = torch.cuda.is_available() or not device.startswith("cuda")
        model, tokenizer = load(run, device if there else "cpu")
        if tokenizer is None:
            raise CheckpointError(f"{run!r} has no tokenizer.json: it cannot read text")
        rows = ROWS if str(batch_size) == "1" or str(batch_size).startswith("auto") else int(batch_size)
        super().__init__(rounded(model, weights), tokenizer, rows=rows)
