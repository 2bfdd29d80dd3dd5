"""``wetware chat``: a conversation in the terminal, remembered by the model's state alone."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.markup import escape

from wetware.commands.common import device, load_with_tokenizer, sampling
from wetware.commands.console import Console
from wetware.data import DataError
from wetware.data.conversations import END, SPECIALS, asked, speaks
from wetware.data.files import write_atomically
from wetware.models.generation import Session

HELP = (
    "/again another answer   /undo takes back the last turn   /reset forgets everything   /save FILE keeps the conversation   "
    "/seed N fixes the dice   /help   /quit"
)


class Talk:
    """Turns of text and the session that has read them. A turn costs what is new in it, never what was said before.

    A model that knows the chat template is spoken to in it, and ends its own turn; any other goes on with the text, to the end
    of a paragraph.
    """

    def __init__(self, model: Any, tokenizer: Any, choose: Any, seed: int | None, weights: str = "float32") -> None:
        self.model, self.tokenizer, self.choose, self.seed, self.weights = model, tokenizer, choose, seed, weights
        self.end = tokenizer.specials[END] if speaks(tokenizer.specials) else None
        self.stops = {tokenizer.boundary, *(tokenizer.specials[name] for name in SPECIALS if self.end is not None)}
        self.reset()

    def reset(self) -> None:
        self.session = Session(self.model, self.choose, self.seed, weights=self.weights)
        self.tokens: list[int] = []
        self.turns: list[tuple[int, str]] = []  # where each of the user's began, and what it said
        self._read([self.tokenizer.boundary])

    def _read(self, tokens: list[int]) -> None:
        self.session.read(tokens)
        self.tokens += tokens

    def say(self, text: str, count: int) -> Any:
        """Read ``text`` and give the answer piece by piece."""
        self.turns.append((len(self.tokens), text))
        if self.end is None:
            self._read(self.tokenizer.encode(text + "\n"))
        else:
            cut_short = self.tokens[-1] not in self.stops
            self._read([*[self.end] * cut_short, *self.tokenizer.encode_marked([asked(text)], SPECIALS)[0]])
        decoder, said = self.tokenizer.decoder(), ""
        for token in self.session.write(count):
            self.tokens.append(token)
            if token in self.stops:
                break
            piece = decoder.push(token)
            said += piece
            yield piece
            if self.end is None and "\n" in said.lstrip():
                break
        yield decoder.flush()

    def undo(self) -> str | None:
        """Take back the last turn and its answer: what the user said in it, or None when there is none. The dice go on."""
        if not self.turns:
            return None
        (start, text), dice, kept = self.turns[-1], self.session.dice, self.turns[:-1]
        tokens = self.tokens[:start]
        self.reset()
        self.session.dice, self.turns = dice, kept
        self._read(tokens[1:])
        return text

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
    talk = Talk(model, tokenizer, sampling(arguments), arguments.seed, arguments.weights)
    console = Console()
    if arguments.load:
        talk.load(Path(arguments.load))
        console.print(escape(tokenizer.decode(talk.tokens)))
    lines = _typed(console) if arguments.script is None else _scripted(Path(arguments.script))
    for text in lines:
        if text.startswith("/"):
            if not _obey(text, talk, console, arguments.tokens):
                return 0
        elif text:
            _answer(talk, text, arguments.tokens, console)
    return 0


def _typed(console: Console) -> Iterator[str]:
    """What the user types, or sends through a pipe, until it ends."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (arrow keys and history at the prompt)
    console.print(f"[dim]{escape(HELP)}[/dim]")
    while True:
        try:
            yield input("you> " if sys.stdin.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return


def _scripted(path: Path) -> Iterator[str]:
    """The lines of a file, each said again before it is answered."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the script {str(path)!r}: {error}") from None
    for line in map(str.strip, lines):
        if line:
            sys.stdout.write(f"you> {line}\n")
        yield line


def _answer(talk: Talk, text: str, count: int, console: Console) -> None:
    try:
        for piece in talk.say(text, count):
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:  # enough said: the conversation goes on
        pass
    console.print()


def _obey(text: str, talk: Talk, console: Console, count: int) -> bool:
    """Do a slash command; False ends the chat. A mistake is answered with a line, never with the end of the chat."""
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if name in ("/quit", "/exit"):
        return False
    if name == "/reset":
        talk.reset()
        console.print("[dim]forgotten[/dim]")
    elif name in ("/undo", "/again"):
        said = talk.undo()
        if said is None:
            console.print("[red]nothing was said yet[/red]")
        elif name == "/again":
            _answer(talk, said, count, console)
        else:
            console.print(f"[dim]taken back: {escape(said)}[/dim]")
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
