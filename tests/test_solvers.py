"""Laws that every solver obeys, and what a step of each costs."""

from functools import partial
from importlib import import_module
from textwrap import dedent

import pytest
import ratewitness.solvers
import torch
from catalogue import CATALOGUE, EXCEPTIONS, N, build, classes, missing, names
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.around.averaging import PolyakRuppert, RandomIterate
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.solver import run
from ratewitness.solvers.svrg import SVRG
from scripted import seeded, tensors, walk

D, STEPS = 4, 12
QUERIES = {"grad", "full_grad", "component_grads", "part_grads", "hessian_vector", "value", "sample", "n"}


class Replay:
    """f_i(x) = (1/2) <lam, (x - c_i)^2> on points of shape (4,) or (2, 2), answering with draws given in advance.

    draws (T, *batch, 1) is used up one by one; None means exact gradients. Anything but the public queries is refused.
    """

    def __init__(self, shape, draws=None):
        generator = seeded(1)
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

        def part_grads(x, part, redraw=True):  # single components; a draw is one already
            assert part == 1
            if draws is None:
                return component_grads(x[0]).movedim(-len(shape) - 1, 0) if len(x) == 1 else lam * (x - own(x))
            return grad(x[0], redraw).unsqueeze(0)

        def own(x):
            return centres.reshape(N, *[1] * (x.ndim - 1 - len(shape)), *shape)

        def hessian_vector(x, v, part=None):
            return lam * v

        def value(x):
            return (lam * (x - centres.mean(0)) ** 2).sum(axes) / 2

        answers = {"grad": grad, "full_grad": full_grad, "component_grads": component_grads, "value": value, "n": N}
        answers |= {"part_grads": part_grads, "hessian_vector": hessian_vector}
        object.__setattr__(self, "_answer", lambda name: last if name == "sample" else answers[name])

    def __getattribute__(self, name):
        assert name in QUERIES, f"a solver touched oracle.{name}"
        return object.__getattribute__(self, "_answer")(name)

    def __setattr__(self, name, value):
        raise AssertionError(f"a solver set oracle.{name}")


CASES = [(name, True) for name in sorted(names(sampled=True))] + [(name, False) for name in sorted(names(exact=True))]
every_case = pytest.mark.parametrize(("name", "sampled"), CASES)
of_vectors_and_matrices = pytest.mark.parametrize(("name", "sampled"), [c for c in CASES if c[0] in names(ndims=(1, 2))])


def points_of(name):
    """The shape of a point, and the solver for it: a vector, or a matrix where it must be one."""
    ndim = CATALOGUE[name].ndims[0]
    return ((D,), (2, 2))[ndim - 1], build(name, ndim)


def setting(batch, sampled, shape=(D,)):
    """A start (*batch, *shape) and the draws of a run, or None."""
    generator = seeded(2)
    x0 = 3 * torch.randn(*batch, D, generator=generator, dtype=torch.float64)
    draws = torch.randint(N, (3 * STEPS, *batch, 1), generator=generator)
    return x0.reshape(*batch, *shape), draws if sampled else None


path = partial(walk, steps=STEPS)


def test_every_solver_is_in_the_catalogue():
    assert missing(ratewitness.solvers) == set()
    assert EXCEPTIONS.keys() <= classes(ratewitness.solvers).keys()
    assert all(EXCEPTIONS.values())


