"""A trained virtual cell: the model, the genes it speaks of, and everything needed to predict, score and load it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wetware import __version__
from wetware.cell.embeddings import GeneEmbeddings
from wetware.cell.expression import Expression, Preparation, TargetSplit, prepare
from wetware.cell.files import read_tensors, tensor_digest, write_tensors
from wetware.cell.held_out import HeldOut, compare
from wetware.cell.perturbation import DeltaMLP, DeltaNetwork, Fitting, fit
from wetware.cell.programs import PROGRAMS, ControlSets, program_scores, score_matrix
from wetware.cell.screen import Screen, ScreenConfig
from wetware.cell.synthetic import SyntheticScreen
from wetware.config import Config, ConfigError, from_dict, number, to_dict
from wetware.data.files import DataError, write_atomically
from wetware.modulation import Effects

FORMAT = 1
FILES = ("cell.json", "cell.safetensors")
Progress = Callable[[float, str], None]


def quiet(share: float, text: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True, kw_only=True)
class VirtualCell(Config):
    """Everything that makes a cell model. correction: control sets for the program scores, None for plain means. seed: of the
    first weights, the dropout and the control sets; the split and a simulated screen have their own."""

    screen: ScreenConfig = SyntheticScreen()
    preparation: Preparation = Preparation()
    split: TargetSplit = TargetSplit()
    correction: ControlSets | None = None
    network: DeltaMLP = DeltaMLP()
    fitting: Fitting = Fitting()
    seed: int = number(0, 0)

    def build(
        self, embeddings: GeneEmbeddings | None = None, screen: Screen | None = None, progress: Progress = quiet
    ) -> TrainedCell:
        """Read the screen and train. embeddings: of genes, unless the screen brings its own. screen: one that is open."""
        return train(self, screen or self.screen.build(), embeddings, progress)


class TrainedCell:
    """A cell model with its surroundings.

    network: the delta MLP. genes: G names. programs: K names. control: [G]. matrix: A [K, G]. embeddings: of every target of
    the screen. parts: targets of ``train``, ``validation``, ``test``. mean, mean_scores: of the training targets, [G] and [K].
    source: of the screen. history: validation loss by step, and ``best``, the step that was kept.
    """

    def __init__(
        self,
        config: VirtualCell,
        network: DeltaNetwork,
        genes: Sequence[str],
        programs: Sequence[str],
        tensors: dict[str, Tensor],
        embeddings: GeneEmbeddings,
        parts: dict[str, tuple[str, ...]],
        source: str,
        history: Sequence[float] = (),
        best: int = 0,
    ) -> None:
        self.config, self.network, self.genes, self.programs = config, network, tuple(genes), tuple(programs)
        self.control, self.matrix = tensors["control"], tensors["matrix"]
        self.mean, self.mean_scores = tensors["mean"], tensors["mean_scores"]
        self.embeddings, self.parts, self.source = embeddings, parts, source
        self.history, self.best = tuple(history), best

    @torch.inference_mode()
    def delta(self, targets: Sequence[str], embeddings: GeneEmbeddings | None = None) -> Tensor:
        """Predicted changes of expression [P, G]; a target without an embedding is predicted as the mean gene."""
        return self.network((embeddings or self.embeddings).lookup(targets).vectors).clone()

    def predict(self, targets: Sequence[str], embeddings: GeneEmbeddings | None = None) -> Tensor:
        """Predicted expression [P, G]: control + delta."""
        return self.control + self.delta(targets, embeddings)

    def effects(self, targets: Sequence[str] | None = None) -> Effects:
        """Predicted changes of program scores of ``targets``, by default all of the screen; own targets left out."""
        chosen = tuple(targets or self.embeddings.genes)
        place = {gene: index for index, gene in enumerate(self.genes)}
        own = torch.tensor([place.get(target, -1) for target in chosen])
        return Effects(chosen, self.programs, program_scores(self.delta(chosen), self.matrix, own), self.source)

    def score(
        self, expression: Expression, embeddings: GeneEmbeddings | None = None, permutations: int = 9999
    ) -> HeldOut:
        """Measure the prediction on those targets of ``expression`` that the training never saw."""
        if expression.genes != self.genes:
            raise DataError(f"the model has {len(self.genes)} genes, the data {len(expression.genes)} others")
        seen = {*self.parts["train"], *self.parts["validation"]}
        unseen = [target for target in expression.targets if target not in seen]
        missing = sum((embeddings or self.embeddings).lookup(unseen).missing)
        truth = expression.only(unseen)
        predicted = self.delta(unseen, embeddings) if unseen else expression.delta[:0]
        return compare(truth, predicted, self.mean, self.mean_scores, self.matrix, self.programs, missing, permutations)


def train(
    config: VirtualCell, screen: Screen, embeddings: GeneEmbeddings | None = None, progress: Progress = quiet
) -> TrainedCell:
    """Prepare a screen and train a cell model on it; ``progress`` hears the share done, from 0 to 1, and what is done."""
    embeddings = embeddings or screen.embeddings
    if embeddings is None:
        raise DataError("the screen has no embeddings of its genes: give a file of them (see: wetware cell embed)")
    expression = prepare(screen, config.preparation, progress=lambda share, text: progress(0.7 * share, text))
    return train_on(config, expression, embeddings, lambda share, text: progress(0.7 + 0.3 * share, text))


def train_on(
    config: VirtualCell, expression: Expression, embeddings: GeneEmbeddings, progress: Progress = quiet
) -> TrainedCell:
    """Train a cell model on changes of expression."""
    parts = config.split.of(expression.targets)
    vectors, missing = embeddings.lookup(expression.targets)
    if all(missing):
        raise DataError(f"none of {len(missing)} targets has an embedding: {expression.targets[0]!r} for one")
    matrix = score_matrix(expression.genes, expression.control, config.correction, seed=config.seed)
    pool = GeneEmbeddings(expression.targets, vectors, embeddings.source)
    train_part, validation = expression.only(parts["train"]), expression.only(parts["validation"])
    inputs = pool.lookup(parts["train"]).vectors, pool.lookup(parts["validation"]).vectors
    fitted = fit(config.network, config.fitting, train_part, validation, inputs, matrix, config.seed, progress)
    scores = program_scores(train_part.delta, matrix, train_part.own())
    tensors = {
        "control": expression.control,
        "matrix": matrix,
        "mean": train_part.delta.mean(0),
        "mean_scores": scores.mean(0),
    }
    return TrainedCell(
        config,
        fitted.network,
        expression.genes,
        PROGRAMS,
        tensors,
        pool,
        parts,
        expression.source,
        fitted.history,
        fitted.best,
    )


# ---------------------------------------------------------------------------------------------------------------- files


def save_cell(cell: TrainedCell, folder: str | Path) -> Path:
    """Write ``cell.json`` and ``cell.safetensors`` into ``folder``, the tensors first: what has a ``cell.json`` is whole."""
    folder = Path(folder)
    tensors = {f"network.{name}": tensor for name, tensor in cell.network.state_dict().items()}
    tensors |= {name: getattr(cell, name) for name in ("control", "matrix", "mean", "mean_scores")}
    tensors["embeddings"] = cell.embeddings.vectors
    write_tensors(folder / FILES[1], tensors)
    about = {
        "format": FORMAT,
        "wetware": __version__,
        "source": cell.source,
        "config": to_dict(cell.config),
        "genes": cell.genes,
        "programs": cell.programs,
        "targets": cell.embeddings.genes,
        "embeddings": cell.embeddings.source,
        "parts": cell.parts,
        "history": [round(loss, 6) for loss in cell.history],
        "best": cell.best,
        "digest": tensor_digest(*(tensors[name] for name in sorted(tensors))),
    }
    write_atomically(folder / FILES[0], json.dumps(about, indent=1) + "\n")
    return folder


def load_cell(folder: str | Path) -> TrainedCell:
    """Read what :func:`save_cell` wrote. Raises DataError when it is missing, damaged or something else."""
    folder = Path(folder)
    about = _about(folder)
    tensors, _ = read_tensors(folder / FILES[1])
    if tensor_digest(*(tensors[name] for name in sorted(tensors))) != about["digest"]:
        raise DataError(f"damaged file {str(folder / FILES[1])!r}: it is not what was written")
    try:
        config = from_dict(about["config"])
    except ConfigError as error:
        raise DataError(f"{str(folder / FILES[0])!r}: {error}") from None
    network = config.network.build(tensors["embeddings"].shape[1], len(about["genes"]))
    prefix = "network."
    network.load_state_dict({name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)})
    parts = {name: tuple(targets) for name, targets in about["parts"].items()}
    pool = GeneEmbeddings(tuple(about["targets"]), tensors["embeddings"], about["embeddings"])
    words = about["genes"], about["programs"]
    return TrainedCell(
        config, network.eval(), *words, tensors, pool, parts, about["source"], about["history"], about["best"]
    )


def _about(folder: Path) -> dict[str, Any]:
    path = folder / FILES[0]
    if not path.is_file():
        raise DataError(f"no cell model in {str(folder)!r}: it has no {FILES[0]} (see: wetware cell train)")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"damaged file {str(path)!r}: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{str(path)!r} is no cell model of format {FORMAT}")
    missing = {"source", "config", "genes", "programs", "targets", "parts", "digest"} - about.keys()
    if missing:
        raise DataError(f"damaged file {str(path)!r}: it has no {', '.join(sorted(missing))}")
    return about
