"""Importing: other people's files as wetware checkpoints. What is read are tensors and plain data, never code."""

from wetware.training.importing.imported import Imported
from wetware.training.importing.names import PATTERNS, Placed, place
from wetware.training.importing.nanochat import import_nanochat
from wetware.training.importing.pickled import read_pickled
from wetware.training.importing.spikewhale import import_spikewhale

__all__ = ["PATTERNS", "Imported", "Placed", "import_nanochat", "import_spikewhale", "place", "read_pickled"]
