"""``wetware tokenizer``: train one, and compare several on text that none of them has seen."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from wetware.commands.console import Console
from wetware.config import ConfigError, with_
from wetware.data import DataError, SavedTokenizer, Tokenizer, TokenizerConfig, corpus_from, tokenizer_from
from wetware.data.corpora import Corpus
from wetware.data.prepare import train_tokenizer

EVERY = 10.0  # seconds between lines of progress where there is no terminal
TIMED = 1.0  # seconds for which encoding is repeated


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a tokenizer makes of a text. used: the share of its vocabulary that occurs; megabytes_per_second: of encoding."""

    vocab_size: int
    tokens: int
    bytes: int
    used: float
    megabytes_per_second: float

    @property
    def tokens_per_byte(self) -> float:
        return self.tokens / self.bytes

    @property
    def bytes_per_token(self) -> float:
        return self.bytes / self.tokens


def measure(tokenizer: Tokenizer, texts: Sequence[str], seconds: float = TIMED) -> Figures:
    """Figures on ``texts``; encoding is timed again and again for ``seconds``, by the
    processor's clock, and the fastest is kept."""
    size = sum(len(text.encode()) for text in texts)
    encoded = tokenizer.encode_batch(texts)
    counts = np.bincount(np.concatenate([np.array(row, np.int64) for row in encoded]), minlength=tokenizer.vocab_size)
    started, fastest = time.monotonic(), float("inf")
    while time.monotonic() - started < seconds or fastest == float("inf"):
        before = time.process_time()  # whatever else runs on the machine
        tokenizer.encode_batch(texts)
        fastest = min(fastest, max(time.process_time() - before, 1e-9))
    used = np.count_nonzero(counts) / tokenizer.vocab_size
    return Figures(tokenizer.vocab_size, int(counts.sum()), size, float(used), size / fastest / 1e6)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("RAYON_NUM_THREADS", "1")  # threads of the library: what they cost each other is left out
    corpus = corpus_from(arguments.data or "sotu")
    return _train(arguments, corpus) if arguments.action == "train" else _compare(arguments, corpus)


def _train(arguments: argparse.Namespace, corpus: Corpus) -> int:
    console, config = Console(), tokenizer_from(arguments.kind)
    if isinstance(config, SavedTokenizer):
        raise DataError(f"{arguments.kind!r} is a tokenizer already: name a kind, as LengthMax")
    if arguments.vocab is not None:
        config = with_(config, "vocab_size", arguments.vocab)
    for setting in arguments.settings:
        path, sign, value = setting.partition("=")
        if not sign:
            raise ConfigError(f"--set {setting!r}: expected FIELD=VALUE, as in max_piece=16")
        config = with_(config, path, value)
    out = Path(arguments.out or Path("runs") / "tokenizers" / arguments.kind)
    tokenizer = _made(console, corpus, config)
    tokenizer.save(out)
    figures = measure(tokenizer, _held_out(corpus), seconds=0.0)
    about = f"{figures.bytes_per_token:.3f} bytes per token of held-out text"
    console.print(
        f"{arguments.kind}: {tokenizer.vocab_size:,} tokens, {about}, into {escape(str(out))}", soft_wrap=True
    )
    console.print(
        f"[dim]wetware train RECIPE --tokenizer {escape(str(out))} trains a model on it[/dim]", soft_wrap=True
    )
    return 0


def _compare(arguments: argparse.Namespace, corpus: Corpus) -> int:
    console = Console(stderr=arguments.json)
    texts, found = _held_out(corpus), {}
    for name in arguments.tokenizers:
        config = tokenizer_from(name)
        if arguments.vocab is not None and "vocab_size" in {field.name for field in dataclasses.fields(config)}:
            config = with_(config, "vocab_size", arguments.vocab)
        found[name] = measure(_made(console, corpus, config), texts)
    if arguments.json:
        print(json.dumps({name: _row(figures) for name, figures in found.items()}))
        return 0
    table = Table(title=f"{next(iter(found.values())).bytes:,} bytes of held-out text", title_justify="left")
    for column in ("tokenizer", "vocabulary", "used", "tokens", "tokens per byte", "bytes per token", "MB/s"):
        table.add_column(column, justify="left" if column == "tokenizer" else "right", overflow="fold")
    for name, figures in found.items():
        table.add_row(
            escape(name),
            f"{figures.vocab_size:,}",
            f"{figures.used:.1%}",
            f"{figures.tokens:,}",
            f"{figures.tokens_per_byte:.4f}",
            f"{figures.bytes_per_token:.3f}",
            f"{figures.megabytes_per_second:.1f}",
        )
    console.print(table)
    console.print("[dim]MB/s: encoding the whole text at once, by the time of one processor[/dim]")
    return 0


def _row(figures: Figures) -> dict[str, Any]:
    ratios = {"tokens_per_byte": figures.tokens_per_byte, "bytes_per_token": figures.bytes_per_token}
    return {**dataclasses.asdict(figures), **ratios}


def _held_out(corpus: Corpus) -> list[str]:
    texts = list(corpus.documents("validation"))
    if not texts:
        raise DataError(f"the validation split of {type(corpus).__name__} has no text")
    return texts


def _made(console: Console, corpus: Corpus, config: TokenizerConfig) -> Tokenizer:
    """The tokenizer; what goes on meanwhile is one line in a terminal, and elsewhere a line every ten seconds."""
    name, said = type(config).__name__, time.monotonic()
    with console.status(f"{name}: reading the text") as status:

        def tell(text: str) -> None:
            nonlocal said
            status.update(f"{name}: {text}")
            if not console.is_terminal and time.monotonic() - said >= EVERY:
                said = time.monotonic()
                console.print(f"{name}: {text}", soft_wrap=True)

        return train_tokenizer(corpus, config, tell=tell)
