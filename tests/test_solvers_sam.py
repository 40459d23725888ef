"""SAM against a plain loop over replicates and parts with torch's autograd, and what it does at its edges."""

import math

import pytest
import torch
from ratewitness.problems.networks.mlp import MLP, cross_entropy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.solvers.svrg import SVRG
from scripted import normal, seeded, walk
from torch import nn

NETWORK = MLP((6, 5, 3), "tanh")
INPUTS, LABELS = normal(24, 6), torch.randint(3, (24,), generator=seeded(1))
PROBLEM = on_rows(NETWORK, INPUTS, LABELS, seeded(2))
X0 = NETWORK.initial(seeded(3), 3, dtype=torch.float64) + 0.1 * normal(3, NETWORK.layout.size, seed=4)
VALLEY = quadratic(torch.tensor([3.0, 1.0, 0.25]), torch.ones(3))


def plain_gradient(w, rows, rho, p=2.0, normalized=True, adaptive=False, second_order=False):
    """The gradient of SAM on these rows, by autograd through eps or past it."""
    w = w.detach().requires_grad_()

    def loss(w):
        return cross_entropy(NETWORK.outputs(w, INPUTS[rows]), LABELS[rows])

    (g,) = torch.autograd.grad(loss(w), w, create_graph=True)
    D = w.abs() if adaptive else torch.ones_like(w)
    z = D * g
    if not normalized:
        u = z
    elif p == 1:
        u = torch.where(torch.arange(len(z)) == z.abs().argmax(), z.sign(), 0.0)
    elif p == math.inf:
        u = z.sign()
    else:
        q = p / (p - 1)
        u = z.sign() * z.abs() ** (q - 1) / (z.abs() ** q).sum() ** (1 / p)
    eps = rho * D * u
    return torch.autograd.grad(loss(w + (eps if second_order else eps.detach())), w)[0]


