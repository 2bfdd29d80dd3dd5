"""Every benchmark's short set, one after the other, and a summary.

Each runs in a process of its own. Arguments are handed on to all of them. One that fails does not stop the others; the exit
code then is 1.

    python benchmarks/all.py [--threads 1]
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent


class Done(NamedTuple):
    """How one benchmark went; ``found`` is its JSON line."""

    name: str
    code: int
    seconds: float
    found: dict[str, Any] | None

    @property
    def failed(self) -> bool:
        return self.code != 0 or self.found is None


def benches(folder: Path) -> list[Path]:
    """The files that are benchmarks: those that import the harness. This file must never find itself: it would run for ever."""
    return sorted(path for path in folder.glob("*.py") if path.name != Path(__file__).name and imports_harness(path))


def imports_harness(path: Path) -> bool:
    """By the syntax tree: the word may also stand in a string."""
    tree = ast.parse(path.read_text("utf-8"))
    return any(isinstance(node, ast.ImportFrom) and node.module == "harness" for node in ast.walk(tree))


def run(path: Path, arguments: Sequence[str]) -> Done:
    """Run one, passing on all but the JSON line, which is for machines."""
    print(f"== {path.stem}", flush=True)
    start, found = time.monotonic(), None
    command = [sys.executable, str(path), "--short", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"benchmark"'):
                found = json.loads(line)
            else:
                print(line, end="", flush=True)
    return Done(path.stem, process.returncode, time.monotonic() - start, found)


def leaves(ratios: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every ratio with the names that lead to it."""
    for name, value in ratios.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def summarise(done: Sequence[Done]) -> None:
    print("== summary")
    for one in done:
        verdict = f"FAILED (exit {one.code})" if one.code else "FAILED (no JSON line)" if one.failed else "ok"
        print(f"{one.name}: {verdict}, {one.seconds:.1f} s")
        for names, value in leaves((one.found or {}).get("ratios", {})):
            print(f"  {' / '.join(names)}: {value:.2f}")
    print("short sets show that everything runs; for figures, run each without --short on a quiet machine")


def main(argv: Sequence[str] | None = None, folder: Path = HERE) -> int:
    done = [run(path, sys.argv[1:] if argv is None else argv) for path in benches(folder)]
    summarise(done)
    print(json.dumps({one.name: one.found for one in done}))
    return 1 if not done or any(one.failed for one in done) else 0


if __name__ == "__main__":
    raise SystemExit(main())
