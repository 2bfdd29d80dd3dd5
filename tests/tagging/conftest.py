"""Small taggers."""

from __future__ import annotations

import pytest

from wetware.layers import AxonalDelays, CurrentEncoder, InputGate, SpikingBlock
from wetware.tagging import BothWays, Delayed, GRUCell, SpikingCell, Tagger

SPIKING = SpikingCell(block=SpikingBlock(gate=InputGate(rank=4)))
LATE = SpikingCell(block=SpikingBlock(gate=InputGate(rank=4), delays=AxonalDelays(late=(0, 1, 3, 4))))
SMALL = {"width": 24, "depth": 2, "encoder": CurrentEncoder(bits=12)}
TAGGERS = {
    "spiking": Tagger(cell=SPIKING, **SMALL),
    "delayed": Tagger(cell=SPIKING, context=Delayed(delay=3, wait=2), **SMALL),
    "delayed, with delays": Tagger(cell=LATE, context=Delayed(delay=3), **SMALL),
    "gru": Tagger(cell=GRUCell(), context=BothWays(), **SMALL),
    "delayed gru": Tagger(cell=GRUCell(), context=Delayed(delay=3), **SMALL),
}


@pytest.fixture(params=TAGGERS)
def tagger(request):
    """Of every kind; its readout is drawn large, so that an untrained one finds something everywhere."""
    model = TAGGERS[request.param].build(3)
    model.readout.weight.data.mul_(30)
    return model
