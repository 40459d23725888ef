"""Laws that every solver obeys, and what a step of each costs."""

from collections.abc import Iterable

import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm, FullAdaGrad
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.ascent import Ascent
from ratewitness.solvers.around.averaging import PolyakRuppert, RandomIterate
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.norms.lmo import FROBENIUS, L2, LINF, MAX_ABS
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import iterates, run
from ratewitness.solvers.svrg import SVRG

torch.set_num_threads(1)

N, D, STEPS = 5, 4, 12
QUERIES = {"grad", "full_grad", "component_grads", "value", "sample", "n"}


class Replay:
    """f_i(x) = (1/2) <lam, (x - c_i)^2> on points of shape (4,) or (2, 2), answering with draws given in advance.

    draws (T, *batch, 1) is used up one by one; None means exact gradients. Anything but the public queries is refused.
    """

    def __init__(self, shape, draws=None):
        generator = torch.Generator().manual_seed(1)
        centres = torch.randn(N, D, generator=generator, dtype=torch.float64).reshape(N, *shape)
        lam = torch.tensor([1.0, 0.5, 0.3, 0.1], dtype=torch.float64).reshape(shape)
        axes, position, last = tuple(range(-len(shape), 0)), -1, None

        def full_grad(x):
            return lam * (x - centres.mean(0))

        def grad(x, redraw=True):
            nonlocal position, last
            if draws is None:
                return full_grad(x)
            if redraw:
                position += 1
                last = draws[position]
            return lam * (x - centres[last[..., 0]])

        def component_grads(x):
            return lam * (x.unsqueeze(x.ndim - len(shape)) - centres)

        def value(x):
            return (lam * (x - centres.mean(0)) ** 2).sum(axes) / 2

        answers = {"grad": grad, "full_grad": full_grad, "component_grads": component_grads, "value": value, "n": N}
        object.__setattr__(self, "_answer", lambda name: last if name == "sample" else answers[name])

    def __getattribute__(self, name):
        assert name in QUERIES, f"a solver touched oracle.{name}"
        return object.__getattribute__(self, "_answer")(name)

    def __setattr__(self, name, value):
        raise AssertionError(f"a solver set oracle.{name}")


def solvers(ndim=1):
    """Every kind of solver, in the variants that differ in code."""
    steady, noisy = catalogue(1.0, 0.1, n=N, ndim=ndim), catalogue(1.0, 0.1, noisy=True, n=N, ndim=ndim)
    return (
        steady
        | {f"noisy {name}": solver for name, solver in noisy.items()}
        | {
            "suffix average": PolyakRuppert(HeavyBall(0.5), skip_start=5),
            "average from the start": PolyakRuppert(Nesterov(0.5), include_start=True),
            "random iterate": RandomIterate(GradientDescent(0.5), torch.tensor(7)),
            "armijo restarted": Armijo(8.0, c=0.3, shrink=0.7, ndim=ndim),
            "short memory": LBFGS(0.5, memory=2, damping=0.1, ndim=ndim),
            "short period": SVRG(0.3, period=3),
            "saga in pairs": SAGA(0.2, batch=2, ndim=ndim),
            "adam": Adam(0.3),
            "adamw": AdamW(0.3),
            "adagrad": AdaGrad(0.5),
            "adagrad by norm": AdaGradNorm(0.5, ndim=ndim),
            # the inverse root rounds by u kappa, and eps keeps kappa, the condition number of eps I + sum g g^T, below 1e4:
            # the first steps leave a null space, and with the default eps of 1e-10 two roundings of one run end 1e-8 apart
            "full adagrad": FullAdaGrad(0.5, eps=1e-1, ndim=ndim),
            "adadelta": AdaDelta(eps=1e-2),
            "rmsprop": RMSProp(0.3),
            "rmsprop, centered, with momentum": RMSProp(0.1, eps=1e-2, eps_inside=False, centered=True, momentum=0.5),
            "adam, uncorrected": Adam(0.3, bias_correction=False),
            "adamw of the paper": AdamWPaper(0.3, schedule=InversePower(1.0)),
            "amsgrad": AMSGrad(0.3),
            "amsgrad of the paper": AMSGrad(0.3, bias_correction=False),
            "amsgrad, corrected maximum": AMSGrad(0.3, maximum="corrected"),
            "sign descent": SignSGD(0.1),
            "signum": SignSGD(0.1, 0.5),
            "lion": Lion(0.1, weight_decay=0.1),
            "torch's adam": FromTorch(torch.optim.Adam, 0.3, ndim=ndim),
            "in a box": Box(Nesterov(0.5), -3.0, 3.0),
            "coupled decay": CoupledDecay(Adam(0.3), 0.1),
            "ascent": Ascent(GradientDescent(0.1)),
            "steepest descent": SteepestDescent(0.2, LINF if ndim == 1 else MAX_ABS),
            "lmo descent": LMODescent(0.1, L2 if ndim == 1 else FROBENIUS, momentum=0.5, nesterov=True),
            "lmo descent in a ball": LMODescent(0.1, LINF if ndim == 1 else MAX_ABS, radius=5.0),
        }
    )


