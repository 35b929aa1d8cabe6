"""binnis in the shell of MadGraph5_aMC@NLO: ``mg5_aMC --mode=binnis`` has the command ``binnis``.

MadGraph finds this folder as ``MG5aMC_PLUGIN/binnis`` where binnis is installed for its Python, or as ``PLUGIN/binnis``
after ``binnis madgraph install --mg5 DIR``. It works by calling binnis, with the Python that it is installed for.
"""

import os
import subprocess
import sys
from pathlib import Path

try:
    from madgraph.interface import master_interface
except ImportError:  # inside a process directory: nothing to add there
    master_interface = None

__version__ = "1.0"
minimal_mg5amcnlo_version = (3, 5, 0)
maximal_mg5amcnlo_version = (3, 5, 999)
latest_validated_version = (3, 5, 7)

new_output = {}
new_cluster = {}

_ACTIONS = ("enable", "disable", "status")


def _call(action, directory):
    """Run ``binnis madgraph ACTION DIR``; its exit code."""
    python, path = sys.executable, None
    location = Path(__file__).resolve().parent / "location.txt"
    if location.exists():
        python, path = location.read_text().splitlines()[:2]
    environment = dict(os.environ)
    if path:
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in (path, environment.get("PYTHONPATH")) if entry)
    return subprocess.call([python, "-m", "madgraph_interface", action, directory], env=environment)


if master_interface is not None:

    class BinnisInterface(master_interface.MasterCmd):
        """MadGraph's interface with one command more."""

        def do_binnis(self, line):
            """Main commands: sample with a normalizing flow inside MadEvent."""
            words = self.split_arg(line)
            if not words or words[0] not in _ACTIONS or len(words) > 2:
                self.help_binnis()
                raise self.InvalidCmd(f"binnis needs one of {', '.join(_ACTIONS)}, and a directory")
            exported = getattr(self, "_done_export", None) or (None,)
            directory = words[1] if len(words) == 2 else exported[0]
            if not directory:
                raise self.InvalidCmd("there was no output yet: name the process directory")
            if _call(words[0], directory) != 0:
                raise self.InvalidCmd(f"binnis {words[0]} failed")

        def help_binnis(self):
            """The help text of the command."""
            print("syntax: binnis enable|disable|status [DIR]")
            print("-- switch the flow sampler of binnis on or off in a process directory, by default the last output")

        def complete_binnis(self, text, line, begidx, endidx):
            """Completion: the action, then a folder."""
            if len(self.split_arg(line[0:begidx])) == 1:
                return self.list_completion(text, list(_ACTIONS))
            return self.path_completion(text, only_dirs=True)

    new_interface = BinnisInterface
    # MadGraph 3.5 looks for a plug-in of the Python path under this name as well.
    sys.modules.setdefault("PLUGIN.binnis", sys.modules[__name__])
else:
    new_interface = None
