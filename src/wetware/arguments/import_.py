"""Arguments of ``wetware import``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command, positive, positive_number


def add(commands: Any) -> None:
    more = """\
examples:
  wetware import spikewhale model.pth --out runs/whale
  wetware import spikewhale model.pth --out runs/whale --name "layers.{N}.fc_rec=core.{N}.R.weight"
  wetware import nanochat model_021400.pt --out runs/nano              heads from meta_021400.json beside it

Reads tensors and plain data, never code. A SpikeWhale file holds `config`, `modulation`, `model_state_dict` and perhaps
`vocab`. How its tensors are named is guessed from a table of usual names; what is not in the table is said with --name, and
what could not be placed is listed. A nanochat file holds the tensors of its plain transformer; its tokenizer is not read.
Nothing is saved when a tensor that the model cannot be without is missing or has another shape.
"""
    command = new_command(commands, "import", "Make a wetware checkpoint of somebody else's file.", more)
    kinds = ("spikewhale", "nanochat")
    command.add_argument("kind", metavar="KIND", choices=kinds, help=f"what wrote the file: {', '.join(kinds)}")
    command.add_argument("file", metavar="FILE", help="the .pth or .pt file")
    command.add_argument("--out", metavar="DIR", required=True, help="the checkpoint's folder")
    command.add_argument(
        "--heads", type=positive, metavar="N", help="nanochat: of attention (default: the meta file's)"
    )
    command.add_argument(
        "--tokenizer", metavar="DIR", help="nanochat: the folder of a saved one that fits (default: none)"
    )
    command.add_argument(
        "--name", action="append", metavar="OURS=THEIRS", dest="names", help="spikewhale: which of its tensors is ours"
    )
    command.add_argument(
        "--recurrent-rows",
        choices=("auto", "presynaptic", "postsynaptic"),
        help="spikewhale: what a row of the recurrent weights is (default: postsynaptic in a Linear's .weight, else "
        "presynaptic)",
    )
    command.add_argument(
        "--input-gain",
        type=positive_number,
        metavar="G",
        help="spikewhale: of spikes into deeper layers (default: the file's, else 1)",
    )
