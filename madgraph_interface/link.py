"""How the hook gets into MadEvent: a line of linker options in ``Source/make_opts``."""

from __future__ import annotations

from pathlib import Path

from mcbridge import core
from mcbridge.errors import UserError

__all__ = ["WRAPPED", "add_line", "hook_library", "link_line", "remove_line"]

WRAPPED = ("ntuple_", "x_to_f_arg_", "dsig_", "clear_events_", "store_events_")
"""Functions of MadEvent that the hook wraps."""

_MARK = "# binnis: sampling hook (see 'binnis madgraph status')"


def hook_library() -> Path:
    """The compiled hook.

    Raises:
        UserError: the package was installed without it.
    """
    path = Path(__file__).parent / "lib" / "libbinnis_madevent.a"
    if not path.is_file():
        raise UserError(f"the compiled hook {path} is missing; install binnis again (a C compiler is needed)")
    return path


def _core_library() -> Path:
    return Path(core.__file__).parent / "lib" / "libmcbridge.so"


def link_line() -> str:
    """The line for ``make_opts``.

    Raises:
        UserError: a path has a character that make or the shell would not survive.
    """
    hook, library = hook_library(), _core_library()
    if not library.is_file():
        raise UserError(f"the library {library} is missing; install binnis again (a C++ compiler is needed)")
    for path in (hook, library):
        if any(character in str(path) for character in " $#'\"\\:%,;&|()<>*?"):
            raise UserError(
                f"binnis is installed in {path.parent}, a path that make cannot pass on; install it elsewhere"
            )
    wraps = " ".join(f"-Wl,--wrap={name}" for name in WRAPPED)
    return f"LDFLAGS += {wraps} {hook} {library} -Wl,-rpath,{library.parent}"


def add_line(text: str) -> str:
    """The text of ``make_opts`` with the line at its end; MadGraph's own has no newline at its end."""
    text = remove_line(text)
    return text + f"\n{_MARK}\n{link_line()}\n"


def remove_line(text: str) -> str:
    """The text of ``make_opts`` without the line."""
    before, mark, after = text.partition(f"\n{_MARK}\n")
    if not mark:
        return text
    return before + after.partition("\n")[2]
