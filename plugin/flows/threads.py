"""How many threads torch gets while a flow is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["torch_threads"]


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """torch with this many threads inside the block, whatever the machine has.

    Where the C++ kernel does the work, one is best: what is left to torch are sums over a few thousand numbers, and
    threads that wait for each other in a loop cost more than they do.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
