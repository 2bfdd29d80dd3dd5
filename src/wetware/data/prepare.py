"""Prepare: from a corpus to a tokenizer and the two packed splits that training and evaluation read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from wetware.data.corpora import Corpus, Marked
from wetware.data.files import digest
from wetware.data.growing import Growing
from wetware.data.mixture import Mixture
from wetware.data.packing import FORMAT, SHARD_TOKENS, Packed, Progress, cache_folder, cached, pack
from wetware.data.saved_tokenizers import load_tokenizer
from wetware.data.tokenizers import Tell, Tokenizer, TokenizerConfig, split_marked

# Of text without an end, what a tokenizer is trained on.
SAMPLE_CHARACTERS = 32 * 2**20


def prepare(
    corpus: Corpus,
    tokenizer: Tokenizer | TokenizerConfig,
    cache: str | Path | None = None,
    *,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> tuple[Tokenizer, Packed, Packed]:
    """``(tokenizer, train, validation)``. A tokenizer config is trained on the training split, once per corpus, and has the
    special tokens of the corpus.

    ``progress`` is told of the packing, as by :func:`pack`; ``tell``, in words, of the tokenizer.

    The training split of a :class:`Mixture` is :class:`Growing`: its first block is packed now, the others when an epoch
    asks for them.
    """
    fingerprint = corpus.fingerprint()
    if isinstance(tokenizer, TokenizerConfig):
        tokenizer = train_tokenizer(corpus, tokenizer, cache, tell=tell, fingerprint=fingerprint)
    if isinstance(corpus, Mixture):
        train: Packed = Growing(corpus, tokenizer, cache, progress=progress, fingerprint=fingerprint)
    else:
        train = pack(
            corpus, tokenizer, "train", cache, shard_tokens=shard_tokens, progress=progress, fingerprint=fingerprint
        )
    return (
        tokenizer,
        train,
        pack(
            corpus,
            tokenizer,
            "validation",
            cache,
            shard_tokens=shard_tokens,
            progress=progress,
            fingerprint=fingerprint,
        ),
    )


def train_tokenizer(
    corpus: Corpus,
    config: TokenizerConfig,
    cache: str | Path | None = None,
    *,
    tell: Tell | None = None,
    fingerprint: str | None = None,
) -> Tokenizer:
    """The tokenizer that ``config`` makes of the training split, from the cache if it is there."""
    key = digest([FORMAT, fingerprint or corpus.fingerprint(), config.fingerprint()])

    def build(partial: Path) -> None:
        documents = corpus.marked("train")
        texts = _plain(_sample(documents) if isinstance(corpus, Mixture) else documents)
        config.train(texts, tell=tell).with_specials(corpus.specials).save(partial)

    return cached(cache_folder(cache) / "tokenizers" / key, load_tokenizer, build)


def _plain(documents: Iterable[Marked]) -> Iterator[str]:
    """Their texts, cut where special tokens stand: nothing is learned of their names."""
    return (part for text, names in documents for part in (split_marked(text, names)[::2] if names else [text]))


def _sample(documents: Iterable[Marked]) -> Iterator[Marked]:
    size = 0
    for document in documents:
        yield document
        size += len(document.text)
        if size >= SAMPLE_CHARACTERS:
            return
