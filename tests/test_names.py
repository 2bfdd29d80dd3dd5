"""Every config has a name of its own, in whatever order and company the rooms are imported."""

import importlib
import pkgutil

import wetware

OPTIONAL = ("wetware.__main__", "wetware.evaluation.harness.__main__")


def test_all_rooms_can_be_imported_together(triton_interpreter):
    """Two configs of one name would be refused here, and saved files could not tell them apart. (Triton's kernels are for the
    interpreter or not from the moment they are imported: other tests of this process want it.)"""
    for module in pkgutil.walk_packages(wetware.__path__, "wetware."):
        if module.name in OPTIONAL:
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:  # an optional package that is not installed
            assert not (error.name or "").startswith("wetware")
