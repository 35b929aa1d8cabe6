"""Strata of VEGAS+ concentrated in the directions that need them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import vegas

from mcbridge.errors import UserError
from mcbridge.integrands.function import FunctionIntegrand
from mcbridge.integration.integrator import Integrator

__all__ = ["restratify"]


def restratify(integ: Any, f: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A copy of an integrator with the stratification that suits ``f``, as ``vegas.restratify`` makes it.

    Arguments:
        integ: an adapted :class:`Integrator` that draws from VEGAS+; one of vegas' own goes to vegas.
        f: the integrand.
        options: those of ``vegas.restratify`` (``nitn``, ``ndy``, ``below_avg_nstrat``, ``verbose``, ``gamma``) and of
            the integrator.

    Returns:
        the copy, with the further attributes ``I``, ``dI`` and ``weight`` of vegas.

    Raises:
        UserError: the integrator draws from a frozen sampler, which has no strata, or there is no integrand.
    """
    if not isinstance(integ, Integrator):
        return vegas.restratify(integ, f, **options)
    if integ.sampler is not None:
        raise UserError("restratify needs VEGAS+ (sampler=None or 'vegas'); a frozen sampler has no strata to move")
    if f is None:
        raise UserError("restratify needs the integrand: restratify(integrator, f)")
    standard = FunctionIntegrand(f, integ.domain, uses_jac=integ.vegas.uses_jac).function.standard
    found = copy.copy(integ)
    found.vegas = vegas.restratify(integ.vegas, standard, **options)
    return found
