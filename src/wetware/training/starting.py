"""Starting a run from weights that are there already, instead of drawing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from wetware.config import Config, nearest
from wetware.data import DataError, Tokenizer, load_tokenizer
from wetware.data.tokenizers import FILE
from wetware.models import LanguageModel
from wetware.training.checkpoint import (
    GOLDEN,
    CheckpointError,
    check_seal,
    find,
    read_tensors,
)


@dataclass(frozen=True, kw_only=True)
class SavedWeights(Config):
    """The weights of a checkpoint, from which a run starts: names, shapes and the tokenizer must fit. They are read once, when
    the run begins; a resumed run does not need them again.

    path: a checkpoint, or a run, whose best one is meant.
    """

    path: str

    def folder(self) -> Path:
        """The checkpoint. Raises CheckpointError, with the nearest guess, when there is none."""
        return find(Path(self.path).expanduser())

    def fill(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        """Put the weights into ``model``. Raises CheckpointError for files that are damaged, and names what does not fit."""
        folder = self.folder()
        self._check_tokenizer(folder, tokenizer)
        tensors = read_tensors(folder / "model.safetensors")
        tensors.pop(GOLDEN, None)
        check_fit(str(folder), tensors, model.state_dict())
        check_seal(folder)
        model.load_state_dict(tensors)

    @staticmethod
    def _check_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
        """Weights mean nothing by another tokenizer. A checkpoint without one (imported, say) fits any of as many tokens."""
        if not (folder / FILE).exists():
            return
        try:
            theirs = load_tokenizer(folder)
        except DataError as error:
            raise CheckpointError(str(error)) from None
        if theirs.fingerprint() != tokenizer.fingerprint():
            ours, other = (f"{each.kind}, {each.vocab_size} tokens" for each in (tokenizer, theirs))
            raise CheckpointError(
                f"{str(folder)!r} was trained with another tokenizer ({other}) than this run's ({ours})"
            )


def check_fit(where: str, theirs: dict[str, Tensor], ours: dict[str, Tensor]) -> None:
    """Raise CheckpointError unless both have the same names and shapes."""
    for name in sorted(theirs.keys() & ours.keys()):
        found, wanted = list(theirs[name].shape), list(ours[name].shape)
        if found != wanted:
            raise CheckpointError(f"{where!r} does not fit the model: its {name!r} is {found}, the model's {wanted}")
    if missing := sorted(ours.keys() - theirs.keys()):
        more = f" (and {len(missing) - 1} more that the model has)" if missing[1:] else ""
        guess = nearest(missing[0], theirs.keys() - ours.keys(), cutoff=0.8) if theirs.keys() - ours.keys() else ""
        raise CheckpointError(
            f"{where!r} does not fit the model: it has no {missing[0]!r}{more}{guess}; parts are added by: wetware convert"
        )
    if left := sorted(theirs.keys() - ours.keys()):
        more = f" (and {len(left) - 1} more)" if left[1:] else ""
        raise CheckpointError(f"{where!r} does not fit the model: nothing in it takes {left[0]!r}{more}")