NAMES = sorted(solvers())
SAMPLED = sorted(set(NAMES) - {"armijo", "armijo restarted"})
EXACT = sorted(name for name in NAMES if "saga" not in name)
CASES = [(name, True) for name in SAMPLED] + [(name, False) for name in EXACT]
every_case = pytest.mark.parametrize(("name", "sampled"), CASES)


def setting(batch, sampled):
    """A start (*batch, 4) and the draws of a run, or None."""
    generator = torch.Generator().manual_seed(2)
    x0 = 3 * torch.randn(*batch, D, generator=generator, dtype=torch.float64)
    draws = torch.randint(N, (3 * STEPS, *batch, 1), generator=generator)
    return x0, draws if sampled else None


def path(solver, oracle, x0, steps=STEPS):
    return torch.stack([x for _, x in zip(range(steps + 1), iterates(solver, oracle, x0), strict=False)])


@every_case
def test_a_batch_equals_its_singles(name, sampled):
    x0, draws = setting((3, 2), sampled)
    together = path(solvers()[name], Replay((D,), draws), x0)
    assert together.shape == (STEPS + 1, 3, 2, D)
    assert (together[-1] - x0).norm(dim=-1).amin() > 0.1  # every replicate has moved
    for i in range(3):
        for j in range(2):
            alone = path(solvers()[name], Replay((D,), None if draws is None else draws[:, i, j]), x0[i, j])
            torch.testing.assert_close(together[:, i, j], alone, rtol=1e-9, atol=1e-12)


@every_case
def test_a_matrix_moves_like_its_entries(name, sampled):
    x0, draws = setting((3,), sampled)
    flat = path(solvers()[name], Replay((D,), draws), x0)
    square = path(solvers(ndim=2)[name], Replay((2, 2), draws), x0.reshape(3, 2, 2))
    torch.testing.assert_close(square.reshape(flat.shape), flat, rtol=1e-9, atol=1e-12)


def tensors(state) -> list:
    """The tensors of a state, those of nested states included."""
    if isinstance(state, torch.Tensor):
        return [state]
    return [t for part in state for t in tensors(part)] if isinstance(state, Iterable) else []


@every_case
def test_a_step_is_pure(name, sampled):
    x, draws = setting((3,), sampled)
    solver, before = solvers()[name], Replay((D,), draws)
    state = solver.init(x)
    for _ in range(4):  # so that memories, tables and anchors are filled
        x, state = solver.step(x, state, before)
    held, parts = x.clone(), [t.clone() for t in tensors(state)]
    again = None if draws is None else draws[10:]
    first, second = (solver.step(x, state, Replay((D,), again)) for _ in range(2))
    assert torch.equal(x, held)
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), parts, strict=True))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(a, b) for a, b in zip(tensors(first[1]), tensors(second[1]), strict=True))
    assert not torch.equal(first[0], x)


@every_case
def test_a_run_does_not_change_its_start(name, sampled):
    x0, draws = setting((2,), sampled)
    held = x0.clone()
    path(solvers()[name], Replay((D,), draws), x0)
    assert torch.equal(x0, held)


@every_case
def test_the_precision_is_kept(name, sampled):
    x0, draws = setting((2,), sampled)
    solver = solvers()[name]
    x, state = x0, solver.init(x0)
    oracle = Replay((D,), draws)
    for _ in range(3):
        x, state = solver.step(x, state, oracle)
    assert x.dtype == torch.float64
    assert {t.dtype for t in tensors(state)} <= {torch.float64, torch.int64}


