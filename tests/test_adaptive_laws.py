"""What symmetry and geometry demand of adaptive methods: diagonal scaling, signs, rotations, and projection in their metric.

Scaling, with eps = 0. A method of steps that depend on g only through its signs and the ratios of each entry over time,

    x_{k+1} = x_k - a_k phi_k(g_0, ..., g_k),        phi_k(D g_0, ..., D g_k) = phi_k(g_0, ..., g_k),   D diagonal, D > 0,

takes on F(y) = f(S^{-1} y), whose gradient is S^{-1} grad f(S^{-1} y), from y_0 = S x_0 with the steps S a_k, the iterates
y_k = S x_k; with the steps a_k left as they are, it takes the same *differences* on the same list of gradients, scaled.
"""

import math

import numpy as np
import pytest
import torch
from catalogue import names, of_lr
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import iterates
from scipy.optimize import lsq_linear
from scripted import Scripted, gradients, path
from threadpoolctl import threadpool_limits

FREE_OF_SCALE = {name: of_lr(name, eps=0.0, weight_decay=0.0) for name in names(diagonal=True)}
SCALED = {
    name: of_lr(name, **epsilon)
    for name, epsilon in {
        "gradient descent": {},
        "adagrad by norm": {"eps": 0.0},
        "adagrad": {"eps": 1.0},
        "rmsprop": {"eps": 1.0},
        "adam": {"eps": 1.0},
        "amsgrad": {"eps": 1.0},
        "adadelta": {"eps": 1.0},
    }.items()
}
ROTATED = {name: of_lr(name) for name in names(rotates=True)}
# with 0.1 it bounces across an eigenvector from step 12 on, where ||g||/||u|| = 100 multiplies rounding in every step
SMALLER = {"orthograd": 0.04}


free_of_scale = pytest.mark.parametrize("build", FREE_OF_SCALE.values(), ids=FREE_OF_SCALE)
powers = st.lists(st.integers(-20, 20), min_size=3, max_size=3)


class Gradient:
    """An oracle of one function."""

    def __init__(self, grad):
        self.grad = lambda x, redraw=True: grad(x)


def powers_of_two(exponents):
    """Exact on every machine, which the power function of a tensor need not be."""
    return torch.tensor([math.ldexp(1.0, k) for k in exponents], dtype=torch.float64)


def follow(solver, grad, x0, steps=25):
    return torch.stack([x for _, x in zip(range(steps + 1), iterates(solver, Gradient(grad), x0), strict=False)])


@free_of_scale
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), exponents=powers)
def test_scaled_gradients_give_the_same_steps_bit_for_bit(build, seed, exponents):
    """Powers of two, which round nothing."""
    g = gradients(15, 3, seed=seed, spread=3.0)
    scale = powers_of_two(exponents)
    assert torch.equal(path(build(0.1), scale * g), path(build(0.1), g))


QUADRATIC = torch.tensor([[3.0, 1.0, 0.5], [1.0, 2.0, -0.3], [0.5, -0.3, 1.0]], dtype=torch.float64)
X0 = torch.tensor([1.0, -2.0, 0.7], dtype=torch.float64)


@free_of_scale
@settings(max_examples=15)
@given(exponents=powers)
def test_iterates_scale_with_the_coordinates(build, exponents):
    """f(x) = x^T A x / 2, F(y) = f(S^{-1} y), steps lr S: y_k = S x_k, bit for bit for powers of two."""
    S = powers_of_two(exponents)
    x = follow(build(0.05), lambda x: (QUADRATIC * x).sum(-1), X0)
    y = follow(build(0.05 * S), lambda y: (QUADRATIC * (y / S)).sum(-1) / S, S * X0)
    assert torch.equal(y, S * x)
    assert (x - X0).abs().amax(0).min() > 0.05


@pytest.mark.parametrize("build", SCALED.values(), ids=SCALED)
def test_other_methods_and_a_large_epsilon_see_the_scale(build):
    """Some step of each scaled coordinate changes by more than a tenth of the longest."""
    g, scale = gradients(15, 3, spread=1.0), torch.tensor([1.0, 4.0, 16.0], dtype=torch.float64)
    steps, scaled = (path(build(0.1), seen).diff(dim=0, prepend=torch.zeros(1, 3)) for seen in (g, scale * g))
    assert ((scaled - steps).abs().amax(0) > 0.1 * steps.abs().amax(0))[1:].all()


def rotated(build, Q, lr=0.1):
    """The greatest distance between the iterates on f(Q^T y) from Q x_0 and Q times those on f, relative to those."""
    x = follow(build(lr), lambda x: (QUADRATIC * x).sum(-1), X0)
    y = follow(build(lr), lambda y: Q @ (QUADRATIC @ (Q.T @ y)), Q @ X0)
    return float((y - x @ Q.T).abs().max() / x.abs().max())


def orthogonal(seed):
    return torch.linalg.qr(gradients(1, 3, 3, seed=seed)[0])[0]


@pytest.mark.parametrize("name", ROTATED)
def test_methods_without_axes_rotate(name):
    assert max(rotated(ROTATED[name], orthogonal(seed), SMALLER.get(name, 0.1)) for seed in range(5)) < 1e-10


