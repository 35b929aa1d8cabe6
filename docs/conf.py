"""Settings of the documentation site; `make docs` builds it with warnings as errors."""

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
extensions = ["myst_parser", "sphinx_copybutton", "mathml"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated"]
html_theme = "furo"
html_title = "binnis"

generated = HERE / "_generated"
generated.mkdir(exist_ok=True)
(generated / "run_card.md").write_text(tables(), encoding="utf-8")
