"""Make .venv with wetware in it, then run a command there.

python tools/bootstrap.py [--extras dev,hf] [--torch-index URL] [-- COMMAND ...]

It needs Python 3.11 and nothing else. Once .venv is up to date, a run takes no time.
"""

from __future__ import annotations  # with this, 3.8 still parses the file and gets the message below

import argparse
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN, EXE = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
START = time.monotonic()
# What pip prints that is worth passing on: downloads of 10 MB and more, and the long unpacking.
PROGRESS = re.compile(r"Downloading \S+ \((?:\d\d[\d.]* MB|[\d.]+ GB)\)|Installing collected packages")


class SetupError(Exception):
    """Set-up cannot go on; the message says why."""


def say(text: str) -> None:
    """Tell the person at the terminal, leaving stdout to the command."""
    print(f"[{time.monotonic() - START:6.1f} s] {text}", file=sys.stderr, flush=True)


def too_old(version: tuple[int, ...]) -> str:
    """What to tell someone who runs this on an older Python; empty if this one will do."""
    if tuple(version[:2]) >= (3, 11):
        return ""
    have = ".".join(map(str, version[:3]))
    advice = "install a newer one and name it: `python3.11 tools/bootstrap.py` or `make PYTHON=python3.11 demo`"
    return f"wetware needs Python 3.11 or newer, and this is {have} ({sys.executable}): {advice}"