FORMS = {
    "l2": {},
    "l1.5": {"p": 1.5},
    "l4": {"p": 4.0},
    "l1": {"p": 1},
    "linf": {"p": math.inf},
    "unnormalized": {"normalized": False},
    "adaptive": {"adaptive": True},
    "adaptive l3": {"adaptive": True, "p": 3.0},
    "adaptive unnormalized": {"adaptive": True, "normalized": False},
}


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("part", [None, 1, 4, 8])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_the_plain_loop_around_the_sgd_of_torch(form, part, second_order):
    """Three steps with momentum on minibatches of 8; the parts of a batch are runs of its rows."""
    drawn = Oracle.minibatch(PROBLEM, 8, seeded(5))
    own = walk(SAM(HeavyBall(0.2, 0.9), 0.1, **form, second_order=second_order, part=part), drawn, X0, 3)
    samples = Oracle.minibatch(PROBLEM, 8, seeded(5))
    weights = [nn.Parameter(x.clone()) for x in X0]
    optimizer = torch.optim.SGD(weights, lr=0.2, momentum=0.9)
    for k in range(3):
        samples.grad(X0)
        for w, rows in zip(weights, samples.sample, strict=True):
            parts = rows.split(part or 8)
            w.grad = sum(plain_gradient(w, of, 0.1, **form, second_order=second_order) for of in parts) / len(parts)
        optimizer.step()
        torch.testing.assert_close(own[k + 1], torch.stack([w.detach() for w in weights]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("second_order", [False, True])
def test_parts_of_the_full_sum_are_its_rows_in_order(second_order):
    solver = SAM(GradientDescent(1.0), 0.3, second_order=second_order, part=6)
    found = X0 - solver.step(X0, 0, Oracle.full(PROBLEM))[0]
    for x, g in zip(X0, found, strict=True):
        parts = [plain_gradient(x, torch.arange(6 * i, 6 * i + 6), 0.3, second_order=second_order) for i in range(4)]
        torch.testing.assert_close(g, sum(parts) / 4, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("form", [*FORMS.values(), {"second_order": True}, {"second_order": True, "p": 4.0}])
def test_a_zero_gradient_gives_a_zero_perturbation_in_its_replicate_alone(form):
    x = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0]], dtype=torch.float64)
    solver = SAM(GradientDescent(0.1), 0.5, **form)
    moved, _ = solver.step(x, 0, Oracle.full(VALLEY))
    assert torch.equal(moved[0], x[0])
    torch.testing.assert_close(moved[1], solver.step(x[1], 0, Oracle.full(VALLEY))[0], rtol=1e-12, atol=0)
    assert moved.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_replicate_that_diverged_leaves_the_others_alone(bad):
    x = torch.tensor([[bad, 1.0, 1.0], [1.0, -2.0, 3.0]], dtype=torch.float64)
    for form in ({}, {"second_order": True}, {"p": 1.5, "second_order": True}):
        solver = SAM(GradientDescent(0.1), 0.5, **form)
        moved, _ = solver.step(x, 0, Oracle.full(VALLEY))
        assert not moved[0].isfinite().all()
        torch.testing.assert_close(moved[1], solver.step(x[1], 0, Oracle.full(VALLEY))[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", [{}, {"p": 3.0}, {"normalized": False}, {"second_order": True}, {"adaptive": True}])
def test_a_sweep_of_radii_is_its_single_runs(form):
    radii = torch.tensor([0.0, 0.05, 0.5], dtype=torch.float64)
    together = walk(SAM(Adam(0.1), radii.reshape(3, 1, 1), **form), Oracle.full(PROBLEM), X0.expand(3, *X0.shape), 4)
    for i, rho in enumerate(radii):
        alone = walk(SAM(Adam(0.1), float(rho), **form), Oracle.full(PROBLEM), X0, 4)
        torch.testing.assert_close(together[:, i], alone, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(together[:, 0], walk(Adam(0.1), Oracle.full(PROBLEM), X0, 4), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("form", [{}, {"p": 3.0}, {"normalized": False}, {"second_order": True}, {"adaptive": True}])
def test_radius_zero_is_the_inner_solver_bit_for_bit(form):
    x0 = normal(2, 5, 3)
    inner = walk(HeavyBall(0.1, 0.5), Oracle.full(VALLEY), x0, 9)
    assert torch.equal(walk(SAM(HeavyBall(0.1, 0.5), 0.0, **form), Oracle.full(VALLEY), x0, 9), inner)
    radii = torch.tensor([0.0, 0.5], dtype=torch.float64).reshape(2, 1, 1)
    swept = walk(SAM(HeavyBall(0.1, 0.5), radii, **form), Oracle.full(VALLEY), x0, 9)
    assert torch.equal(swept[:, 0], inner[:, 0])
    assert not torch.allclose(swept[:, 1], inner[:, 1])


def test_the_precision_is_kept():
    single = on_rows(NETWORK, INPUTS.float(), LABELS, seeded(2))
    for form in ({}, {"p": 3.0, "second_order": True, "part": 2}):
        solver = SAM(HeavyBall(0.1, 0.5), 0.1, **form)
        found = walk(solver, Oracle.minibatch(single, 4, seeded()), X0.float(), 3)
        assert found.dtype == torch.float32
        exact = walk(solver, Oracle.minibatch(PROBLEM, 4, seeded()), X0, 3)
        torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("form", "calls", "components"),
    [({}, 2, 16), ({"part": 4}, 2, 16), ({"second_order": True}, 4, 32), ({"second_order": True, "part": 2}, 4, 32)],
)
def test_what_a_step_costs(form, calls, components):
    trace = run(SAM(GradientDescent(0.1), 0.1, **form), Oracle.minibatch(PROBLEM, 8, seeded()), X0, 5, PROBLEM.gap)
    assert trace.calls[-1] == 5 * calls
    assert trace.component_gradients[-1] == 5 * components


def test_both_gradients_of_variance_reduction_are_perturbed():
    """One component: SVRG then is gradient descent, whatever its anchor."""
    x0 = torch.ones(3, dtype=torch.float64)
    own = walk(SAM(SVRG(0.1, period=3), 0.2), Oracle.full(VALLEY), x0, 8)
    torch.testing.assert_close(own, walk(SAM(GradientDescent(0.1), 0.2), Oracle.full(VALLEY), x0, 8))


def test_the_sample_is_one():
    """g(x + eps) - g(x) on a quadratic with noise in the gradient alone is H eps, without the noise."""
    problem = perturbed(VALLEY, 5.0, n=8)
    oracle, x = Oracle.minibatch(problem, 2, seeded(6)), torch.ones(3, dtype=torch.float64)
    seen = x - SAM(GradientDescent(1.0), 0.1).step(x, 0, oracle)[0]
    g = oracle.grad(x, redraw=False)
    lam = torch.tensor([3.0, 1.0, 0.25], dtype=torch.float64)
    torch.testing.assert_close(seen, g + 0.1 * lam * g / g.norm(), rtol=1e-12, atol=1e-14)


def test_decay_of_the_inner_solver_is_at_the_iterate():
    x = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    plain = SAM(GradientDescent(0.1), 0.5).step(x, 0, Oracle.full(VALLEY))[0]
    decayed = SAM(CoupledDecay(GradientDescent(0.1), 2.0), 0.5).step(x, 0, Oracle.full(VALLEY))[0]
    torch.testing.assert_close(decayed, plain - 0.2 * x, rtol=1e-12, atol=1e-14)


def test_an_optimizer_of_torch_inside():
    inside = FromTorch(torch.optim.SGD, 0.2, {"momentum": 0.9})
    found, own = (walk(SAM(inner, 0.1), Oracle.full(PROBLEM), X0, 5) for inner in (inside, HeavyBall(0.2, 0.9)))
    torch.testing.assert_close(found, own, rtol=1e-10, atol=1e-12)


def test_inside_torch_every_parameter_has_a_radius_of_its_own():
    """One perturbed gradient for all: each at its parameter plus rho times its own direction."""
    weights = [nn.Parameter(normal(2, 3, seed=7)), nn.Parameter(normal(3, seed=8))]
    before = [w.detach().clone() for w in weights]

    def loss():
        for w in weights:
            w.grad = None
        value = (weights[0] @ weights[1]).sin().sum()
        value.backward()
        return value

    loss()
    ahead = [nn.Parameter(w + 0.1 * w.grad / w.grad.norm()) for w in weights]
    (ahead[0] @ ahead[1]).sin().sum().backward()
    ToTorch(weights, SAM(GradientDescent(0.5), 0.1)).step(loss)
    for w, old, there in zip(weights, before, ahead, strict=True):
        torch.testing.assert_close(w.detach(), old - 0.5 * there.grad, rtol=1e-12, atol=1e-14)
