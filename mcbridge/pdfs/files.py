"""Reading and checking the two files of an LHAPDF6 set before anything interpolates them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mcbridge.errors import UserError

__all__ = ["check_grid", "read_info"]


def read_info(path: Path) -> dict[str, Any]:
    """The keys of an ``.info`` file.

    Raises:
        UserError: the file cannot be read or is no mapping of keys.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"pdf: the file {path} cannot be read ({type(error).__name__}).") from error
    if not isinstance(content, dict):
        raise UserError(f"pdf: the file {path} holds no 'key: value' lines.")
    return content


def check_grid(path: Path) -> None:
    """Check the layout of a ``.dat`` file of format lhagrid1 (arXiv:1412.7420, section 3).

    A header, then one block per range of Q: a line of x knots, of Q knots, of flavours, then one line of values per
    knot pair; every part ends with ``---``.

    Raises:
        UserError: the file cannot be read, has another format, or is cut short.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"pdf: the grid {path} cannot be read ({type(error).__name__}).") from error
    header, *blocks = text.rstrip().split("---")
    if "lhagrid1" not in header:
        raise UserError(f"pdf: the grid {path} is not of the format lhagrid1.")
    if len(blocks) < 2 or blocks[-1].strip():
        raise UserError(f"pdf: the grid {path} is cut short (its last line is not '---').")
    for number, block in enumerate(blocks[:-1], start=1):
        lines = block.strip().splitlines()
        try:
            x, q, flavours = ([float(entry) for entry in line.split()] for line in lines[:3])
        except ValueError as error:
            raise UserError(
                f"pdf: block {number} of the grid {path} has no three lines of knots and flavours."
            ) from error
        if len(lines) - 3 != len(x) * len(q):
            raise UserError(
                f"pdf: block {number} of the grid {path} has {len(lines) - 3} lines of values "
                f"instead of {len(x)} x {len(q)}."
            )
        if any(len(line.split()) != len(flavours) for line in lines[3:]):
            raise UserError(f"pdf: block {number} of the grid {path} has a line without {len(flavours)} values.")
