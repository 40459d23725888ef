"""Grokfast and OrthoGrad: what the solver inside sees, against plain loops and other implementations."""

import pytest
import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer.grokfast import gradfilter_ema
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.around.grokfast import Grokfast
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.around.orthograd import OrthoGrad
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.lbfgs import LBFGS
from scripted import seeded
from torch import nn

STEPS = 9


class Quartic:
    """grad f(x) = x^3 - c at every point."""

    def __init__(self, c):
        self.c = c

    def grad(self, x, redraw=True):
        return x**3 - self.c


def ours(solver, x, c):
    state, oracle = solver.init(x), Quartic(c)
    for _ in range(STEPS):
        x, state = solver.step(x, state, oracle)
    return x


def drawn(*shape):
    return torch.randn(2, *shape, generator=seeded(), dtype=torch.float64)


def test_grokfast_is_the_published_filter():
    x, c = drawn(6)
    module, slow = nn.ParameterDict({"w": nn.Parameter(x.clone())}), None
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, betas=(0.9, 0.98), weight_decay=0.3)
    for _ in range(STEPS):
        module["w"].grad = module["w"].detach() ** 3 - c
        slow = gradfilter_ema(module, slow, alpha=0.8, lamb=3.0)
        optimizer.step()
    mine = ours(Grokfast(AdamW(0.1, 0.9, 0.98, weight_decay=0.3), alpha=0.8, strength=3.0), x, c)
    torch.testing.assert_close(mine, module["w"].detach())


def test_grokfast_without_memory_is_a_longer_gradient():
    x, c = drawn(6)
    torch.testing.assert_close(
        ours(Grokfast(GradientDescent(0.02), alpha=0.0, strength=3.0), x, c), ours(GradientDescent(0.08), x, c)
    )


def test_grokfast_refuses_a_second_gradient_in_a_step():
    with pytest.raises(ValueError, match="asked for a second gradient; accepted are those that ask once a step"):
        ours(Grokfast(LBFGS(0.1)), *drawn(6))


def test_orthograd_is_the_one_of_another_implementation_layer_by_layer():
    x, c = drawn(10)
    parts = [slice(0, 6), slice(6, 10)]
    weights = [nn.Parameter(x[part].clone()) for part in parts]
    optimizer = pytorch_optimizer.OrthoGrad(torch.optim.AdamW(weights, lr=0.1, betas=(0.9, 0.98), weight_decay=0.3))
    for _ in range(STEPS):
        for w, part in zip(weights, parts, strict=True):
            w.grad = w.detach() ** 3 - c[part]
        optimizer.step()
    inner = AdamW(0.1, 0.9, 0.98, weight_decay=0.3)
    layers = [Part(parts[0], (2, 3), OrthoGrad(inner, ndim=2)), Part(parts[1], (4,), OrthoGrad(inner))]
    torch.testing.assert_close(ours(Layerwise(layers), x, c), torch.cat([w.detach() for w in weights]))


def test_orthograd_sees_a_gradient_of_the_same_length_at_a_right_angle():
    x, g = drawn(5, 6)
    seen = OrthoGrad(GradientDescent(0.1)).projected(x, g)
    torch.testing.assert_close(seen.norm(dim=-1), g.norm(dim=-1))
    torch.testing.assert_close((seen * x).sum(-1), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)


def test_orthograd_at_zero_and_along_the_weights():
    solver, g = OrthoGrad(GradientDescent(0.1)), torch.tensor([3.0, 4.0])
    assert torch.equal(solver.projected(torch.zeros(2), g), g)
    assert torch.equal(solver.projected(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0])), torch.zeros(2))
    assert torch.equal(solver.projected(g, torch.zeros(2)), torch.zeros(2))
