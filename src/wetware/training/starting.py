"""Starting a run from weights that are there already, instead of drawing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
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

    The run's tokenizer may have more special tokens than the checkpoint's, which come after all others (a text model that is to
    learn a chat template). What a tensor holds of them is then as it was drawn for the run.

    path: a checkpoint, or a run, whose best one is meant.
    """

    path: str

    def folder(self) -> Path:
        """The checkpoint. Raises CheckpointError, with the nearest guess, when there is none."""
        return find(Path(self.path).expanduser())

    def fill(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        """Put the weights into ``model``. Raises CheckpointError for files that are damaged, and names what does not fit."""
        folder = self.folder()
        known = self._known_tokens(folder, tokenizer)
        tensors = read_tensors(folder / "model.safetensors")
        tensors.pop(GOLDEN, None)
        if known < tokenizer.vocab_size:
            tensors = _with_rows(tensors, model.state_dict(), known, tokenizer.vocab_size)
        check_fit(str(folder), tensors, model.state_dict())
        check_seal(folder)
        model.load_state_dict(tensors)

    @staticmethod
    def _known_tokens(folder: Path, tokenizer: Tokenizer) -> int:
        """How many tokens of the run's tokenizer the weights know. Weights mean nothing by another one, but for special tokens
        at its end. A checkpoint without one (imported, say) fits any of as many tokens."""
        if not (folder / FILE).exists():
            return tokenizer.vocab_size
        try:
            theirs = load_tokenizer(folder)
        except DataError as error:
            raise CheckpointError(str(error)) from None
        if theirs.with_specials(tokenizer.specials).fingerprint() != tokenizer.fingerprint():
            ours, other = (f"{each.kind}, {each.vocab_size} tokens" for each in (tokenizer, theirs))
            raise CheckpointError(
                f"{str(folder)!r} was trained with another tokenizer ({other}) than this run's ({ours})"
            )
        return theirs.vocab_size


def _with_rows(theirs: dict[str, Tensor], ours: dict[str, Tensor], known: int, wanted: int) -> dict[str, Tensor]:
    """``theirs``, in which every tensor that has ``known`` of something where ours has ``wanted``, and is alike otherwise, gets
    the rest from ours."""
    grown = dict(theirs)
    for name in theirs.keys() & ours.keys():
        before, after = theirs[name].shape, ours[name].shape
        if len(before) == len(after):
            differing = [axis for axis in range(len(after)) if before[axis] != after[axis]]
            if len(differing) == 1 and (before[differing[0]], after[differing[0]]) == (known, wanted):
                rest = ours[name].narrow(differing[0], known, wanted - known)
                grown[name] = torch.cat([theirs[name].to(rest), rest], differing[0])
    return grown


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
