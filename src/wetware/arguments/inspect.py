"""Arguments of ``wetware inspect``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import data_option, device_options, new_command, positive


def add(commands: Any) -> None:
    more = """\
examples:
  wetware inspect runs/whale                        every question, as a report with pictures
  wetware inspect runs/whale --picture              the network alone, from the checkpoint alone: no text is read
  wetware inspect runs/whale --text "The people of the United States"     watch it read this
  wetware inspect runs/sam --limit 20000 --json     quicker; pure JSON
  wetware inspect runs/nano                         a bio-nanochat: do its synapses tire, and does reading change it?

Who fires and how regularly, by layer and by gene program; how gradients pass; the rank of the membranes; energy; the memory
horizon; and what each part is worth at inference: bits per byte with one thing taken out at a time, without training again.
The run is never changed. report.md, report.html, results.json and pictures go to --out.
"""
    command = new_command(
        commands, "inspect", "Look into a model: its neurons, wiring, programs and traits; or its synapses.", more
    )
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--picture", action="store_true", help="only draw the network; needs no text")
    command.add_argument("--out", metavar="DIR", help="where the report goes (default: RUN/inspection)")
    data_option(command, "another text to read (its held-out part)")
    command.add_argument(
        "--limit", type=positive, metavar="N", help="at most so many held-out tokens (default: 100,000)"
    )
    command.add_argument(
        "--text", metavar="TEXT", help="the text of the raster (default: the start of a held-out document)"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    device_options(command)
