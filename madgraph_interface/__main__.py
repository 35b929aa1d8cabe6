"""``python -m madgraph_interface``: the commands of ``binnis madgraph`` alone, for MadGraph's shell."""

import sys

from madgraph_interface.commands import app
from mcbridge.errors import UserError

if __name__ == "__main__":
    try:
        app()
    except UserError as error:
        sys.exit(f"binnis: {error}")
