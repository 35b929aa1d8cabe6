"""Settings of the documentation site; `make docs` builds it with warnings as errors."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from run_card_tables import tables  # noqa: E402

from mcbridge.version import __version__  # noqa: E402

project = "binnis"
author = "the binnis developers"
project_copyright = "2026, the binnis developers"
release = version = __version__
extensions = ["myst_parser", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
autodoc_typehints = "none"
napoleon_custom_sections = [("Arguments", "Parameters")]
add_module_names = False
# Docstrings name classes by where users import them from, and exceptions by their name alone.
nitpick_ignore_regex = [("py:.*", ".*")]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated"]
html_theme = "furo"
html_title = "binnis"

generated = HERE / "_generated"
generated.mkdir(exist_ok=True)
(generated / "run_card.md").write_text(tables(), encoding="utf-8")


def _escape(_app, _what, _name, _object, _options, lines):
    """Docstrings are plain text with literals: |M|^2 is no substitution and f*g no emphasis."""
    for number, line in enumerate(lines):
        pieces = re.split(r"(``.*?``|:[a-z]+:`[^`]*`)", line)
        lines[number] = "".join(
            re.sub(r"([|*])", r"\\\1", piece) if not at % 2 else piece for at, piece in enumerate(pieces)
        )


def setup(app):
    """Register what docstrings need."""
    app.connect("autodoc-process-docstring", _escape, priority=400)
