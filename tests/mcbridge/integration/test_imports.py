"""The loop needs no torch."""

import subprocess
import sys


def test_the_loop_does_not_import_torch():
    modules = "mcbridge, mcbridge.integration, mcbridge.samplers, mcbridge.maps, mcbridge.integrands"
    call = "mcbridge.integration.Integrator([[0, 1]])(lambda x: x[0])"
    code = f"import sys, {modules}; {call}; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_every_package_can_be_the_first():
    for module in ("integrands", "integration", "samplers", "maps"):
        subprocess.run([sys.executable, "-W", "error", "-c", f"import mcbridge.{module}"], check=True)
