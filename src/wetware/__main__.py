"""``python -m wetware``: the same as ``wetware``."""

import sys

from wetware.cli import main

if __name__ == "__main__":
    sys.exit(main())
