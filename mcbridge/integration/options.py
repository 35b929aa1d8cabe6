"""The options of the integrator: those of vegas, and our own."""

from __future__ import annotations

from typing import Any

import numpy as np
import vegas

from mcbridge.errors import UserError, nearest, of_both_kinds

__all__ = ["OWN", "UNSUPPORTED", "checked_options", "count", "refused", "seed_number"]

# Options of vegas that a frozen sampler cannot honour, with the reason.
UNSUPPORTED = {
    "uses_jac": "the Jacobian of the vegas map exists only with sampler=None",
    "mpi": "run chunks of work in your own processes instead",
}
OWN = ("max_failure_fraction", "threads")
_CALL = ("save", "saveall")
_LEGACY = ("nhcube_batch", "max_nhcube")  # vegas ignores them


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options that vegas and we know, with whole numbers where they are wanted; what vegas ignores is left out.

    Raises:
        UserError: an option has another name, or is no whole number.
    """
    options = {name: value for name, value in options.items() if name not in _LEGACY}
    for name in options:
        if name not in vegas.Integrator.defaults and name not in OWN and name not in ("nstrat", "sigf"):
            allowed = [*vegas.Integrator.defaults, *OWN, *_CALL, "nstrat", "sampler", "seed"]
            raise of_both_kinds(
                UserError,
                f"the integrator has no option '{name}'"
                + (nearest(name, allowed) or f"; options are {', '.join(sorted(allowed))}"),
                AttributeError,
            )
    for name, lowest in (("nitn", 1), ("neval", 2)):
        if name in options:
            options[name] = count(name, options[name], lowest)
    return options


def seed_number(value: Any) -> int:
    """A seed; UserError where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise UserError(f"seed is {value!r}; it must be a whole number >= 0")
    return int(value)


def count(name: str, value: Any, lowest: int) -> int:
    """A whole number, at least ``lowest``; UserError where it is none."""
    try:
        number = float(value)
        whole = int(number)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} is {value!r}; it must be a whole number >= {lowest}") from None
    if whole < lowest:
        raise UserError(f"{name} is {value!r}; it must be a whole number >= {lowest}")
    return whole


def refused(options: dict[str, Any], error: Exception) -> UserError:
    """What vegas says of options that it does not accept."""
    return of_both_kinds(UserError, f"the integrator does not accept {_listing(options)}: {error}", error)


def _listing(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
