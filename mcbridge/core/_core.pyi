from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.core.spec import FlowSpec

Numbers = npt.NDArray[Any]

class FileError(ValueError): ...

class Cells:
    dims: tuple[int, ...]
    boxes: npt.NDArray[np.float64]
    p_vegas: npt.NDArray[np.float64]
    p_flow: npt.NDArray[np.float64]
    context: npt.NDArray[np.float32]
    def __init__(
        self, dims: Sequence[int], boxes: Numbers, p_vegas: Numbers, p_flow: Numbers, context: Numbers
    ) -> None: ...

class ChannelSampler:
    dim: int
    uniforms: int
    eps: float
    continuous: tuple[int, ...]
    grid: list[npt.NDArray[np.float64]]
    cells: Cells | None
    params: npt.NDArray[np.float32] | None
    flow: dict[str, Any] | None
    def __init__(
        self,
        dim: int,
        grid: Sequence[Numbers],
        cells: Cells | None,
        spec: FlowSpec | None,
        params: Numbers | None,
        eps: float,
    ) -> None: ...
    def with_eps(self, eps: float) -> ChannelSampler: ...
    def sample(self, r: Numbers, threads: int = 1) -> tuple[Numbers, Numbers]: ...
    def density(self, u: Numbers, threads: int = 1) -> Numbers: ...
    def densities(self, u: Numbers, threads: int = 1) -> tuple[Numbers, Numbers]: ...
    def inverse_grid(self, u: Numbers) -> tuple[Numbers, Numbers]: ...
    def forward_grid(self, y: Numbers) -> tuple[Numbers, Numbers]: ...
    def cell(self, u: Numbers) -> npt.NDArray[np.int64]: ...

def write_sampler_file(
    path: str, channels: Sequence[ChannelSampler], metadata: str, arrays: dict[str, Numbers]
) -> None: ...
def read_sampler_file(path: str) -> tuple[list[ChannelSampler], bytes, dict[str, Numbers]]: ...
def sample(
    spec: FlowSpec,
    params: Numbers,
    points: Numbers,
    context: Numbers | None = None,
    channel: Numbers | None = None,
    threads: int = 1,
    isa: str | None = None,
) -> tuple[Numbers, Numbers]: ...
def log_density(
    spec: FlowSpec,
    params: Numbers,
    points: Numbers,
    context: Numbers | None = None,
    channel: Numbers | None = None,
    threads: int = 1,
    isa: str | None = None,
) -> tuple[Numbers, Numbers]: ...
def gradient(
    spec: FlowSpec,
    params: Numbers,
    points: Numbers,
    upstream: Numbers,
    context: Numbers | None = None,
    channel: Numbers | None = None,
    threads: int = 1,
    isa: str | None = None,
    context_gradient: bool = False,
) -> tuple[Numbers, ...]: ...
def instruction_sets() -> tuple[str, ...]: ...
def instruction_set() -> str: ...
def fma_peak(isa: str | None = None) -> float: ...
