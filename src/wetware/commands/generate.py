"""``wetware generate``."""

from __future__ import annotations

import argparse
import sys

from wetware.commands.common import device, load_with_tokenizer, sampling
from wetware.models.engines import DraftingEngine, ForwardEngine, engines
from wetware.models.generation import Session, write_on


def run(arguments: argparse.Namespace) -> int:
    model, tokenizer = load_with_tokenizer(arguments.run, device(arguments), arguments.stress)
    choose = sampling(arguments)
    session = Session(model, choose, arguments.seed, weights=arguments.weights, draft=arguments.draft)
    if arguments.draft and not isinstance(engines(model, 1, arguments.weights), ForwardEngine):
        print("note: without --draft a compiled engine writes the same text, and faster", file=sys.stderr)
    sys.stdout.write(arguments.prompt)
    sys.stdout.flush()
    for piece in write_on(session, tokenizer, arguments.prompt, arguments.tokens):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    engine = session.engine
    if isinstance(engine, DraftingEngine) and engine.drafted:
        share = engine.accepted / engine.drafted
        print(f"drafts: {engine.accepted} of {engine.drafted} right ({share:.0%})", file=sys.stderr)
    return 0
