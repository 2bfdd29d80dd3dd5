"""What a cell hands on to language models: the effects of every knock-down on the gene programs, in a file."""

from __future__ import annotations

import json
from pathlib import Path

from wetware.cell.files import write_tensors
from wetware.modulation import Effects


def save_effects(effects: Effects, path: str | Path) -> None:
    """Write what :func:`wetware.modulation.read_effects` reads (safetensors)."""
    about = {"genes": json.dumps(effects.genes), "programs": json.dumps(effects.programs), "source": effects.source}
    write_tensors(path, {"scores": effects.scores}, about)
