"""Peak memory: what a process of its own needs to hold a model, to write with it, and to train it.

Within a process that has done other things, growth says little: memory that was freed is used again unseen. So a model is
saved, and a fresh process loads it, works, and tells its highest resident memory after each stage, libraries included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from wetware.config import from_dict, to_dict
from wetware.evaluation.training_steps import training_steps
from wetware.models import LanguageModel
from wetware.models.generation import Sampling, Session
from wetware.training import Training, load, save

LIMIT = 300  # seconds that the process may take


def peak_memory(model: LanguageModel, training: Training, weights: str = "float32") -> dict[str, int] | None:
    """Bytes: ``with_model``, ``after_writing`` 64 tokens and ``after_training`` two steps, each the highest so far. None where
    the system does not tell (Windows), or when the process fails."""
    if sys.platform == "win32":
        return None
    with tempfile.TemporaryDirectory() as folder:
        place = save(model, Path(folder) / "model")
        asked = json.dumps({"training": to_dict(training), "weights": weights, "threads": torch.get_num_threads()})
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(place), asked],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env=environment,
        )
    return json.loads(done.stdout) if done.returncode == 0 else None


def _highest() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss is no use: a process inherits that of the one that started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _main(folder: str, asked: str) -> None:
    about = json.loads(asked)
    torch.set_num_threads(about["threads"])
    model, _ = load(folder)
    figures = {"with_model": _highest()}
    session = Session(model, Sampling(), 0, weights=about["weights"])
    session.read([0])
    session.tokens(64)
    figures["after_writing"] = _highest()
    training = from_dict(about["training"])
    text = torch.arange(training.batch * (training.chunk + 1)).view(training.batch, -1) % model.vocab_size
    for _ in training_steps(model, training, [(text[:, :-1], text[:, 1:], None)] * 2):
        pass
    figures["after_training"] = _highest()
    print(json.dumps(figures))


if __name__ == "__main__":
    _main(*sys.argv[1:])
