"""Adaptive methods against torch.optim, scipy, exact fractions and each other."""

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scripted
import torch
from catalogue import build, names
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adagrad import AdaGrad, FullAdaGrad
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.ascent import Ascent
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.distance_over_gradients import DoG
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.norms.shampoo import Shampoo
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import run
from ratewitness.solvers.svrg import SVRG
from scipy.linalg import fractional_matrix_power
from scripted import Scripted, path, tensors, torch_path
from threadpoolctl import threadpool_limits

gradients = partial(scripted.gradients, spread=3.0)


random_trajectories = given(
    seed=st.integers(0, 10_000),
    lr=st.floats(1e-4, 1.0),
    beta1=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    beta2=st.sampled_from([0.0, 0.9, 0.999]),
    eps=st.sampled_from([1e-12, 1e-8, 1e-3, 1.0]),
)


@random_trajectories
def test_adam_is_that_of_torch(seed, lr, beta1, beta2, eps):
    g, x0 = gradients(20, 4, 3, seed=seed), gradients(1, 4, 3, seed=seed + 1)[0]
    expected = torch_path(torch.optim.Adam, g, x0, lr=lr, betas=(beta1, beta2), eps=eps)
    ours = path(Adam(lr, beta1, beta2, eps), g, x0)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-13 * float(expected.abs().max()))


@random_trajectories
@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.7])
def test_adamw_is_that_of_torch(weight_decay, seed, lr, beta1, beta2, eps):
    """With a step that changes: the decay is multiplied by the step of the same iteration."""
    g, x0 = gradients(20, 4, 3, seed=seed), gradients(1, 4, 3, seed=seed + 1)[0]

    def schedule(k):
        return lr / (k + 1)

    settings = {"betas": (beta1, beta2), "eps": eps, "weight_decay": weight_decay}
    expected = torch_path(torch.optim.AdamW, g, x0, schedule, lr=lr, **settings)
    ours = path(AdamW(schedule, beta1, beta2, eps, weight_decay), g, x0)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-13 * float(expected.abs().max()))


def test_the_defaults_are_those_of_torch():
    g, x0 = gradients(10, 5), torch.ones(5, dtype=torch.float64)
    for ours, theirs in ((Adam(1e-3), torch.optim.Adam), (AdamW(1e-3), torch.optim.AdamW)):
        torch.testing.assert_close(path(ours, g, x0), torch_path(theirs, g, x0, lr=1e-3), rtol=1e-14, atol=1e-15)


def test_without_decay_adamw_is_adam_and_with_it_not_adam_on_the_penalized_gradient():
    g, x0 = gradients(10, 5), torch.ones(5, dtype=torch.float64)
    assert torch.equal(path(AdamW(0.1, weight_decay=0.0), g, x0), path(Adam(0.1), g, x0))
    coupled = torch_path(torch.optim.Adam, g, x0, lr=0.1, weight_decay=0.5)
    assert (path(AdamW(0.1, weight_decay=0.5), g, x0) - coupled).abs().max() > 0.01


@given(seed=st.integers(0, 1000), beta1=st.floats(0.0, 0.99), beta2=st.floats(0.0, 0.9999))
def test_the_first_step_of_adam_is_the_sign(seed, beta1, beta2):
    g = gradients(1, 7, seed=seed, spread=20.0)
    step = path(Adam(0.1, beta1, beta2, eps=0.0), g)[0]
    torch.testing.assert_close(step, -0.1 * g[0].sign(), rtol=1e-11, atol=0)


def test_without_averages_adam_is_sign_descent():
    g = gradients(10, 7, spread=20.0)
    expected = -0.1 * g.sign().cumsum(0)
    torch.testing.assert_close(path(Adam(0.1, 0.0, 0.0, eps=0.0), g), expected, rtol=0, atol=1e-13)


def test_full_adagrad_stays_where_the_gradient_is_zero():
    assert not path(FullAdaGrad(0.1, eps=0.0), torch.zeros(5, 3, dtype=torch.float64)).any()