@every_case
def test_hyperparameters_print(name, sampled):
    assert repr(solvers()[name]).startswith(type(solvers()[name]).__name__ + "(")


@pytest.mark.parametrize("name", sorted(catalogue(1.0, 0.1)))
def test_a_sweep_over_constants_equals_single_runs(name):
    x0, _ = setting((2,), False)
    Ls = [1.0, 2.0, 5.0]
    L = torch.tensor(Ls, dtype=torch.float64)[:, None, None]
    together = path(catalogue(L, 0.1 * L)[name], Replay((D,)), x0.expand(3, 2, D))
    for i, value in enumerate(Ls):
        alone = path(catalogue(value, 0.1 * value)[name], Replay((D,)), x0)
        torch.testing.assert_close(together[:, i], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(catalogue(1.0, 0.1)) - {"averaged gradient descent", "nesterov, convex"}))
def test_exact_gradients_converge_linearly(name):
    problem = quadratic(torch.tensor([1.0, 0.5, 0.1]), torch.ones(3))
    trace = run(catalogue(1.0, 0.1)[name], Oracle.full(problem), problem.start, 150, problem.gap)
    assert trace.values[-1] < 1e-10 * trace.values[0]


@pytest.mark.parametrize("name", sorted(catalogue(1.0, 0.2, noisy=True)))
def test_noisy_steps_leave_no_plateau(name):
    """The mean gap falls like 1/k between 400 and 4000 steps, to within a factor 10 of sigma^2/(2 mu k)."""
    problem = perturbed(quadratic(torch.tensor([1.0, 0.2]), torch.ones(2)), 1.0, n=4)
    oracle = Oracle.minibatch(problem, 1, torch.Generator().manual_seed(3))
    solver = catalogue(1.0, 0.2, noisy=True)[name]
    trace = run(solver, oracle, problem.starts(300), 4000, problem.gap, at=[400, 4000])
    early, late = trace.values.mean(-1)
    assert late < early / 5
    assert late < 10 / (2 * 0.2 * 4000)


@pytest.mark.parametrize(
    ("solver", "gradients", "components"),
    [
        (GradientDescent(0.1), 1, 3),
        (PolyakRuppert(GradientDescent(0.1)), 1, 3),
        (RandomIterate(GradientDescent(0.1), torch.tensor(2)), 1, 3),
        (HeavyBall(0.1), 1, 3),
        (Nesterov(0.1), 1, 3),
        (LBFGS(0.1), 2, 6),
    ],
)
def test_cost_of_a_step_on_batches_of_three(solver, gradients, components):
    problem = perturbed(quadratic(torch.tensor([1.0, 0.5]), torch.ones(2)), 1.0, n=8)
    oracle = Oracle.minibatch(problem, 3, torch.Generator().manual_seed(0))
    trace = run(solver, oracle, problem.starts(10), 7, problem.gap, at=range(8))
    assert trace.calls == [gradients * k for k in range(8)]
    assert trace.component_gradients == [components * k for k in range(8)]
    assert oracle.values == 0


def test_a_full_step_costs_n():
    problem = perturbed(quadratic(torch.tensor([1.0, 0.5]), torch.ones(2)), 1.0, n=8)
    trace = run(GradientDescent(0.1), Oracle.full(problem), problem.start, 7, problem.gap, at=[7])
    assert trace.component_gradients == [8 * 7]


def test_cost_of_variance_reduction():
    problem = perturbed(quadratic(torch.tensor([1.0, 0.5]), torch.ones(2)), 1.0, n=8)
    oracle = Oracle.minibatch(problem, 3, torch.Generator().manual_seed(0))
    trace = run(SVRG(0.1, period=5), oracle, problem.starts(4), 12, problem.gap, at=range(13))
    # n at steps 1, 6, 11 and two minibatch gradients of 3 at every step
    assert trace.component_gradients == [8 * ((k + 4) // 5) + 2 * 3 * k for k in range(13)]
    for b in (1, 3):
        oracle = Oracle.minibatch(problem, 1, torch.Generator().manual_seed(0))
        trace = run(SAGA(0.1, batch=b), oracle, problem.starts(4), 12, problem.gap, at=range(13))
        assert trace.component_gradients == [0] + [8 + b * k for k in range(1, 13)]