DIAGONAL = FREE_OF_SCALE | {"adadelta": of_lr("adadelta")}


@pytest.mark.parametrize("build", DIAGONAL.values(), ids=DIAGONAL)
def test_diagonal_methods_depend_on_the_axes_and_not_on_their_order_or_sign(build):
    """A rotation by 45 degrees changes the run by more than 5 %; a permutation with signs by rounding only."""
    turn = torch.eye(3, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    assert rotated(build, turn) > 0.05
    swap = torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    assert rotated(build, swap) < 1e-12


@pytest.mark.parametrize(
    ("build", "above", "below"),
    [
        (lambda eps: Adam(0.1, eps=eps), 1.0, 1.0),
        (lambda eps: AdamW(0.1, eps=eps), 1.0, 1.0),
        (lambda eps: AMSGrad(0.1, eps=eps), 1.0, 1.0),
        (lambda eps: AMSGrad(0.1, eps=eps, maximum="corrected"), 1.0, 1.0),
        (lambda eps: AdaGrad(0.1, eps, eps_inside=False), 1.0, 1.0),
        (lambda eps: RMSProp(0.1, 0.75, eps, eps_inside=False), 1.0, 0.5),  # sqrt(1 - beta2)
        (lambda eps: Adam(0.1, 0.25, 0.75, eps, bias_correction=False), 0.75, 0.5),  # 1 - beta1, sqrt(1 - beta2)
    ],
)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), eps=st.sampled_from([0.0, 1e-3, 1.0]))
def test_the_first_step_is_the_sign_times_what_epsilon_leaves(build, above, below, seed, eps):
    """From x_0 = 0: -lr sign(g) above |g| / (below |g| + eps)."""
    g = gradients(1, 7, seed=seed, spread=5.0)[0]
    expected = -0.1 * g.sign() * above * g.abs() / (below * g.abs() + eps)
    torch.testing.assert_close(path(build(eps), g[None])[0], expected, rtol=1e-11, atol=0)


def projected(z, metric, low, high):
    """argmin (y - z)^T metric (y - z) over low <= y <= high, by an active-set method."""
    root = np.linalg.cholesky(metric).T
    return lsq_linear(root, root @ z, (low, high), method="bvls", tol=1e-14).x


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), bias_correction=st.booleans())
@threadpool_limits.wrap(limits=1)  # scipy's own threads wait for each other on a busy machine
def test_a_box_is_the_projection_in_the_metric_of_amsgrad(seed, bias_correction):
    """Algorithm 2 of the paper written out, with its projection in sqrt(u) by quadratic programming: every iterate."""
    g, low, high = gradients(12, 3, seed=seed), np.array([-0.2, -0.1, -5.0]), np.array([0.1, 0.3, 5.0])
    solver = Box(AMSGrad(0.1, 0.9, 0.99, 0.0, bias_correction), torch.from_numpy(low), torch.from_numpy(high))
    x, m, v, u, expected = np.zeros(3), 0.0, 0.0, 0.0, []
    for k, gk in enumerate(g.numpy(), start=1):
        m, v = 0.9 * m + 0.1 * gk, 0.99 * v + 0.01 * gk**2
        u = np.maximum(u, v)
        c1, c2 = (1 - 0.9**k, 1 - 0.99**k) if bias_correction else (1.0, 1.0)
        x = projected(x - 0.1 * (m / c1) / np.sqrt(u / c2), np.diag(np.sqrt(u)), low, high)
        expected.append(x)
    np.testing.assert_allclose(path(solver, g), expected, rtol=0, atol=1e-11)


@given(seed=st.integers(0, 10_000))
@threadpool_limits.wrap(limits=1)
def test_the_projection_in_a_diagonal_metric_is_the_clip(seed):
    """The iterate before the box, from the solver inside, and weights of any size."""
    g, x = gradients(2, 4, seed=seed, spread=2.0), gradients(1, 4, seed=seed + 1)[0].clamp(-1.0, 1.0)
    weights = np.diag(np.exp(4 * gradients(1, 4, seed=seed + 2, spread=0.0)[0].numpy()))
    for inner in (Adam(1.0), RMSProp(1.0), AdaGrad(1.0)):
        z = path(inner, g[:1], x)[0]
        boxed, _ = Box(inner, -1.0, 1.0).step(x, inner.init(x), Scripted(g))
        np.testing.assert_allclose(boxed, projected(z.numpy(), weights, -np.ones(4), np.ones(4)), rtol=0, atol=1e-10)


@threadpool_limits.wrap(limits=1)
def test_in_a_metric_that_is_not_diagonal_the_clip_is_another_point():
    z, metric = np.array([2.0, 0.0]), np.array([[1.0, 0.9], [0.9, 1.0]])
    y = projected(z, metric, -np.ones(2), np.ones(2))
    np.testing.assert_allclose(y, [1.0, 0.9], rtol=0, atol=1e-12)  # not the clip (1, 0)
    boxed, _ = Box(GradientDescent(1.0), -1.0, 1.0).step(torch.zeros(2), 0, Scripted([torch.tensor([-2.0, 0.0])]))
    assert boxed.tolist() == [1.0, 0.0]
