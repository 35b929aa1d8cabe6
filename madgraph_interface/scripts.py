"""The step after a run: MadGraph calls ``bin/internal/gen_cardhtml-pl`` once the events of a run are stored."""

from __future__ import annotations

import shlex
from pathlib import Path

__all__ = ["finish_script"]


def finish_script(python: str, package: Path) -> str:
    """A shell script in place of MadGraph's, which it runs first: its summary and the annotation of the events.

    Arguments:
        python: interpreter that has binnis.
        package: folder that holds ``madgraph_interface``.
    """
    return f"""#!/bin/sh
# binnis: MadGraph's own script, then the summary of the run ('binnis madgraph disable' puts the original back)
perl binnis/original/bin/internal/gen_cardhtml-pl "$@"
code=$?
export PYTHONPATH={shlex.quote(str(package))}${{PYTHONPATH:+:$PYTHONPATH}}
{shlex.quote(python)} -m madgraph_interface.finish "$PWD" >> binnis/train.log 2>&1
exit $code
"""
