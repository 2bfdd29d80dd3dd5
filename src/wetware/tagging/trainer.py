"""Training a tagger: the parts of the language models' loop, around texts that are whole instead of a stream."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from wetware.config import ConfigError, from_dict, to_dict
from wetware.data.files import write_atomically
from wetware.models.calibration import firing
from wetware.tagging.entities import TAGS
from wetware.tagging.evaluation import Figures, measure
from wetware.tagging.examples import Example, TaggedTexts
from wetware.tagging.run import TagRun
from wetware.tagging.tagger import Batch, Tagger, TaggerModel
from wetware.training import Reporter, Score, StepReport, checkpoint
from wetware.training.checkpoint import CheckpointError
from wetware.training.interrupts import catching
from wetware.training.metrics import Metrics
from wetware.training.schedules import Limit
from wetware.training.step import clip_gradients
from wetware.training.trainer import Stopped, give_up_if_hopeless

COUNTED = 512  # training texts by which tags are counted
POOLED = 16  # batches that are sorted by length together


class Batches:
    """The batch of each step, [Example]. Texts of like length stand together, so that little of a batch is padding; in what
    order depends on (seed, step) alone."""

    def __init__(self, texts: TaggedTexts, batch: int, longest: int, seed: int) -> None:
        self.texts, self.batch, self.longest, self.seed = texts, batch, longest, seed
        self._pool: tuple[int, list[list[Example]]] = (-1, [])

    def at(self, step: int) -> list[Example]:
        pool, place = divmod(step, POOLED)
        if self._pool[0] != pool:
            count = self.batch * POOLED
            drawn = [self.texts.training(self.seed, pool * count + index).cut(self.longest) for index in range(count)]
            drawn = sorted((example for example in drawn if example.text), key=lambda example: len(example.text))
            edges = np.linspace(0, len(drawn), POOLED + 1).astype(int)
            batches = [drawn[low:high] for low, high in itertools.pairwise(edges)]
            random.Random(f"{self.seed}/{pool}").shuffle(batches)
            self._pool = (pool, batches)
        return self._pool[1][place]


def targets_of(examples: list[Example], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tags, [B, longest], and which of them are of text."""
    longest = max(len(example.text) for example in examples)
    tags = np.zeros((len(examples), longest), np.int64)
    for row, example in zip(tags, examples, strict=True):
        row[: len(example.text)] = example.tags()
    lengths = torch.tensor([len(example.text) for example in examples])
    return torch.from_numpy(tags).to(device), (torch.arange(longest) < lengths[:, None]).to(device)


def tag_entropy(logits: Tensor, tags: Tensor, text: Tensor) -> Tensor:
    """Cross-entropy of each character of text, in nats, in order: [characters]."""
    return torch.nn.functional.cross_entropy(logits[text], tags[text], reduction="none")


