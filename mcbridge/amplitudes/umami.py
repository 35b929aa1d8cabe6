"""Amplitudes of other programs through UMAMI, the C interface for matrix elements of the MadGraph team.

The interface: https://docs.madgraph.org/latest/madspace/umami-api.html; a shared library that exports a handful of C
functions. MadGraph's cudacpp plug-in and pyamplicol generate such libraries.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands.protocol import Array

__all__ = ["STATUS", "UmamiAmplitude"]

STATUS = (
    "success",
    "unspecified error",
    "not implemented",
    "unsupported input",
    "unsupported output",
    "metadata not initialised",
    "unsupported metadata",
    "missing input",
)
"""Meaning of the status codes of UMAMI 1, by number."""

INPUTS = (
    "momenta",
    "alpha_s",
    "flavour index",
    "random number for colour",
    "random number for helicity",
    "random number for diagram",
    "helicity index",
    "diagram index",
    "channel index",
)
_MOMENTA, _ALPHA_S, _FLAVOUR = range(3)
_META_DEVICE, _META_PARTICLES, _META_DIAGRAMS, _META_HELICITIES, _META_MASSES = 0, 1, 2, 3, 5
_MATRIX_ELEMENT = 0
_REQUIRED = ("umami_get_meta", "umami_initialize", "umami_matrix_element", "umami_free")

_int_p = ctypes.POINTER(ctypes.c_int)
_void_pp = ctypes.POINTER(ctypes.c_void_p)
_bools = ctypes.POINTER(ctypes.c_bool)
_SIGNATURES: dict[str, list[Any]] = {
    "umami_get_meta": [ctypes.c_int, ctypes.c_void_p],
    "umami_initialize": [ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p],
    "umami_set_parameter": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double, ctypes.c_double],
    "umami_matrix_element": [
        ctypes.c_void_p,
        *[ctypes.c_size_t] * 3,
        *[ctypes.c_size_t, _int_p, _void_pp] * 2,
    ],
    "umami_free": [ctypes.c_void_p],
    "umami_supported_inputs": [ctypes.POINTER(_bools), _int_p],
    "umami_required_inputs": [ctypes.POINTER(_bools), _int_p],
}


def _status(code: int) -> str:
    return f"status {code}, {STATUS[code] if 0 <= code < len(STATUS) else 'unknown to UMAMI 1'}"


class UmamiAmplitude:
    """|M|^2 from a UMAMI shared library, a callable of momenta.

    Every thread that calls it at the same time uses an instance of its own inside the library. Pickling keeps path,
    card and parameters, so that another process loads the library anew.

    Arguments:
        path: the shared library.
        card: what the library calls its parameter card, handed to ``umami_initialize``: a file for MadGraph, the
            artifact folder for pyamplicol; None for none.
        flavour: index of the flavour combination, where the library has several.
        parameters: model parameters to be set, by the library's names.

    Raises:
        UserError: the file is no such library, lacks a function, runs on a GPU, needs an input that cannot be given, or
            refuses the card or a parameter.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        card: str | os.PathLike[str] | None = None,
        flavour: int | None = None,
        parameters: Mapping[str, float] | None = None,
    ) -> None:
        self.path = Path(path).expanduser().resolve()
        self.card = None if card is None else Path(card).expanduser().resolve()
        self.flavour = flavour
        self.parameters = dict(parameters or {})
        if not self.path.is_file():
            raise UserError(f"UMAMI library: there is no file '{self.path}'")
        if self.card is not None and not self.card.exists():
            raise UserError(f"card of the UMAMI library {self.path.name}: there is no file or folder '{self.card}'")
        if flavour is not None and (isinstance(flavour, bool) or not isinstance(flavour, int) or flavour < 0):
            raise UserError(f"flavour is {flavour!r}; it must be a whole number of at least 0, or None")
        self._library = self._load()
        self.particles = self._count(_META_PARTICLES, "particles")
        """Number of external particles."""
        self._check_device()
        supported, required = self._flags("umami_supported_inputs"), self._flags("umami_required_inputs")
        self.takes_alpha_s = supported is None or _ALPHA_S in supported
        """Whether the strong coupling can be given with each point."""
        self._check_inputs(supported, required or set())
        self._lock = threading.Lock()
        self._idle: list[ctypes.c_void_p] = []
        self._release = weakref.finalize(self, _free_all, self._library, self._idle)
        with self._lock:
            self._idle.append(self._initialise())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.card, self.flavour, self.parameters)

    def __repr__(self) -> str:
        return f"UmamiAmplitude({self.path.name}, {self.particles} particles)"

    @property
    def masses(self) -> Array | None:
        """Masses of the external particles (particles,) [GeV], or None where the library does not tell."""
        values = np.zeros(self.particles)
        code = self._library.umami_get_meta(_META_MASSES, values.ctypes.data)
        return values if code == 0 else None

    def __call__(self, momenta: Array, alpha_s: float | Array | None = None) -> Array:
        """|M|^2 of a batch of points, as the library normalises it (by convention averaged over incoming states).

        Arguments:
            momenta: (n, particles, 4) [GeV], (E, px, py, pz), in the order of the library, incoming first.
            alpha_s: strong coupling, one number or (n,); None for the value of the card.

        Returns:
            (n,).

        Raises:
            UserError: the library takes no strong coupling.
            AmplitudeError: wrong shape, or the library reports an error.
        """
        momenta = np.asarray(momenta, dtype=np.float64)
        if momenta.ndim != 3 or momenta.shape[1:] != (self.particles, 4):
            raise AmplitudeError(
                f"momenta have shape {momenta.shape}; {self.path.name} expects (n, {self.particles}, 4)"
            )
        n = len(momenta)
        if n == 0:
            return np.empty(0)
        # Layout of the interface: p[stride * (component * particles + particle) + event].
        columns = np.ascontiguousarray(momenta.transpose(2, 1, 0))
        inputs: dict[int, Any] = {_MOMENTA: columns}
        if alpha_s is not None:
            if not self.takes_alpha_s:
                raise UserError(f"alpha_s was given, but {self.path.name} takes no strong coupling")
            inputs[_ALPHA_S] = np.ascontiguousarray(np.broadcast_to(np.asarray(alpha_s, dtype=np.float64), (n,)))
        if self.flavour is not None:
            inputs[_FLAVOUR] = np.full(n, self.flavour, dtype=np.intc)
        result = np.empty(n)
        handle = self._take()
        try:
            code = self._evaluate(handle, n, inputs, result)
        finally:
            self._give_back(handle)
        if code != 0:
            raise AmplitudeError(f"{self.path.name} failed on a batch of {n} points: {_status(code)}")
        return result

    def _evaluate(self, handle: ctypes.c_void_p, n: int, inputs: dict[int, Any], result: Array) -> int:
        keys = (ctypes.c_int * len(inputs))(*inputs)
        pointers = (ctypes.c_void_p * len(inputs))(*[array.ctypes.data for array in inputs.values()])
        out_key = (ctypes.c_int * 1)(_MATRIX_ELEMENT)
        out = (ctypes.c_void_p * 1)(result.ctypes.data)
        code: int = self._library.umami_matrix_element(handle, n, n, 0, len(inputs), keys, pointers, 1, out_key, out)
        return code

    def _load(self) -> ctypes.CDLL:
        try:
            library = ctypes.CDLL(str(self.path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        except OSError as error:
            raise UserError(f"'{self.path}' cannot be loaded as a shared library: {error}") from error
        missing = [name for name in _REQUIRED if not hasattr(library, name)]
        if missing:
            raise UserError(f"'{self.path}' is not a UMAMI library: it does not export {', '.join(missing)}")
        for name, arguments in _SIGNATURES.items():
            if hasattr(library, name):
                function = getattr(library, name)
                function.argtypes = arguments
                function.restype = ctypes.c_int
        return library

    def _count(self, key: int, what: str) -> int:
        value = ctypes.c_int(0)
        code = self._library.umami_get_meta(key, ctypes.byref(value))
        if code != 0 or value.value < 3:
            raise UserError(f"{self.path.name} does not tell its number of {what} ({_status(code)})")
        return value.value

    def _check_device(self) -> None:
        device = ctypes.c_int(0)
        if self._library.umami_get_meta(_META_DEVICE, ctypes.byref(device)) == 0 and device.value != 0:
            raise UserError(f"{self.path.name} was built for a GPU; a library for the CPU is needed")

    def _flags(self, name: str) -> set[int] | None:
        """The keys that a query function of the library answers with true; None where it has no such function."""
        if not hasattr(self._library, name):
            return None
        data, count = _bools(), ctypes.c_int(0)
        code = getattr(self._library, name)(ctypes.byref(data), ctypes.byref(count))
        if code != 0:
            raise UserError(f"{self.path.name}: {name} failed with {_status(code)}")
        return {key for key in range(count.value) if data[key]}

    def _check_inputs(self, supported: set[int] | None, required: set[int]) -> None:
        given = {_MOMENTA, _ALPHA_S} | ({_FLAVOUR} if self.flavour is not None else set())
        unknown = sorted(required - given)
        if unknown:
            names = ", ".join(INPUTS[key] if key < len(INPUTS) else f"input {key}" for key in unknown)
            hint = "; give flavour=0" if unknown == [_FLAVOUR] else ""
            raise UserError(f"{self.path.name} requires inputs that are not given: {names}{hint}")
        self.needs_alpha_s = _ALPHA_S in required
        """Whether the strong coupling must be given with each point."""
        if self.flavour is not None and supported is not None and _FLAVOUR not in supported:
            raise UserError(f"flavour {self.flavour} was given, but {self.path.name} has no flavour index")

    def _initialise(self) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        card = b"" if self.card is None else os.fsencode(self.card)
        code = self._library.umami_initialize(ctypes.byref(handle), card)
        if code != 0:
            raise UserError(f"{self.path.name} refuses the card '{os.fsdecode(card)}': {_status(code)}")
        for name, value in self.parameters.items():
            if not hasattr(self._library, "umami_set_parameter"):
                raise UserError(f"parameters were given, but {self.path.name} has no function to set them")
            code = self._library.umami_set_parameter(handle, name.encode(), float(value), 0.0)
            if code != 0:
                self._library.umami_free(handle)
                raise UserError(f"{self.path.name} refuses the parameter {name} = {value}: {_status(code)}")
        return handle

    def _take(self) -> ctypes.c_void_p:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._initialise()

    def _give_back(self, handle: ctypes.c_void_p) -> None:
        with self._lock:
            self._idle.append(handle)


def _free_all(library: ctypes.CDLL, handles: list[ctypes.c_void_p]) -> None:
    while handles:
        library.umami_free(handles.pop())
