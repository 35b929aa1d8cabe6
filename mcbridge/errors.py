"""The one exception class for mistakes of a user, and the search for the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["AmplitudeError", "UserError", "nearest"]


class UserError(ValueError):
    """A mistake of the user, told in one sentence.

    The message names the argument or the card entry, what was given, and what is allowed. The command line prints
    it without a traceback and exits with code 2.
    """


class AmplitudeError(UserError):
    """An integrand or amplitude raised, returned the wrong shape, or returned too many non-finite weights."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The clause ``; did you mean 'x'?`` for the valid name closest to ``name``, or an empty string."""
    entries = [str(entry) for entry in allowed]
    # a valid name with a wrong ending ("mll_min") is closer in meaning than one with similar letters ("pt_min")
    starts = [entry for entry in entries if len(entry) > 2 and str(name).startswith(entry)]
    matches = sorted(starts, key=len)[-1:] or difflib.get_close_matches(str(name), entries, n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else ""
