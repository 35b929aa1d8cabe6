"""A wheel holds all parts, and runs where there is no compiler."""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("check_wheel", ROOT / "tools" / "check_wheel.py")
check_wheel = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_wheel)


def test_a_wheel_without_a_part_is_noticed(tmp_path):
    wheel = tmp_path / "binnis-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mcbridge/core/lib/libmcbridge.so", "")
    missing = check_wheel.missing_parts(wheel)
    assert r"mcbridge/core/lib/libmcbridge\.so" not in missing
    assert len(missing) == len(check_wheel.INSIDE) - 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler to build the wheel with")
def test_a_wheel_runs_the_main_job_without_a_compiler(tmp_path):
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns(
        ".*", "*.so", "*.a", "*.egg-info", "build", "dist", "runs", "_build", "__pycache__"
    )
    shutil.copytree(ROOT, source, ignore=left_out)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("binnis-*.whl")
    # An environment of its own, with the dependencies of this one but without its binnis.
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    (site,) = (tmp_path / "environment" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    subprocess.run([python, "-m", "pip", "--quiet", "install", "--no-deps", "--ignore-installed", wheel], check=True)
    where = "import mcbridge, plugin; print(mcbridge.__file__, plugin.__file__)"
    origin = subprocess.run(
        [python, "-P", "-c", where], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert origin.count(str(site)) == 2
    done = subprocess.run(
        [python, "-P", ROOT / "tools" / "check_wheel.py", wheel, ROOT / "examples" / "drell_yan.yaml"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "runs without a compiler" in done.stdout
    assert "flow" in done.stdout
