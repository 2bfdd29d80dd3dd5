"""``wetware chat``: a conversation in the terminal, remembered by the model's state alone."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from rich.markup import escape

from wetware.commands.common import device, load_with_tokenizer, sampling
from wetware.commands.console import Console
from wetware.data import DataError
from wetware.data.files import write_atomically
from wetware.models.generation import Session

HELP = "/reset forgets everything   /save FILE keeps the conversation   /seed N fixes the dice   /help   /quit"


class Conversation:
    """Turns of text and the session that has read them. A turn costs what is new in it, never what was said before."""

    def __init__(self, model: Any, tokenizer: Any, choose: Any, seed: int | None, weights: str = "float32") -> None:
        self.model, self.tokenizer, self.choose, self.seed, self.weights = model, tokenizer, choose, seed, weights
        self.reset()

    def reset(self) -> None:
        self.session = Session(self.model, self.choose, self.seed, weights=self.weights)
        self.tokens: list[int] = []
        self._read([self.tokenizer.boundary])

    def _read(self, tokens: list[int]) -> None:
        self.session.read(tokens)
        self.tokens += tokens

    def say(self, text: str, count: int) -> Any:
        """Read ``text`` and give the answer piece by piece; it ends with its paragraph."""
        self._read(self.tokenizer.encode(text + "\n"))
        decoder, said = self.tokenizer.decoder(), ""
        for token in self.session.write(count):
            self.tokens.append(token)
            if token == self.tokenizer.boundary:
                break
            piece = decoder.push(token)
            said += piece
            yield piece
            if "\n" in said.lstrip():
                break
        yield decoder.flush()

    def save(self, path: Path) -> None:
        text = self.tokenizer.decode(self.tokens)
        write_atomically(
            path, json.dumps({"fingerprint": self.tokenizer.fingerprint(), "tokens": self.tokens, "text": text})
        )

    def load(self, path: Path) -> None:
        """Read a saved conversation again. Raises DataError when it is damaged or of another tokenizer."""
        try:
            saved = json.loads(path.read_text())
            tokens, fingerprint = [int(token) for token in saved["tokens"]], saved["fingerprint"]
        except FileNotFoundError:
            raise DataError(f"no such file: {str(path)!r}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{str(path)!r} is no saved conversation: {error}") from None
        if fingerprint != self.tokenizer.fingerprint():
            raise DataError(f"{str(path)!r} was saved with another tokenizer")
        wrong = [token for token in tokens if not 0 <= token < self.tokenizer.vocab_size]
        if wrong or tokens[:1] != [self.tokenizer.boundary]:
            raise DataError(
                f"{str(path)!r} is damaged: no conversation holds token {(wrong or tokens[:1] or [None])[0]}"
            )
        self.reset()
        self._read(tokens[1:])


def run(arguments: argparse.Namespace) -> int:
    model, tokenizer = load_with_tokenizer(arguments.run, device(arguments), arguments.stress)
    talk = Conversation(model, tokenizer, sampling(arguments), arguments.seed, arguments.weights)
    console = Console()
    if arguments.load:
        talk.load(Path(arguments.load))
        console.print(escape(tokenizer.decode(talk.tokens)))
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (arrow keys and history at the prompt)
    console.print(f"[dim]{escape(HELP)}[/dim]")
    while True:
        try:
            text = input("you> " if sys.stdin.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return 0
        if text.startswith("/"):
            if not _obey(text, talk, console):
                return 0
        elif text:
            _answer(talk, text, arguments.tokens, console)


def _answer(talk: Conversation, text: str, count: int, console: Console) -> None:
    try:
        for piece in talk.say(text, count):
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:  # enough said: the conversation goes on
        pass
    console.print()


def _obey(text: str, talk: Conversation, console: Console) -> bool:
    """Do a slash command; False ends the chat. A mistake is answered with a line, never with the end of the chat."""
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if name in ("/quit", "/exit"):
        return False
    if name == "/reset":
        talk.reset()
        console.print("[dim]forgotten[/dim]")
    elif name == "/save":
        path = Path(rest or "conversation.json")
        try:
            talk.save(path)
            console.print(f"[dim]saved: go on later with --load {escape(str(path))}[/dim]")
        except OSError as error:
            console.print(f"[red]cannot save {escape(str(path))}: {error.strerror}[/red]")
    elif name == "/seed" and rest.isdigit():
        talk.seed = int(rest)
        talk.session.dice.reseed(talk.seed)
        console.print(f"[dim]seed {rest}[/dim]")
    else:
        if name != "/help":
            console.print(f"[red]unknown: {escape(text)}[/red]")
        console.print(f"[dim]{escape(HELP)}[/dim]")
    return True
