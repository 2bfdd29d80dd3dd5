"""The training loop: one for every model."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from wetware.config import ConfigError, to_dict
from wetware.data import (
    Corpus,
    DataError,
    Packed,
    Rule,
    Tokenizer,
    TokenizerConfig,
    counts_any,
    prepare,
    train_tokenizer,
)
from wetware.data.files import write_atomically
from wetware.models import LanguageModel
from wetware.models.generation import Sampling, generate
from wetware.modulation import Signals, signals_of
from wetware.state import State, flatten, select, to, unflatten
from wetware.training import checkpoint
from wetware.training.checkpoint import CheckpointError
from wetware.training.course import Course, Moment, OneText
from wetware.training.interrupts import catching
from wetware.training.losses import Score, held_out_loss
from wetware.training.metrics import Metrics
from wetware.training.phases import Phases
from wetware.training.reporting import PhaseReport, Reporter, StepReport
from wetware.training.run import Run
from wetware.training.step import clip_gradients, follow, learn, parts

HOPELESS = 50  # steps without a finite gradient, one after the other, after which a run is given up


class Diverged(RuntimeError):
    """A run whose gradients are no longer finite; the message says what to try."""


def give_up_if_hopeless(skipped: int, step: int) -> None:
    """Raise Diverged after as many steps in a row without a finite gradient as leave no hope."""
    if skipped >= HOPELESS:
        raise Diverged(
            f"{HOPELESS} steps in a row had gradients that are not finite (step {step}): lower the learning rates "
            "(training.optimizer) or what weighs in the loss; the last checkpoint is kept"
        )


class _Interrupted(Exception):
    """A signal came while the loop waited for text."""


class Stopped(NamedTuple):
    """How a run ended: by which signal (None: it reached its limit)."""

    signal: int | None
    step: int


class Trainer:
    """A run in a folder: ``runs/NAME/{config.json, metrics.jsonl, tb/, checkpoints/}``.

    ``Trainer(run, folder)`` starts one; ``Trainer.resume(folder)`` goes on from the last checkpoint, bit for bit on a CPU.
    """

    def __init__(
        self,
        run: Run,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        bfloat16: bool = False,
        reporter: Reporter | None = None,
        saved: Path | None = None,
    ) -> None:
        self.folder, self.device, self.bfloat16 = Path(folder), torch.device(device), bfloat16
        self.reporter = reporter or Reporter()
        self.last = saved  # the checkpoint that this trainer stands on
        self._caught: list[int] = []  # signals that ask the loop to stop
        if saved is None:
            checkpoint.check_free(self.folder)
        self.tokenizer, self.train, self.held_out = self._data(run, saved)
        self.run = run.fitted(self.tokenizer.vocab_size, self.tokenizer.boundary)
        settings = self.run.training
        if settings.accumulate > settings.batch:
            raise ConfigError(f"training.accumulate = {settings.accumulate} exceeds training.batch = {settings.batch}")
        self.rule = settings.counted.rule(self.tokenizer)
        torch.manual_seed(self.run.seed)
        # what is restored is not drawn first: a part may come from a file that is gone by now
        self.model: LanguageModel = self.run.model.build(self.run.seed) if saved is None else self.run.model.module()
        self.token_bytes = torch.as_tensor(self.tokenizer.token_bytes)
        if self.rule is not None:
            for name, packed in (("training", self.train), ("held-out", self.held_out)):
                if not counts_any(packed, self.rule):
                    raise DataError(f"training.counted = {settings.counted} counts no token of the {name} text")
        whole = OneText(self.train, settings.batch, settings.chunk, self.run.seed, self.rule)
        self.course: Course = whole
        if settings.curriculum is not None:
            self.course = Phases(self.run, self.held_out, self.tokenizer, self.rule, self._prepared)
        self.trackers = self.model.signal_trackers()
        self.step = self.tokens = self.skipped = self.skipped_in_a_row = 0
        self.seconds = 0.0
        self.best: float | None = None  # held-out bits per byte of the best checkpoint
        self.states: list[State] | None = None
        if saved is None:
            self.model.read_vocabulary(self.tokenizer.pieces)
        if saved is None and run.start:
            run.start.fill(self.model, self.tokenizer)
        elif saved is None and settings.calibration:
            rates = self.model.calibrate(whole.lesson(0).inputs, settings.calibration.rate)
            if rates:
                measured = " ".join(f"{rate:.1%}" for rate in rates.values())
                self.reporter.message(f"calibrated on the first chunk: the layers fire at {measured}")
        self.model.to(self.device)
        self.optimizers = settings.optimizer.build(self.model)
        self.rules = self.model.rules()
        self.events: list[dict[str, Any]] = []  # what rules did and nobody has written down yet
        if saved is not None:
            self._restore(saved)

    @classmethod
    def resume(cls, folder: str | Path, *, limit: Any = None, monitoring: Any = None, **keywords: Any) -> Trainer:
        """Go on from the last checkpoint of ``folder``; only its limit and what is watched may change."""
        run, numbered = checkpoint.resumable(Path(folder), Run, "is a model, not a run")
        if limit is not None:
            run = replace(run, training=replace(run.training, limit=limit))
        if monitoring is not None:
            run = replace(run, monitoring=monitoring)
        try:
            return cls(run, folder, saved=numbered[-1], **keywords)
        except CheckpointError as error:
            older = f"; remove that folder to go on from {numbered[-2].name}" if len(numbered) > 1 else ""
            raise CheckpointError(f"{error}{older}") from None

    # ------------------------------------------------------------------------------------------------------------- data

    def _data(self, run: Run, saved: Path | None) -> tuple[Tokenizer, Packed, Packed]:
        """A resumed run keeps the tokenizer it was saved with, even if the corpus would now train another."""
        self.reporter.busy("reading the text and making its tokenizer")
        tokenizer = run.tokenizer if saved is None else checkpoint.load_tokenizer(saved)
        curriculum = run.training.curriculum
        if curriculum is not None and isinstance(tokenizer, TokenizerConfig):
            names = (name for phase in curriculum.phases for name in phase.text.of(run.corpus).specials)
            tokenizer = train_tokenizer(run.corpus, tokenizer, tell=self._told_of_tokenizer)
            tokenizer = tokenizer.with_specials(tuple(dict.fromkeys(names)))
        return self._prepared(run.corpus, tokenizer)

    def _told_of_tokenizer(self, text: str) -> None:
        self.reporter.busy(f"making the tokenizer: {text}")

    def _prepared(self, corpus: Corpus, tokenizer: Tokenizer | TokenizerConfig) -> tuple[Tokenizer, Packed, Packed]:
        def packing(documents: int, size: int) -> None:
            if self._caught:
                raise _Interrupted
            self.reporter.busy(f"packing the text: {documents} documents, {size / 1e6:.1f} MB")

        return prepare(corpus, tokenizer, progress=packing, tell=self._told_of_tokenizer)

    # ------------------------------------------------------------------------------------------------------------- loop

    @property
    def moment(self) -> Moment:
        return Moment(self.step, self.tokens, self.seconds)

    @property
    def progress(self) -> float:
        return self.run.training.limit.progress(*self.moment)

    def fit(self) -> Stopped:
        """Train to the limit, or until SIGINT or SIGTERM, which leaves a checkpoint."""
        watch = self.run.monitoring
        with catching(self.reporter) as caught, self._claimed() as metrics, self.course.reading_ahead():
            self._caught = caught
            self._tell(self.course.begin(self.moment, self._examine), metrics)
            while self.progress < 1 and not caught:
                try:
                    report = self.update()
                except _Interrupted:
                    break
                except DataError as error:
                    raise DataError(f"{error}; {self._rescued()}") from error
                give_up_if_hopeless(self.skipped_in_a_row, self.step)
                if self.step % watch.log_every == 0 or self.progress >= 1:
                    metrics.step(report)
                for event in self.events:
                    metrics.event(self.step, event)
                self.events.clear()
                self.reporter.step(report, self.progress)
                self._tell(self.course.after(self.moment, self._examine), metrics)
                self._events(metrics, last=self.progress >= 1)
            if caught:
                self.save()
        return Stopped(caught[0] if caught else None, self.step)

    @contextlib.contextmanager
    def _claimed(self) -> Generator[Metrics]:
        """Hold the run's folder: nothing in it is touched before, and one process trains into it at a time."""
        try:
            with checkpoint.claimed(self.folder, self.last):
                if self.last is not None and self._best_is_unmarked():
                    checkpoint.mark_best(self.folder, self.last)
                write_atomically(self.folder / "config.json", json.dumps(to_dict(self.run), indent=1))
                with contextlib.closing(Metrics(self.folder, self.step, self.tokens, self.seconds)) as metrics:
                    yield metrics
        finally:
            self.reporter.close()

    def update(self) -> StepReport:
        """One optimizer step."""
        started, settings = time.monotonic(), self.run.training
        lesson = self.course.lesson(self.step)
        signals = signals_of(self.trackers)
        factor = self.course.factor(settings.schedule.factor(self.step, self.progress), self.moment)
        if lesson.fresh or self.states is None:
            first = self.model.init_state(settings.batch)
            self.states = [select(first, rows) for rows in parts(settings.batch, settings.accumulate)]
        learned = learn(
            self.model,
            self.states,
            lesson.inputs,
            lesson.targets,
            counted=lesson.counted,
            signals=signals,
            bfloat16=self.bfloat16,
        )
        norm = clip_gradients(self.model, settings.clip)
        if norm < float("inf"):  # False for NaN too
            self.optimizers.step(factor)
            if learned.targets:
                for tracker in self.trackers.values():
                    tracker.update(learned.loss)
            self.skipped_in_a_row = 0
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            self.states = None
        self.step += 1
        if norm < float("inf"):
            self.events += follow(
                self.rules, learned, self.step, self.run.seed, self.optimizers, signals_of(self.trackers)
            )
        self.optimizers.zero_grad()
        self.tokens += lesson.targets.numel()
        self.seconds += time.monotonic() - started
        scored = lesson.targets if lesson.counted is None else lesson.targets[lesson.counted]
        size = int(self.token_bytes[scored].sum())
        bits = learned.loss * learned.targets / (max(size, 1) * 0.6931471805599453)
        firing, dead, saturated = (
            tuple(float(measure(layer)) for layer in learned.rates)
            for measure in (Tensor.mean, lambda r: (r == 0).float().mean(), lambda r: (r > 0.95).float().mean())
        )
        return StepReport(
            self.step,
            self.tokens,
            self.seconds,
            learned.loss,
            bits,
            norm,
            factor,
            {name: getattr(signals, name) for name in self.trackers},
            firing,
            dead,
            saturated,
            self.skipped,
            self._gain_spread(signals),
        )

    @torch.no_grad()
    def _gain_spread(self, signals: Signals) -> tuple[float, ...]:
        if "stress" not in self.trackers:
            return ()
        return tuple(float(params.gain.std(correction=0)) for params in self.model.neuron_params(signals))

    def _events(self, metrics: Metrics, last: bool) -> None:
        """What comes due after a step: evaluation, a sample, a checkpoint."""
        watch = self.run.monitoring
        saved = False
        if last or self.step % watch.evaluate_every == 0:
            score = self.evaluate(watch.evaluate_tokens)
            better = self.best is None or score.bits_per_byte < self.best
            self.best = score.bits_per_byte if better else self.best
            metrics.evaluated(self.step, self.tokens, self.seconds, score)
            self.reporter.evaluated(self.step, score, better)
            if better:
                checkpoint.mark_best(self.folder, self.save())
                saved = True
        if last or self.step % watch.sample_every == 0:
            text = self.sample()
            metrics.sampled(self.step, watch.sample_prompt, text)
            self.reporter.sampled(self.step, watch.sample_prompt, text)
        if not saved and (last or self.step % watch.checkpoint_every == 0):
            self.save()

    def _tell(self, phases: list[PhaseReport], metrics: Metrics) -> None:
        for phase in phases:
            metrics.phase(self.step, phase)
            self.reporter.phase(phase)
        self.reporter.where(self.course.where)

    def evaluate(self, limit: int | None = None) -> Score:
        """Held-out loss of the whole text with carried state."""
        return self._examine(self.held_out, 128, self.rule, limit)

    def _examine(self, held_out: Packed, chunk: int, rule: Rule | None, limit: int | None) -> Score:
        """Held-out loss with carried state, so many documents side by side that a piece has about 4096 tokens."""
        done = 0

        def reading(tokens: int) -> None:
            nonlocal done
            done += tokens
            self.reporter.busy(f"reading held-out text: {done:,} tokens")

        sizes = self.tokenizer.token_bytes
        rows = max(1, 4096 // chunk)
        return held_out_loss(
            self.model, held_out, sizes, limit=limit, chunk=chunk, rows=rows, rule=rule, progress=reading
        )

    def sample(self) -> str:
        watch = self.run.monitoring
        sampling = Sampling(temperature=0.8, top_k=50)
        return generate(
            self.model,
            self.tokenizer,
            self.tokenizer.encode_special(watch.sample_prompt),
            tokens=watch.sample_tokens,
            sampling=sampling,
            seed=self.run.seed,
        )

    # -------------------------------------------------------------------------------------------------------- checkpoint

    def save(self) -> Path:
        """Write a checkpoint of the present step, atomically, and drop the oldest."""
        place = self.folder / "checkpoints" / f"step-{self.step:08d}"
        if not place.exists():
            checkpoint.write_folder(place, self._fill)
        self.last = place
        checkpoint.drop_old(self.folder, self.run.monitoring.keep)
        return place

    def _fill(self, folder: Path) -> None:
        checkpoint.fill_model(folder, self.model, self.tokenizer, run=to_dict(self.run))
        states = () if self.states is None else tuple(self.states)
        tensors = {f"optimizer/{key}": value for key, value in self.optimizers.tensors().items()}
        tensors |= {f"state/{key}": value for key, value in flatten(states).items()}
        tensors["random"] = torch.get_rng_state()
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / "trainer.safetensors"
        )
        about = {
            "step": self.step,
            "tokens": self.tokens,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "best": self.best,
            "signals": {name: tracker.to_dict() for name, tracker in self.trackers.items()},
            "carried": self.states is not None,
            **self.course.to_dict(self.step),
        }
        (folder / "trainer.json").write_text(json.dumps(about, indent=1))
        checkpoint.seal(folder)

    def _rescued(self) -> str:
        """What is left of a run whose text stopped coming: a step begins with reading, so nothing of it was done yet."""
        if not self.step:
            return "no step was done"
        self.save()
        return f"stopped at step {self.step} with a checkpoint: --resume goes on"

    def _best_is_unmarked(self) -> bool:
        """Whether a kill came between saving the best checkpoint and marking it."""
        marked = checkpoint.best(self.folder)
        return self.best is not None and (
            marked is None or checkpoint.read_json(marked / "trainer.json")["best"] != self.best
        )

    def _restore(self, saved: Path) -> None:
        about = checkpoint.read_json(saved / "trainer.json")
        tensors = checkpoint.read_tensors(saved / "trainer.safetensors")
        checkpoint.fill_weights(saved, self.model)
        try:
            self.step, self.tokens, self.skipped = about["step"], about["tokens"], about["skipped"]
            self.seconds, self.best = about["seconds"], about["best"]
            heard = about["signals"] if "signals" in about else {"stress": about["stress"]}  # older ones had one
            for name, tracker in self.trackers.items():
                tracker.load(heard[name])
            self.optimizers.load(_part(tensors, "optimizer/"))
            if about["carried"]:
                first = self.model.init_state(self.run.training.batch)
                settings = self.run.training
                like = tuple(select(first, rows) for rows in parts(settings.batch, settings.accumulate))
                self.states = list(to(unflatten(like, _part(tensors, "state/")), self.device))
            torch.set_rng_state(tensors["random"])
            same_text = self.course.load(about, self.step)
        except (KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"damaged checkpoint {str(saved)!r}: {error}") from None
        if not same_text:
            self.reporter.message("note: the text has changed since this run was saved; it goes on with the new one")


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
