"""Equations as MathML, made when the site is built: pages need no script of another host."""

import html
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

log = logging.getLogger(__name__)


def _mathml(node: nodes.Element, display: str) -> str:
    equation = str(convert(node.astext(), display=display))
    if "\\" in equation:  # a command that latex2mathml does not know is left as it is
        log.warning("an equation has a command that cannot be shown: %s", node.astext(), location=node)
    return equation


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.math_block) -> None:
    title = html.escape(" ".join(node.astext().split()))
    self.body.append(f'<div class="math" title="{title}" style="overflow-x: auto">{_mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True}