def test_a_solver_that_is_not_in_the_catalogue_is_found_wherever_it_lies(tmp_path, monkeypatch):
    """A method of its own, one derived from another, in a folder; what only looks like a solver is none."""
    written = {
        "__init__.py": "",
        "method.py": """
            from dataclasses import dataclass
            from ratewitness.solvers.adam import Adam

            @dataclass(frozen=True)
            class Planted:
                def init(self, x): ...
                def step(self, x, state, oracle): ...

            @dataclass(frozen=True)
            class _Private(Planted): ...

            @dataclass(frozen=True)
            class NoStep:
                def init(self, x): ...

            class NoDataclass:
                def init(self, x): ...
                def step(self, x, state, oracle): ...
            """,
        "folder/__init__.py": "",
        "folder/derived.py": """
            from dataclasses import dataclass
            from planted_solvers.method import Planted

            @dataclass(frozen=True)
            class Derived(Planted): ...
            """,
    }
    (tmp_path / "planted_solvers" / "folder").mkdir(parents=True)
    for file, text in written.items():
        (tmp_path / "planted_solvers" / file).write_text(dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    assert missing(import_module("planted_solvers")) == {
        "planted_solvers.method.Planted",
        "planted_solvers.folder.derived.Derived",
    }


@every_case
def test_a_batch_equals_its_singles(name, sampled):
    shape, solver = points_of(name)
    x0, draws = setting((3, 2), sampled, shape)
    together = path(solver, Replay(shape, draws), x0)
    assert together.shape == (STEPS + 1, 3, 2, *shape)
    assert (together[-1] - x0).flatten(2).norm(dim=-1).amin() > 0.1  # every replicate has moved
    for i in range(3):
        for j in range(2):
            alone = path(solver, Replay(shape, None if draws is None else draws[:, i, j]), x0[i, j])
            torch.testing.assert_close(together[:, i, j], alone, rtol=1e-9, atol=1e-12)


@of_vectors_and_matrices
def test_a_matrix_moves_like_its_entries(name, sampled):
    x0, draws = setting((3,), sampled)
    flat = path(build(name), Replay((D,), draws), x0)
    square = path(build(name, 2), Replay((2, 2), draws), x0.reshape(3, 2, 2))
    torch.testing.assert_close(square.reshape(flat.shape), flat, rtol=1e-9, atol=1e-12)


@every_case
def test_the_catalogue_says_what_each_asks_for_and_where(name, sampled):
    shape, solver = points_of(name)
    x, draws = setting((2,), sampled, shape)
    oracle, asked, elsewhere = Replay(shape, draws), set(), False

    class Watched:
        def __getattr__(self, query):
            asked.add(query)
            return getattr(oracle, query) if query != "grad" else grad

    def grad(at, redraw=True):
        nonlocal elsewhere
        elsewhere |= not torch.equal(at, x)
        return oracle.grad(at, redraw)

    state = solver.init(x)
    for _ in range(STEPS):
        new, state = solver.step(x, state, Watched())
        x = new
    assert asked == CATALOGUE[name].asks
    assert elsewhere == CATALOGUE[name].elsewhere


@every_case
def test_a_step_is_pure(name, sampled):
    shape, solver = points_of(name)
    x, draws = setting((3,), sampled, shape)
    before = Replay(shape, draws)
    state = solver.init(x)
    for _ in range(4):  # so that memories, tables and anchors are filled
        x, state = solver.step(x, state, before)
    held, parts = x.clone(), [t.clone() for t in tensors(state)]
    again = None if draws is None else draws[10:]
    first, second = (solver.step(x, state, Replay(shape, again)) for _ in range(2))
    assert torch.equal(x, held)
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), parts, strict=True))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(a, b) for a, b in zip(tensors(first[1]), tensors(second[1]), strict=True))
    assert not torch.equal(first[0], x)


@every_case
def test_a_run_does_not_change_its_start(name, sampled):
    shape, solver = points_of(name)
    x0, draws = setting((2,), sampled, shape)
    held = x0.clone()
    path(solver, Replay(shape, draws), x0)
    assert torch.equal(x0, held)


@every_case
def test_the_precision_is_kept(name, sampled):
    shape, solver = points_of(name)
    x, draws = setting((2,), sampled, shape)
    state, oracle = solver.init(x), Replay(shape, draws)
    for _ in range(3):
        x, state = solver.step(x, state, oracle)
    assert x.dtype == torch.float64
    assert {t.dtype for t in tensors(state)} <= {torch.float64, torch.int64}


@every_case
def test_hyperparameters_print(name, sampled):
    _, solver = points_of(name)
    assert repr(solver).startswith(type(solver).__name__ + "(")


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
    oracle = Oracle.minibatch(problem, 1, seeded(3))
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
    oracle = Oracle.minibatch(problem, 3, seeded(0))
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
    oracle = Oracle.minibatch(problem, 3, seeded(0))
    trace = run(SVRG(0.1, period=5), oracle, problem.starts(4), 12, problem.gap, at=range(13))
    # n at steps 1, 6, 11 and two minibatch gradients of 3 at every step
    assert trace.component_gradients == [8 * ((k + 4) // 5) + 2 * 3 * k for k in range(13)]
    for b in (1, 3):
        oracle = Oracle.minibatch(problem, 1, seeded(0))
        trace = run(SAGA(0.1, batch=b), oracle, problem.starts(4), 12, problem.gap, at=range(13))
        assert trace.component_gradients == [0] + [8 + b * k for k in range(1, 13)]