DIVIDING = [
    build(name, 2, lr=0.1, eps=0.0)
    for name in names(adaptive=True, pseudo_inverse=False, ndim=2)
    if name != "adadelta" and hasattr(build(name, 2), "eps")  # AdaDelta has none without an eps
]


@pytest.mark.parametrize("solver", [*DIVIDING, AdaGrad(0.1, eps=torch.tensor([0.0, 1.0]))], ids=repr)
def test_zero_over_zero_is_refused_and_a_positive_epsilon_taken(solver):
    g = torch.zeros(5, 3, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"eps is 0 where the gradients so far are 0.*accepted are eps > 0"):
        path(solver, g)
    assert not path(replace(solver, eps=1e-8), g).any()
    assert path(solver, gradients(5, 3, 2)).isfinite().all()
    tiny = torch.full((2, 3, 2), 1e-170, dtype=torch.float64)  # squares underflow; the first one SOAP does not divide by
    with pytest.raises(ValueError, match="do not underflow in float64"):
        path(solver, tiny)


def test_diagonal_adagrad_in_exact_fractions():
    """Sums that are squares of fractions (3^2, 3^2 + 4^2, 5^2 + 12^2), so that every step is exact."""
    g = [Fraction(3), Fraction(-4), Fraction(12)]
    x, total, expected = Fraction(1), Fraction(0), []
    for gk, root in zip(g, (3, 5, 13), strict=True):
        total += gk**2
        assert total == root**2
        x -= Fraction(1, 8) * gk / root
        expected.append(float(x))
    seen = path(
        AdaGrad(0.125, 0.0), torch.tensor([[float(v)] for v in g], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    )
    np.testing.assert_allclose(seen[:, 0], expected, rtol=1e-15)


@given(seed=st.integers(0, 1000), lr=st.floats(1e-3, 1.0))
def test_diagonal_adagrad_is_that_of_torch_where_epsilon_is_zero(seed, lr):
    """torch adds eps outside the root: equal for eps = 0 only (no gradient is 0 here, torch would give NaN)."""
    g, x0 = gradients(20, 4, 3, seed=seed), gradients(1, 4, 3, seed=seed + 1)[0]
    expected = torch_path(torch.optim.Adagrad, g, x0, lr=lr, eps=0.0)
    torch.testing.assert_close(path(AdaGrad(lr, 0.0), g, x0), expected, rtol=0, atol=1e-13 * float(expected.abs().max()))


@given(seed=st.integers(0, 1000), eps=st.floats(1e-6, 10.0))
def test_epsilon_inside_the_root_is_an_initial_accumulator_of_torch(seed, eps):
    """torch with initial_accumulator_value = eps and its own eps 0: sqrt(eps + sum g^2)."""
    g, x0 = gradients(20, 4, seed=seed), torch.zeros(4, dtype=torch.float64)
    expected = torch_path(torch.optim.Adagrad, g, x0, lr=0.3, eps=0.0, initial_accumulator_value=eps)
    torch.testing.assert_close(path(AdaGrad(0.3, eps), g), expected, rtol=0, atol=1e-13 * float(expected.abs().max()))


@pytest.mark.parametrize("shape", [(5,), (3, 2)])
@threadpool_limits.wrap(limits=1)  # scipy's own threads wait for each other on a busy machine
def test_full_adagrad_follows_the_formula(shape):
    """vec row by row, (eps I + sum g g^T)^{-1/2} from scipy."""
    g, eps = gradients(8, *shape, spread=1.0), 0.3
    flat = g.reshape(8, -1).numpy()
    x, G, expected = np.zeros(flat.shape[1]), np.zeros((flat.shape[1],) * 2), []
    for gk in flat:
        G += np.outer(gk, gk)
        x = x - 0.2 * fractional_matrix_power(eps * np.eye(len(gk)) + G, -1 / 2) @ gk
        expected.append(x)
    seen = path(FullAdaGrad(0.2, eps, ndim=len(shape)), g)
    np.testing.assert_allclose(seen.reshape(8, -1), np.stack(expected), rtol=0, atol=1e-12)


def test_full_adagrad_on_one_coordinate_at_a_time_is_the_diagonal_one():
    """Gradients along the axes leave no off-diagonal sums; others do."""
    g = gradients(12, 3, spread=1.0)
    sparse = g * torch.eye(3, dtype=torch.float64)[torch.arange(12) % 3]
    for eps in (1e-6, 0.3):
        torch.testing.assert_close(
            path(FullAdaGrad(0.1, eps), sparse), path(AdaGrad(0.1, eps), sparse), rtol=1e-12, atol=1e-14
        )
    assert (path(FullAdaGrad(0.1, 0.3), g) - path(AdaGrad(0.1, 0.3), g)).abs().max() > 0.01


def test_full_adagrad_is_independent_of_the_basis_and_its_first_step_is_normalized():
    g, Q = gradients(6, 4, spread=1.0), torch.linalg.qr(gradients(1, 4, 4)[0])[0]
    torch.testing.assert_close(path(FullAdaGrad(0.1, 0.2), g @ Q), path(FullAdaGrad(0.1, 0.2), g) @ Q, rtol=0, atol=1e-12)
    torch.testing.assert_close(path(FullAdaGrad(0.1, 0.0), g[:1])[0], -0.1 * g[0] / g[0].norm(), rtol=1e-12, atol=0)


def test_on_diagonal_matrices_shampoo_is_diagonal_adagrad():
    """L = R = eps I + sum of squares, and the two fourth roots make one square root."""
    diagonal = gradients(8, 4, spread=1.0)
    seen = path(Shampoo(0.1, 0.2), torch.diag_embed(diagonal))
    torch.testing.assert_close(seen, torch.diag_embed(path(AdaGrad(0.1, 0.2), diagonal)), rtol=0, atol=1e-13)


def swept(name, ndim, lr, eps, beta, decay):
    """Numbers or tensors for every hyperparameter that the solver has."""
    own = {"momentum": decay, "beta2": beta} if "rmsprop" in name else {"beta2": 1 - (1 - beta) / 10}
    own |= {"beta2": beta / 2} if name == "amsgrad of the paper" else {}
    own |= {"schedule": lr} if name == "adamw of the paper" else {}
    own |= {"rho": beta, "beta": beta, "low": -5 * lr, "high": 3 * lr}
    return build(name, ndim, **{"lr": lr, "eps": eps, "beta1": beta, "weight_decay": decay} | own)


@pytest.mark.parametrize(("name", "ndim"), [*((name, 2) for name in names(adaptive=True, ndim=2)), ("full adagrad", 1)])
def test_a_sweep_equals_single_runs(name, ndim):
    """Matrices of shape (2, 3) under two leading axes; every hyperparameter differs along the first."""
    g, x0 = gradients(6, 3, 4, 2, 3, spread=1.0), gradients(1, 3, 4, 2, 3)[0]
    values = torch.tensor([(0.1, 1e-3, 0.5, 0.1), (0.2, 0.1, 0.8, 0.0), (0.3, 1.0, 0.95, 0.5)], dtype=torch.float64)
    together = path(swept(name, ndim, *values.T[..., None, None, None]), g, x0)
    for i, single in enumerate(values.tolist()):
        for j in range(4):
            alone = path(swept(name, ndim, *single), g[:, i, j], x0[i, j])
            torch.testing.assert_close(together[:, i, j], alone, rtol=1e-12, atol=1e-12)


EVERY = {name: build(name, lr=0.1, low=-1.0, high=1.0) for name in names(adaptive=True, ndim=1)}
every = pytest.mark.parametrize("solver", EVERY.values(), ids=EVERY)


@every
def test_a_step_is_pure_and_keeps_the_precision(solver):
    x, g = torch.ones(2, 4, 3), gradients(3, 2, 4, 3).float()
    state = solver.init(x)
    for G in g:
        held = [t.clone() for t in (x, *tensors(state))]
        new, after = solver.step(x, state, Scripted([G]))
        again, _ = solver.step(x, state, Scripted([G]))
        assert torch.equal(new, again)
        assert all(torch.equal(a, b) for a, b in zip((x, *tensors(state)), held, strict=True))
        x, state = new, after
    assert {t.dtype for t in (x, *tensors(state))} == {torch.float32}
    assert state.k == 3


@every
def test_a_diverged_replicate_is_nan_alone(solver):
    g = gradients(2, 3, 4)
    g[0, 1] = math.nan
    seen = path(solver, g)
    assert seen[:, 1].isnan().all()
    # of a batch of another size, in which torch may add and fuse in other places; u kappa is 4e-12 for the inverse root of
    # full AdaGrad, with gradients of length up to 40 and eps 0.1
    torch.testing.assert_close(seen[:, [0, 2]], path(solver, g[:, [0, 2]]), rtol=1e-10, atol=1e-11)


def test_a_beta_close_to_one_is_below_one():
    Adam(0.1, beta2=1 - 1e-12)
    with pytest.raises(ValueError, match=r"beta2 is 1\.0"):
        Adam(0.1, beta2=1 - 1e-17)


def test_a_box_takes_numbers_and_tensors():
    g = gradients(9, 4, 2, spread=1.0)
    low, high = torch.full((4, 1), -0.2, dtype=torch.float64), torch.tensor([0.1, 0.3], dtype=torch.float64)
    seen = path(Box(Adam(0.1), low, high), g)
    assert (seen.amin((0, 1)) == -0.2).all()
    assert torch.equal(seen.amax((0, 1)), high)
    assert torch.equal(path(Box(Adam(0.1), -0.2, high), g), seen)
    alone = path(Box(Adam(0.1), -0.2, 0.1), g[..., :1])
    torch.testing.assert_close(alone, seen[..., :1], rtol=0, atol=1e-14)  # of another length: torch may fuse elsewhere


def test_ascent_climbs_and_decay_shrinks():
    g, x0 = gradients(20, 3, spread=1.0), gradients(1, 3, seed=1)[0]
    for inner in (GradientDescent(0.1), Nesterov(0.1, 0.5), AdaGrad(0.1)):
        torch.testing.assert_close(path(Ascent(inner), g, x0), path(inner, -g, x0), rtol=1e-13, atol=1e-14)
    shrunk = path(CoupledDecay(GradientDescent(0.1), 0.5), torch.zeros_like(g), x0)
    torch.testing.assert_close(shrunk[-1], 0.95**20 * x0, rtol=1e-12, atol=0)


def test_a_wrapper_repeats_samples_and_passes_the_exact_gradient():
    """SVRG asks for the same sample at two points, and for the exact gradient at its anchor."""
    problem = perturbed(quadratic(torch.tensor([1.0, 0.5]), torch.ones(2)), 1.0, n=8)

    def last(solver):
        oracle = Oracle.minibatch(problem, 1, torch.Generator().manual_seed(0))
        return run(solver, oracle, problem.starts(5), 12, problem.gap, at=[12]).x

    torch.testing.assert_close(last(CoupledDecay(SVRG(0.1, 4), 0.0)), last(SVRG(0.1, 4)), rtol=0, atol=0)
    assert (last(CoupledDecay(SVRG(0.1, 4), 0.5)) - last(SVRG(0.1, 4))).abs().min() > 1e-3


@given(seed=st.integers(0, 1000), beta1=st.floats(0.0, 0.99), beta2=st.floats(0.5, 0.9999))
def test_the_denominator_of_amsgrad_never_decreases(seed, beta1, beta2):
    """Without bias correction |x_{k+1} - x_k| sqrt(u_k) = lr |m_k|, with u_k the running maximum of v_k."""
    g = gradients(30, 2, seed=seed)
    m, v = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    u, x, expected = v, v, []
    for G in g:
        m, v = beta1 * m + (1 - beta1) * G, beta2 * v + (1 - beta2) * G**2
        u = torch.where(v > u, v, u)
        x = x - 0.1 * m / u.sqrt()
        expected.append(x)
    seen = path(AMSGrad(0.1, beta1, beta2, eps=0.0, bias_correction=False), g)
    torch.testing.assert_close(seen, torch.stack(expected), rtol=0, atol=1e-12 * float(seen.abs().max()))


def test_the_corrected_maximum_remembers_a_large_first_gradient():
    """The first corrected average is g_0^2 whole; the raw one has (1 - beta2) g_0^2, and 1 - beta2^k forgets the factor."""
    g = torch.ones(2000, 1, dtype=torch.float64)
    g[0] = 100.0
    raw, corrected = (path(AMSGrad(0.1, 0.0, 0.99, maximum=name), g).diff(dim=0)[-1].abs() for name in ("raw", "corrected"))
    torch.testing.assert_close(raw / corrected, torch.full_like(raw, 10.0), rtol=1e-6, atol=0)


def test_rmsprop_forgets_and_starts_with_long_steps():
    """Constant gradients: the step is lr / sqrt(1 - beta2^k), whatever their size."""
    g = torch.full((50, 1), -37.0, dtype=torch.float64)
    steps = path(RMSProp(0.1, 0.9, eps=0.0), g, torch.zeros(1, dtype=torch.float64))[:, 0]
    k = np.arange(1, 51)
    np.testing.assert_allclose(steps, np.cumsum(0.1 / np.sqrt(1 - 0.9**k)), rtol=1e-12)


def test_centered_rmsprop_survives_a_constant_gradient():
    """Where the variance vanishes the difference of the averages may round below 0; torch's is NaN there."""
    g = torch.full((3000, 2), 0.1, dtype=torch.float64)
    assert path(RMSProp(1e-4, 0.9, centered=True), g).isfinite().all()


def test_lion_with_equal_averages_is_signum():
    g = gradients(20, 5)
    torch.testing.assert_close(path(Lion(0.1, 0.7, 0.7), g), path(SignSGD(0.1, 0.7), g), rtol=0, atol=1e-14)


@pytest.mark.parametrize("eps", [1e-300, 1e-6, 1.0])
def test_no_step_of_adagrad_is_longer_than_lr(eps):
    """In a coordinate, for gradients of sizes from 1e-12 to 1e6; RMSProp's first step is 1/sqrt(1 - beta2) times lr."""
    sizes = torch.logspace(-12, 6, 60, dtype=torch.float64)[torch.randperm(60, generator=torch.Generator().manual_seed(1))]
    g = sizes[:, None] * scripted.gradients(60, 5).to(torch.float64)
    moves = path(AdaGrad(0.3, eps), g).diff(dim=0, prepend=torch.zeros(1, 5, dtype=torch.float64))
    assert moves.abs().max() <= 0.3 * (1 + 1e-9)
    assert path(RMSProp(0.3, beta2=0.9, eps=eps), 1e6 * g)[0].abs().max() > 0.9


def test_dog_by_a_plain_loop():
    """Two points at once, of which one has come farther and turns back; r_eps counts at first."""
    g = scripted.gradients(30, 2, 3).to(torch.float64)
    g[15:] = -g[:15]
    found = path(DoG(1e-2, eps=0.0), g)
    for point in (0, 1):
        x, total, r = np.zeros(3), 0.0, 1e-2
        for k, grad in enumerate(g[:, point].numpy()):
            total, r = total + grad @ grad, max(r, np.linalg.norm(x))
            x = x - r * grad / math.sqrt(total)
            np.testing.assert_allclose(found[k, point], x, rtol=1e-12)


def test_dog_in_another_unit_is_dog():
    """f(x/c) from c x_0 with c r_eps: the same iterates times c; and the scale of the loss plays no part."""
    f, x0, c = quadratic([1.0, 0.2], [3.0, -2.0]), torch.tensor([3.0, -2.0], dtype=torch.float64), 64.0
    plain = run(DoG(1e-4, eps=0.0), Oracle.full(f), x0, 300, lambda x: x, range(301)).values
    scaled = replace(f, grad=lambda x: 8.0 * f.grad(x / c))
    found = run(DoG(c * 1e-4, eps=0.0), Oracle.full(scaled), c * x0, 300, lambda x: x, range(301)).values
    torch.testing.assert_close(found, c * plain, rtol=1e-9, atol=1e-9)
    assert float(f.gap(plain[-1])) < 0.1 * float(f.gap(x0))
