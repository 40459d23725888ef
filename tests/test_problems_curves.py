"""Curves against their formulas and the derivative by autograd; renumbered neurons compute the same."""

import pytest
import torch
from ratewitness.problems.networks.curves import SHAPES, along, coefficients, curve_oracle, matched, renumbered
from ratewitness.problems.networks.mlp import MLP, on_rows

NET = MLP((4, 6, 5, 3))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


INPUTS = torch.randn(20, 4, generator=generator(1), dtype=torch.float64)


def problem():
    return on_rows(NET, INPUTS, torch.arange(20) % 3, generator())


def points(*batch):
    return [NET.initial(generator(seed), *batch, dtype=torch.float64) for seed in (2, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_curves_begin_and_end_where_they_should_and_are_convex_combinations(shape):
    w1, theta, w2 = points(2)
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    path = along(shape, w1, theta, w2, t)
    torch.testing.assert_close(path[0], w1)
    torch.testing.assert_close(path[-1], w2)
    weights = torch.stack(coefficients(shape, t))
    torch.testing.assert_close(weights.sum(0), torch.ones_like(t))
    assert weights.min() >= 0


def test_the_chain_bends_at_theta_and_bezier_passes_beside_it():
    w1, theta, w2 = points()
    half = torch.tensor([0.5], dtype=torch.float64)
    torch.testing.assert_close(along("chain", w1, theta, w2, half)[0], theta)
    torch.testing.assert_close(along("bezier", w1, theta, w2, half)[0], w1 / 4 + theta / 2 + w2 / 4)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_the_gradient_is_that_of_the_loss_at_the_drawn_point(shape):
    f, (w1, theta, w2) = problem(), points(2)
    oracle = curve_oracle(f, shape, w1, w2, f.n, generator())
    g = oracle.grad(theta)
    t, index = oracle.sample
    theta = theta.requires_grad_()
    a, b, c = coefficients(shape, t)
    for k in range(2):
        x = a[k] * w1[k] + b[k] * theta[k] + c[k] * w2[k]
        loss = on_rows(NET, INPUTS[index[k]], index[k] % 3, generator()).gap(x)
        torch.testing.assert_close(torch.autograd.grad(loss, theta)[0][k], g[k])


def test_renumbered_networks_are_the_same_function_and_are_matched_back():
    (x, _, _), inputs = points(), torch.randn(7, 4, generator=generator(5), dtype=torch.float64)
    orders = [torch.randperm(width, generator=generator(6)) for width in (6, 5)]
    other = renumbered(NET, x, orders)
    assert not torch.equal(x, other)
    torch.testing.assert_close(NET.outputs(other, inputs), NET.outputs(x, inputs))
    torch.testing.assert_close(matched(NET, other, x), x)


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="shape is 'arc'; accepted are 'line', 'bezier', 'chain'"):
        coefficients("arc", torch.zeros(1))
