"""The one exception class for mistakes of a user, and the search for the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["AmplitudeError", "UserError", "nearest", "of_both_kinds"]


class UserError(ValueError):
    """A mistake of the user, told in one sentence.

    The message names the argument or the card entry, what was given, and what is allowed. The command line prints
    it without a traceback and exits with code 2.
    """


class AmplitudeError(UserError):
    """An integrand or amplitude raised, returned the wrong shape, or returned too many non-finite weights."""


def of_both_kinds(kind: type[UserError], message: str, cause: Exception | type[Exception]) -> UserError:
    """An error of ours that is also an instance of the class of its cause.

    Code that was written for vegas catches what its integrand raised, ``ZeroDivisionError`` say, and still does.

    Arguments:
        kind: :class:`UserError` or :class:`AmplitudeError`.
        message: the sentence.
        cause: what was raised, or its class. Its attributes are kept.
    """
    original = cause if isinstance(cause, type) else type(cause)
    if issubclass(kind, original):
        return kind(message)
    own: dict[str, Any] = {"__reduce__": lambda self: (kind, (message,)), "__str__": Exception.__str__}
    try:
        error: UserError = type(kind.__name__, (kind, original), {**own, "__module__": kind.__module__})(message)
        error.__dict__.update({} if isinstance(cause, type) else cause.__dict__)
    except Exception:  # the two do not go together: another memory layout, or a constructor of its own
        return kind(message)
    return error


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The clause ``; did you mean 'x'?`` for the valid name closest to ``name``, or an empty string."""
    entries = [str(entry) for entry in allowed]
    # a valid name with a wrong ending ("mll_min") is closer in meaning than one with similar letters ("pt_min")
    starts = [entry for entry in entries if len(entry) > 2 and str(name).startswith(entry)]
    matches = sorted(starts, key=len)[-1:] or difflib.get_close_matches(str(name), entries, n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else ""