class TagTrainer:
    """A run of a tagger in a folder, laid out as that of a language model. ``TagTrainer(run, folder)`` starts one;
    ``TagTrainer.resume(folder)`` goes on from the last checkpoint, bit for bit on a CPU."""

    def __init__(
        self,
        run: TagRun,
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        reporter: Reporter | None = None,
        saved: Path | None = None,
    ) -> None:
        self.run, self.folder, self.device = run, Path(folder), torch.device(device)
        self.reporter, self.last = reporter or Reporter(), saved
        if saved is None:
            checkpoint.check_free(self.folder, TagRun.__name__)
        settings = run.training
        self.reporter.busy("reading the marked texts")
        self.texts = run.corpus.build()
        self.batches = Batches(self.texts, settings.batch, settings.longest, run.seed)
        self.development = self.texts.held_out("development")[: run.monitoring.evaluate_texts]
        torch.manual_seed(run.seed)
        self.model: TaggerModel = run.model.build(run.seed) if saved is None else run.model.module()
        self.model.to(self.device)
        if saved is None and settings.calibration:
            texts = [example.text for example in self.batches.at(0)]
            self.model.calibrate(Batch.of(texts, self.device), settings.calibration.rate)
        pairs = self._pairs()
        self.weights = settings.weights.weights(pairs.sum(0)).float().to(self.device)
        if saved is None:
            self.model.count(pairs.to(self.device))
        self.optimizers = settings.optimizer.build(self.model)
        self.step = self.characters = self.skipped = self.skipped_in_a_row = 0
        self.seconds = 0.0
        self.best: float | None = None  # strict F1 of the best checkpoint
        if saved is not None:
            self._restore(saved)

    def _pairs(self) -> Tensor:
        """How often each tag (row) stands before each (column) in the first training texts; O stands before a text."""
        pairs = np.zeros((len(TAGS), len(TAGS)))
        for index in range(COUNTED):
            tags = self.texts.training(self.run.seed, index).cut(self.run.training.longest).tags()
            np.add.at(pairs, (np.concatenate([[0], tags[:-1]]), tags), 1.0)
        return torch.from_numpy(pairs)

    @classmethod
    def resume(
        cls,
        folder: str | Path,
        *,
        limit: Limit | None = None,
        device: str | torch.device = "cpu",
        reporter: Reporter | None = None,
    ) -> TagTrainer:
        """Go on from the last checkpoint of ``folder``; only its limit may change."""
        run, numbered = checkpoint.resumable(Path(folder), TagRun, "is no run of a tagger")
        if limit is not None:
            run = replace(run, training=replace(run.training, limit=limit))
        return cls(run, folder, device=device, reporter=reporter, saved=numbered[-1])

    @property
    def progress(self) -> float:
        return self.run.training.limit.progress(self.step, self.characters, self.seconds)

    def fit(self) -> Stopped:
        """Train to the limit, or until SIGINT or SIGTERM, which leaves a checkpoint."""
        watch = self.run.monitoring
        with catching(self.reporter) as caught, contextlib.closing(self.reporter), self._claimed() as metrics:
            while self.progress < 1 and not caught:
                report = self.update()
                give_up_if_hopeless(self.skipped_in_a_row, self.step)
                last = self.progress >= 1
                if self.step % watch.log_every == 0 or last:
                    metrics.step(report)
                self.reporter.step(report, self.progress)
                if self.step % watch.evaluate_every == 0 or last:
                    self._evaluated(metrics)
            if caught:
                self.save()
        return Stopped(caught[0] if caught else None, self.step)

    @contextlib.contextmanager
    def _claimed(self) -> Generator[Metrics]:
        with checkpoint.claimed(self.folder, self.last, TagRun.__name__):
            write_atomically(self.folder / "config.json", json.dumps(to_dict(self.run), indent=1))
            with contextlib.closing(Metrics(self.folder, self.step, self.characters, self.seconds)) as metrics:
                yield metrics

    def update(self) -> StepReport:
        """One optimizer step."""
        started, settings = time.monotonic(), self.run.training
        examples = self.batches.at(self.step)
        factor = settings.schedule.factor(self.step, self.progress)
        batch = Batch.of([example.text for example in examples], self.device)
        tags, text = targets_of(examples, self.device)
        tagged = self.model.scores(batch)
        entropy, weights = tag_entropy(tagged.logits, tags, text), self.weights[tags[text]]
        loss = (entropy * weights).sum() / weights.sum()
        (loss + sum(tagged.losses.values())).backward()
        norm = clip_gradients(self.model, settings.clip)
        if norm < math.inf:  # False for NaN too
            self.optimizers.step(factor)
            self.skipped_in_a_row = 0
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
        self.optimizers.zero_grad()
        self.step += 1
        self.characters += len(entropy)
        self.seconds += time.monotonic() - started
        size = sum(len(example.text.encode("utf-8", "surrogateescape")) for example in examples)
        bits = float(entropy.detach().sum()) / (math.log(2) * size)
        rates = [layer.spikes.detach().mean(0) for layer in tagged.activity]
        firing_rates, dead, saturated = (
            tuple(float(share(rate)) for rate in rates)
            for share in (Tensor.mean, lambda r: (r == 0).float().mean(), lambda r: (r > 0.95).float().mean())
        )
        progress = (self.step, self.characters, self.seconds, loss.item(), bits, norm, factor)
        return StepReport(*progress, {}, firing_rates, dead, saturated, self.skipped)

    # --------------------------------------------------------------------------------------------- evaluation, checkpoints

    def _evaluated(self, metrics: Metrics) -> None:
        """Measure on development texts; what finds most is kept as the best."""
        figures, score = self.evaluate()
        f1 = figures.all.f1 or 0.0
        better = self.best is None or f1 > self.best
        self.best = f1 if better else self.best
        metrics.evaluated(self.step, self.characters, self.seconds, score)
        metrics.event(self.step, {"rule": "development", "best": better, **figures.all._asdict()})
        self.reporter.message(
            f"development texts at step {self.step}: strict F1 {f1:.3f}, character recall "
            f"{figures.all.character_recall or 0:.3f}, {score.bits_per_byte:.4f} bits/byte{' (best so far)' if better else ''}"
        )
        saved = self.save()
        if better:
            checkpoint.mark_best(self.folder, saved)

    @torch.inference_mode()
    def evaluate(self) -> tuple[Figures, Score]:
        """On development texts: what is found, and what the tags cost, in bits per byte of text."""
        self.reporter.busy("tagging development texts")
        examples = self.development
        figures = measure(examples, self.model.find([example.text for example in examples]))
        nats, size, rates = 0.0, 0, []
        for start in range(0, len(examples), self.run.training.batch):
            group = examples[start : start + self.run.training.batch]
            tagged = self.model.scores(Batch.of([example.text for example in group], self.device))
            nats += float(tag_entropy(tagged.logits, *targets_of(group, self.device)).double().sum())
            size += sum(len(example.text.encode("utf-8", "surrogateescape")) for example in group)
            rates.append([firing(layer) for layer in tagged.activity])
        mean = tuple(sum(layer) / len(rates) for layer in zip(*rates, strict=True))
        return figures, Score(nats, figures.characters, size, mean)

    def save(self) -> Path:
        """Write a checkpoint of the present step, atomically, and drop the oldest."""
        place = self.folder / "checkpoints" / f"step-{self.step:08d}"
        if not place.exists():
            checkpoint.write_folder(place, self._fill)
        self.last = place
        checkpoint.drop_old(self.folder, self.run.monitoring.keep)
        return place

    def _fill(self, folder: Path) -> None:
        checkpoint.fill_model(folder, self.model, None, run=to_dict(self.run))  # ty: ignore[invalid-argument-type]
        tensors = {key: value.detach().cpu().contiguous() for key, value in self.optimizers.tensors().items()}
        save_file(tensors, folder / "trainer.safetensors")
        names = ("step", "characters", "skipped", "seconds", "best")
        (folder / "trainer.json").write_text(json.dumps({name: getattr(self, name) for name in names}, indent=1))
        checkpoint.seal(folder)

    def _restore(self, saved: Path) -> None:
        about = checkpoint.read_json(saved / "trainer.json")
        tensors = checkpoint.read_tensors(saved / "trainer.safetensors")
        checkpoint.fill_weights(saved, self.model)  # ty: ignore[invalid-argument-type]
        try:
            self.step, self.characters, self.skipped = about["step"], about["characters"], about["skipped"]
            self.seconds, self.best = about["seconds"], about["best"]
            self.optimizers.load(tensors)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"damaged checkpoint {str(saved)!r}: {error}") from None


def load_tagger(folder: str | Path, device: str | torch.device = "cpu") -> tuple[TaggerModel, TagRun]:
    """The tagger of a run (its best checkpoint) or of a checkpoint, and how it was trained."""
    place = checkpoint.find(folder)
    about = checkpoint.read_about(place)
    try:
        config, run = from_dict(about.get("model")), from_dict(about.get("run"))
    except ConfigError as error:
        raise CheckpointError(f"{str(place / 'config.json')!r}: {error}") from None
    if not isinstance(config, Tagger) or not isinstance(run, TagRun):
        kind = type(config).__name__
        raise CheckpointError(f"{str(folder)!r} holds no tagger but a {kind}; one is made by: wetware tag train")
    model = config.module()
    checkpoint.fill_weights(place, model)
    return model.to(device), run
