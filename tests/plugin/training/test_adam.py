"""Adam agrees with torch.optim.Adam."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from plugin.training.adam import Adam


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_those_of_torch(dtype):
    generator = np.random.default_rng(1)
    start = [torch.from_numpy(generator.normal(size=shape)).to(dtype) for shape in ((3, 40), (7,))]
    own = [tensor.clone().requires_grad_() for tensor in start]
    reference = [tensor.clone().requires_grad_() for tensor in start]
    adam = Adam(own, betas=(0.9, 0.99))
    expected = torch.optim.Adam(reference, lr=1.0, betas=(0.9, 0.99), foreach=False)
    for step in range(50):
        rate = 1e-2 / (1 + step)
        expected.param_groups[0]["lr"] = rate
        for tensor, other in zip(own, reference, strict=True):
            gradient = torch.from_numpy(generator.normal(size=tensor.shape)).to(dtype)
            tensor.grad, other.grad = gradient.clone(), gradient.clone()
        adam.step_along_grad(rate)
        expected.step()
    for tensor, other in zip(own, reference, strict=True):
        assert tensor.grad is None
        assert torch.allclose(tensor, other, rtol=1e-5, atol=1e-7)


def test_it_does_not_load_the_compiler():
    program = (
        "import sys, torch; from plugin.training.adam import Adam; p = torch.zeros(3, requires_grad=True);"
        "Adam([p]).step([torch.ones(3)], 0.1); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
