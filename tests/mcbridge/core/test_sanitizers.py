"""The C++ core under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess

import pytest


@pytest.mark.slow  # the instrumented kernel compiles for minutes
def test_the_core_runs_clean_under_the_sanitizers(sanitized_program, tmp_path):
    done = subprocess.run([sanitized_program, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "runtime error" not in done.stderr
