"""|M|^2 of MadGraph's ``output standalone`` as a callable of momenta."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mcbridge.errors import AmplitudeError, UserError, nearest
from mcbridge.integrands import Array

__all__ = ["MadGraphAmplitude"]

_LOCK = threading.Lock()  # the Fortran library has one state
_LOADED: dict[Path, ModuleType] = {}


class MadGraphAmplitude:
    """The matrix element of a standalone directory, averaged and summed as MadGraph does it.

    MadGraph averages over incoming spins and colours and divides by the symmetry factor of identical outgoing
    particles: give ``identical=1`` to :class:`mcbridge.processes.custom.CustomProcess`.

    The directory is written by ``output standalone DIR --prefix=int``, its library built there with

        cd DIR/SubProcesses && make all_matrix2py.so F2PY="python -m numpy.f2py"

    (with NumPy before 2.0 or Python below 3.12 also ``SETUPTOOLS_USE_DISTUTILS=stdlib``), for the Python that uses it.

    Arguments:
        directory: of the output.
        pdg_ids: PDG numbers of all particles, incoming first, in the order of the momenta.
        alpha_s: strong coupling: a number, a callable of the momenta that returns one per point, or None for the value
            of the parameter card.
        param_card: parameters; ``Cards/param_card.dat`` of the directory if None.

    Raises:
        UserError: the library is missing, cannot be loaded, or does not hold the process.
    """

    def __init__(
        self,
        directory: str | Path,
        pdg_ids: Sequence[int],
        alpha_s: float | Callable[[Array], Any] | None = None,
        param_card: str | Path | None = None,
    ) -> None:
        root = Path(directory).expanduser().resolve()
        self.directory, self.pdg_ids = root, tuple(int(number) for number in pdg_ids)
        card = root / "Cards" / "param_card.dat" if param_card is None else Path(param_card).expanduser().resolve()
        if not card.is_file():
            raise UserError(f"param_card is {card}, which is no file")
        self._module = _load(root)
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
            self._module.initialise(str(card))  # writes param.log where it is
        self._order = self._check_order()
        if alpha_s is None:
            alpha_s = _alpha_s_of(card)
        if not callable(alpha_s) and not 0.0 < float(alpha_s) < 10.0:
            raise UserError(f"alpha_s is {alpha_s}; it must be positive")
        self.alpha_s = alpha_s

    def _check_order(self) -> tuple[int, ...]:
        """PDG numbers as the library knows them."""
        known = [tuple(int(number) for number in row if number) for row in np.atleast_2d(self._processes())]
        if self.pdg_ids not in known:
            texts = [" ".join(map(str, row)) for row in known]
            given = " ".join(map(str, self.pdg_ids))
            raise UserError(f"pdg_ids is {given}; {self.directory} holds {', '.join(texts)}{nearest(given, texts)}")
        return self.pdg_ids

    def _processes(self) -> Any:
        found = self._module.get_pdg_order()
        return found[0] if isinstance(found, tuple) else found

    def __call__(self, momenta: Array) -> Array:
        """|M|^2 (n,) at ``momenta`` (n, particles, 4) [GeV], (E, px, py, pz), incoming first.

        Raises:
            AmplitudeError: the shape does not fit.
        """
        if momenta.ndim != 3 or momenta.shape[1:] != (len(self._order), 4):
            raise AmplitudeError(f"momenta have shape {momenta.shape}; the process needs (n, {len(self._order)}, 4)")
        alpha = self.alpha_s(momenta) if callable(self.alpha_s) else self.alpha_s
        couplings = np.broadcast_to(np.asarray(alpha, dtype=np.float64), (len(momenta),))
        transposed = np.ascontiguousarray(np.swapaxes(momenta, 1, 2), dtype=np.float64)
        result = np.empty(len(momenta))
        smatrix, order = self._module.smatrixhel, self._order
        with _LOCK:
            for index, (point, coupling) in enumerate(zip(transposed, couplings, strict=True)):
                result[index] = smatrix(order, 1, np.asfortranarray(point), coupling, 0.0, -1)
        return result


def _load(root: Path) -> ModuleType:
    if root in _LOADED:
        return _LOADED[root]
    found = sorted((root / "SubProcesses").glob("all_matrix2py*.so"))
    if not found:
        raise UserError(
            f"{root}/SubProcesses holds no all_matrix2py*.so; in that folder, run: SETUPTOOLS_USE_DISTUTILS=stdlib "
            'make all_matrix2py.so F2PY="python -m numpy.f2py"'
        )
    if _LOADED:
        raise UserError(
            f"{next(iter(_LOADED))} is loaded already; a process can hold one standalone library, since their common "
            "blocks have the same names"
        )
    spec = importlib.util.spec_from_file_location("all_matrix2py", found[0])
    try:
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, AssertionError) as error:
        raise UserError(f"{found[0]} cannot be loaded: {error}; was it built for this Python?") from None
    _LOADED[root] = module
    return module


def _alpha_s_of(card: Path) -> float:
    """``aS`` of a parameter card: entry 3 of SMINPUTS."""
    block = ""
    for line in card.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].split()
        if words[:1] and words[0].lower() == "block":
            block = words[1].lower() if len(words) > 1 else ""
        elif block == "sminputs" and words[:1] == ["3"] and len(words) > 1:
            return float(words[1])
    raise UserError(f"{card} has no strong coupling (SMINPUTS 3); give alpha_s")
