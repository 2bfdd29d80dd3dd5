"""Run every check, or the named ones, and fail if any of them fails.

python tools/check.py                 all: lint, format, types, tests
python tools/check.py lint types      only these
python tools/check.py tests -- -k x   arguments after -- go to pytest

It runs in the environment of the Python that starts it: tools/bootstrap.py makes one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["ty", "check"],
    # one process a core, each with one thread: two that share their threads wait for each other
    "tests": ["pytest", "-n", "auto", "--dist", "worksteal"],
}
ALONE = {"tests": {"OMP_NUM_THREADS": "1"}}


def run_check(name: str, extra: list[str]) -> tuple[bool, str]:
    """Run one check; give whether it passed and a few words on it."""
    command = [*CHECKS[name], *extra]
    print(f"== {name}: {' '.join(command)}", flush=True)
    start = time.monotonic()
    code = subprocess.call([sys.executable, "-m", *command], cwd=ROOT, env=os.environ | ALONE.get(name, {}))
    verdict = "ok" if code == 0 else f"FAILED (exit {code})"
    return code == 0, f"{name} {verdict} {time.monotonic() - start:.1f} s"


def main(argv: list[str]) -> int:
    cut = argv.index("--") if "--" in argv else len(argv)
    names, pytest_args = argv[:cut] or list(CHECKS), argv[cut + 1 :]
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"check: no check is called {unknown[0]!r}; allowed: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    # All of them run even after a failure: one round shows everything there is to mend.
    results = [run_check(name, pytest_args if name == "tests" else []) for name in names]
    print("checks: " + ", ".join(line for _, line in results), flush=True)
    return 0 if all(passed for passed, _ in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
