"""The harness's own command, knowing our models::

    python -m wetware.evaluation.harness --model wetware --model_args run=runs/sam --include_path my_tasks --tasks my_task

The harness has no way to find models of other packages by itself, so this registers ``wetware`` and hands over all arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from wetware.evaluation.harness.install import MISSING, installed, register


def main(argv: Sequence[str] | None = None) -> int:
    """Run the harness; gives the exit code: 0 done, 2 bad input (one line says what)."""
    if not installed():
        print(f"wetware: {MISSING}", file=sys.stderr)
        return 2
    from lm_eval.__main__ import cli_evaluate

    register()
    kept, sys.argv = sys.argv, ["lm_eval", *(sys.argv[1:] if argv is None else argv)]
    try:
        cli_evaluate()
    except (ValueError, OSError) as error:  # its own errors about tasks and options, and ours about runs
        print(f"lm_eval: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    finally:
        sys.argv = kept
    return 0


if __name__ == "__main__":
    sys.exit(main())