def fingerprint(root: Path) -> str:
    """A hash of all that the environment is made from, its extras apart."""
    # The folder counts because scripts in the environment hold its full path.
    made_for = f"{sys.version_info[:2]} {sys.platform} {root}".encode()
    files = [(root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([made_for, *files])).hexdigest()


def read_stamp(root: Path) -> tuple[str, set[str]]:
    """The hash and the extras of the last set-up that got to its end, if one has."""
    try:
        stamp = json.loads((root / ".venv" / "bootstrap.stamp").read_text("utf-8"))
        return stamp["hash"], set(stamp["extras"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", set()


def is_ready(root: Path, extras: set[str]) -> bool:
    made_from, present = read_stamp(root)
    # More extras than were asked for do no harm: `make demo` after `make test` has nothing to do.
    return made_from == fingerprint(root) and extras <= present and (root / ".venv" / BIN / EXE).exists()


def try_lock(file) -> bool:
    """Lock the file unless another run has; the system frees the lock of a run that died."""
    try:
        if os.name == "nt":
            msvcrt = importlib.import_module("msvcrt")
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl = importlib.import_module("fcntl")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_inheritable(file.fileno(), True)  # a pip that outlives a killed set-up keeps the lock
    except (BlockingIOError, PermissionError):
        return False
    return True


def run_step(root: Path, what: str, command: list) -> None:
    """Run one step of the set-up; its output goes to the log, whose end is shown if it fails."""
    say(what)
    # Without these: packages of another place would pass for installed, and each start of pip compile it anew.
    env = {name: os.environ[name] for name in set(os.environ) - {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}}
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "close_fds": False}
    with open(root / ".venv" / "bootstrap.log", "a+", encoding="utf-8") as log:
        print("$", *command, file=log)
        with subprocess.Popen(command, env=env, encoding="utf-8", errors="replace", **options) as process:
            for line in process.stdout:
                log.write(line)
                if found := PROGRESS.search(line):
                    say(f"  {found[0]}")
        if process.returncode:
            log.seek(0)
            tail = "".join(log.readlines()[-15:]).rstrip()
            raise SetupError(f"{what} failed (exit {process.returncode}); the end of {log.name}:\n{tail}")


def why_new_venv(root: Path) -> str:
    """Why .venv must be made from nothing; empty if it can be used as it is."""
    venv = root / ".venv"
    if not (venv / BIN / EXE).exists() or not (venv / "pyvenv.cfg").exists():
        return "it has no Python" if venv.exists() else "there is none"
    if (venv / "bootstrap.busy").exists():
        return "the last set-up was cut off"  # pip may have left a package half unpacked
    made = re.search(r"^command = .* -m venv .*$", (venv / "pyvenv.cfg").read_text("utf-8"), re.MULTILINE)
    if made and not made[0].endswith(str(venv)):
        return "it was made for another folder"
    probe = [venv / BIN / EXE, "-c", "import pip, sys; print(sys.version_info[:2])"]
    found = subprocess.run(probe, capture_output=True, text=True).stdout.strip()
    return "" if found == str(tuple(sys.version_info[:2])) else f"its Python and pip answer {found!r}"


def install(root: Path, why_new: str, extras: list[str], torch_index: str | None) -> None:
    """All the steps, from nothing if there is a reason to."""
    python = root / ".venv" / BIN / EXE
    if why_new:
        base = getattr(sys, "_base_executable", sys.executable)  # not that of a .venv which goes away
        run_step(root, f"making .venv with {base} ({why_new})", [base, "-m", "venv", root / ".venv"])
    # Python compiles what it imports when it does; compiling all of torch here would take longer than unpacking it.
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-compile"]
    pip += ["--progress-bar", "off", "-c", root / "constraints.txt"]
    run_step(root, "updating pip", [*pip, "--upgrade", "pip"])
    if torch_index:
        # Alone: what torch needs comes with the next step, as that index may lack the pinned releases.
        run_step(root, f"installing torch from {torch_index}", [*pip, "--no-deps", "--index-url", torch_index, "torch"])
    target = f"{root}[{','.join(extras)}]" if extras else str(root)
    run_step(root, " + ".join(["installing wetware", *extras]), [*pip, "--editable", target])
    if sys.dont_write_bytecode:
        # Nothing would be kept of that compiling, and each start take seconds longer: do it once, for torch.
        run_step(root, "compiling torch", [python, "-c", "import torch._dynamo"])


def set_up(root: Path, extras: set[str], torch_index: str | None) -> None:
    """Bring .venv up to date. Only a run that got to its end leaves a stamp, only one cut off stays busy."""
    tomllib = importlib.import_module("tomllib")  # not above, where an older Python would fail on it
    allowed = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for name in sorted(extras.difference(allowed)):
        raise SetupError(f"--extras: no extra is called {name!r}; allowed: {', '.join(sorted(allowed))}")
    venv = root / ".venv"
    with open(root / ".bootstrap.lock", "a") as file:
        if not try_lock(file):
            say("another set-up of this folder is running: waiting for it")
            while not try_lock(file):
                time.sleep(0.2)
        if is_ready(root, extras):  # another run did it while this one waited
            return
        made_from, extras = fingerprint(root), extras | read_stamp(root)[1]
        why_new = why_new_venv(root)
        (venv / "bootstrap.stamp").unlink(missing_ok=True)
        if why_new and venv.exists():
            shutil.rmtree(venv)
        venv.mkdir(exist_ok=True)
        (venv / "bootstrap.busy").touch()
        try:
            install(root, why_new, sorted(extras), torch_index)
        except SetupError:
            (venv / "bootstrap.busy").unlink()  # pip stopped by itself, so it has tidied up
            raise
        (venv / "bootstrap.busy").unlink()
        # Cut short, this is no JSON and counts as no stamp.
        (venv / "bootstrap.stamp").write_text(json.dumps({"hash": made_from, "extras": sorted(extras)}), "utf-8")
        say("ready")


def run_command(root: Path, command: list[str]) -> int:
    """Run the command as if .venv were activated, and give its exit code."""
    path = os.pathsep.join([str(root / ".venv" / BIN), os.environ.get("PATH", os.defpath)])
    env = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(root / ".venv")}
    program = shutil.which(command[0], path=path)
    if not program:
        raise SetupError(f"no command is called {command[0]!r}, neither in .venv nor on PATH")
    if os.name == "nt":
        return subprocess.call([program, *command[1:]], env=env)
    os.execve(program, command, env)  # signals and the exit code then need no passing on


def main(argv: list[str], root: Path = ROOT) -> int:
    cut = argv.index("--") if "--" in argv else len(argv)
    command = argv[cut + 1 :]
    parser = argparse.ArgumentParser(usage="%(prog)s [--extras NAMES] [--torch-index URL] [-- COMMAND ...]")
    parser.add_argument("--extras", default="", metavar="NAMES", help="extras of pyproject.toml, as in dev,hf")
    about = "where to get torch when it is installed (a build without CUDA, say); or set WETWARE_TORCH_INDEX"
    parser.add_argument("--torch-index", default=os.environ.get("WETWARE_TORCH_INDEX"), metavar="URL", help=about)
    args = parser.parse_args(argv[:cut])
    extras = set(filter(None, re.split(r"[,\s]+", args.extras)))
    try:
        if not is_ready(root, extras):
            set_up(root, extras, args.torch_index)
        return run_command(root, command) if command else 0
    except (SetupError, OSError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: stopped; the next run starts afresh", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(too_old(sys.version_info) or main(sys.argv[1:]))
