"""Settings of all tests."""

import os

from hypothesis import settings

# On a CI machine the examples are always the same: a failure is news about the change, not about the dice.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
