"""``wetware generate``."""

from __future__ import annotations

import argparse
import sys

from wetware.commands.common import device, load_with_tokenizer, sampling
from wetware.models.generation import stream


def run(arguments: argparse.Namespace) -> int:
    model, tokenizer = load_with_tokenizer(arguments.run, device(arguments))
    options = {
        "tokens": arguments.tokens,
        "sampling": sampling(arguments),
        "seed": arguments.seed,
        "weights": arguments.weights,
    }
    sys.stdout.write(arguments.prompt)
    sys.stdout.flush()
    for piece in stream(model, tokenizer, arguments.prompt, **options):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return 0
