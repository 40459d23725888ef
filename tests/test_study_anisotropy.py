"""The study of anisotropy: the invariances it rests on, its arrival times and exact counts, censored runs and edges."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.solvers.adagrad import FullAdaGrad
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import CENSORED, iterates, run
from ratewitness.studies.adaptive import aligned_axes, anisotropy, anisotropy_in_noise
from ratewitness.studies.adaptive import arrivals as study
from ratewitness.studies.claims import QUICK

torch.set_num_threads(1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def path(solver, f, steps):
    return torch.stack([x for _, x in zip(range(steps), iterates(solver, Oracle.full(f), f.start), strict=False)])


def by_hand(distances, hold):
    """The first k from which `hold` numbers in a row are within the target."""
    inside = [bool(d <= study.TARGET) for d in distances]
    return next((k for k in range(len(inside) - hold + 1) if all(inside[k : k + hold])), CENSORED)


@pytest.mark.parametrize("method", study.DIAGONAL)
@settings(max_examples=15, deadline=None)
@given(
    exponents=st.lists(st.integers(-20, 20), min_size=4, max_size=4),
    start=st.lists(st.floats(0.1, 10.0), min_size=4, max_size=4),
    lr=st.floats(1e-3, 1.0),
)
def test_diagonal_methods_do_not_see_powers_of_two(method, exponents, start, lr):
    solver, x0 = study.METHODS[method][0](lr), torch.tensor(start, dtype=torch.float64)
    # exact on every machine, which the power function of a tensor need not be
    spectrum = torch.tensor([math.ldexp(1.0, k) for k in exponents], dtype=torch.float64)
    scaled, plain = (path(solver, quadratic(lam, x0), 30) for lam in (spectrum, torch.ones_like(spectrum)))
    assert torch.equal(scaled, plain)


@pytest.mark.parametrize("method", study.DIAGONAL)
def test_diagonal_methods_see_a_rotation(method):
    f = study.problem((0, 5), 1, 2, "rotated", seeded())
    x = path(study.METHODS[method][0](0.05), f, 20)
    assert (x[:, :, 0] - x[:, :, 1]).abs().max() > 1e-3


@pytest.mark.parametrize("method", ["gradient descent", "heavy ball", "full-matrix AdaGrad"])
def test_the_contrasts_do_not_see_a_rotation(method):
    j = (1, 3)
    mu = study.eigenvalues(j).amin(-1, keepdim=True)
    solver = {
        "gradient descent": GradientDescent(2 / (1 + mu)),
        "heavy ball": HeavyBall.for_quadratic(mu, 1.0),
        "full-matrix AdaGrad": FullAdaGrad(0.05, eps=1e-3),
    }[method]
    along, rotated = (path(solver, study.problem(j, 1, 3, axes, seeded(4)), 30) for axes in ("along", "rotated"))
    torch.testing.assert_close(along.norm(dim=-1), rotated.norm(dim=-1), rtol=1e-6, atol=1e-9)


def test_spectra_and_starts():
    lam = study.eigenvalues((0, 3, 10))
    assert torch.equal(lam.amax(-1) / lam.amin(-1), torch.tensor([[1.0], [64.0], [4.0**10]], dtype=torch.float64))
    assert (lam.frexp().mantissa == 0.5).all()  # powers of two, whatever a logarithm rounds to
    z = study.starts(50, seeded())
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(50, 1, 1, dtype=torch.float64))
    assert float((z.abs().amax(-1) / z.abs().amin(-1)).max()) <= 2
    f = study.problem((2, 4), 3, 5, "rotated", seeded())
    assert f.start.shape == (5, 2, 3, 10)
    g = study.problem((2, 4), 3, 5, "along", seeded(), stretched=True)
    energies = g.start.square() * study.eigenvalues((2, 4))
    assert float(energies.amax() / energies.amin()) <= 4 * (1 + 1e-12)
    torch.testing.assert_close(g.initial_gap, torch.full((5, 2, 3), 0.5, dtype=torch.float64))


def test_a_target_met_in_flight_is_no_arrival():
    f = study.problem((0,), 3, 4, "along", seeded(3))
    # 1/sqrt(k + 1) jumps to and fro across the minimizer; with small steps a coordinate ends in a cycle
    solver = SignSGD(lambda k: torch.tensor([[0.3], [1.0], [0.1]], dtype=torch.float64) / (k + 1) ** 0.5)
    limit = 3000
    times = study.arrival_times(solver, f, limit)
    distances = path(solver, f, limit + study.HOLD).norm(dim=-1)
    reached = (distances <= study.TARGET).double().argmax(0)
    stop = int(times.amax())
    expected = torch.tensor([[[by_hand(distances[:, s, 0, c], study.HOLD) for c in range(3)]] for s in range(4)])
    seen = times != CENSORED
    assert seen.any()
    assert torch.equal(times[seen], expected[seen])
    assert (expected[~seen] > stop - study.HOLD).logical_or(expected[~seen] == CENSORED).all()
    assert (reached[seen] < times[seen]).any()  # which a first passage would have counted


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10**6))
def test_exact_steps_of_gradient_descent_are_those_of_its_runs(j, seed):
    z = study.starts(2, seeded(seed))
    f = study.problem((j,), 1, 2, "along", seeded(seed))
    mu = 4.0**-j
    x = path(GradientDescent(2 / (1 + mu)), f, 700)[:, :, 0, 0].norm(dim=-1)
    expected = (x <= study.TARGET).double().argmax(0)
    assert anisotropy.exact_steps((j,), z).tolist() == [expected.tolist()]


def test_a_slope_is_that_of_a_power_law_and_a_missing_run_has_none():
    j = np.arange(3, 8)
    times = np.round(1e6 * (4.0**j)[:, None] ** np.array([0.5, 1.0])).astype(int)
    seen = study.Arrivals(j, times, np.zeros(5, bool), 10**9)
    np.testing.assert_allclose(seen.slopes, [0.5, 1.0], atol=1e-6)
    np.testing.assert_array_equal(seen.since(6).times, times[3:])
    times = times.copy()
    times[0, 0] = CENSORED
    missing = study.Arrivals(j, times, np.zeros(5, bool), 10**9)
    assert np.isnan(missing.slopes).all()
    assert not np.isnan(missing.since(4).slopes).any()
    table = missing.table(method="x")
    assert table["not arrived"].tolist() == [1, 0, 0, 0, 0]
    assert table["measured"][0] == pytest.approx(math.sqrt(1e9 * times[0, 1]))


@pytest.mark.parametrize(
    ("slope", "edge", "censored", "outcome"),
    [
        (0.2, False, False, "supported"),
        (0.8, False, False, "refuted"),
        (0.2, True, False, "inconclusive"),
        (0.2, False, True, "inconclusive"),
    ],
)
def test_slopes_are_judged(slope, edge, censored, outcome):
    j = np.arange(4, 8)
    times = np.round(1e5 * (4.0**j)[:, None] ** (slope + np.linspace(-0.01, 0.01, 6))).astype(int)
    times[-1, 0] = CENSORED if censored else times[-1, 0]
    seen = study.Arrivals(j, times, np.array([edge, False, False, False]), 10**9)
    assert anisotropy.slope_below(0.5, rotated=seen).outcome == outcome


def test_a_grid_too_low_is_flagged_and_one_in_place_is_not(monkeypatch):
    monkeypatch.setitem(study.METHODS, "low", (SignSGD, 1e-6))
    assert study.tuned_arrivals(QUICK, "low", "along", (0,)).on_edge
    assert not study.tuned_arrivals(QUICK, "RMSProp", "along", (0, 10)).on_edge


def test_iterates_that_differ_are_counted():
    same, of = aligned_axes.differing(QUICK, "AdaGrad", "along")
    assert same.tolist() == [0] * 11
    spoiled, _ = aligned_axes.differing(QUICK, "RMSProp, eps = 1e-6", "along")
    assert (spoiled > 0).tolist() == [False] + [True] * 10  # every kappa but the first
    assert of > 11 * spoiled[-1] > 0
    check = aligned_axes.exactly_free_of_kappa_along_the_axes.check
    assert check(QUICK, ("AdaGrad",)).outcome == "supported"
    verdict = check(QUICK, ("RMSProp, eps = 1e-6",))
    assert verdict.outcome == "refuted"
    assert verdict.evidence["RMSProp, eps = 1e-6.wrong"] == 10


def test_theory_scales_heavy_ball():
    """The double root at lam = 1 makes it sqrt kappa times a logarithm: between kappa^0.5 and kappa^0.6."""
    times = anisotropy.classical(QUICK, "heavy ball", (4, 8))
    assert (times > 0).all()
    growth = np.log(times[1] / times[0]) / math.log(4**4)
    assert (growth > 0.5).all()
    assert (growth < 0.6).all()


def test_random_rotations_leave_the_diagonal_of_the_hessian_nearly_constant():
    """Why no diagonal scaling helps: the condition number after Jacobi's is still that of the problem up to a constant."""
    lam = study.eigenvalues((8,))[0, 0]
    for seed in range(10):
        Q = random_rotation(10, seeded(seed))
        H = (Q * lam) @ Q.mT
        scaled = H / (H.diagonal().sqrt().unsqueeze(0) * H.diagonal().sqrt().unsqueeze(1))
        eigenvalues = torch.linalg.eigvalsh(scaled)
        assert float(eigenvalues[-1] / eigenvalues[0]) / study.D > 4.0**8 / 1000


def test_run_of_rmsprop_stays_finite_at_the_largest_kappa():
    f = study.problem((10,), 1, 2, "rotated", seeded())
    build, centre = study.METHODS["RMSProp"]
    trace = run(build(100 * centre), Oracle.full(f), f.start, 500, lambda x: x.norm(dim=-1))
    assert torch.isfinite(trace.values).all()


def test_in_noise_every_group_is_judged_with_the_step_it_chose(monkeypatch):
    """Against runs one by one: four columns a group, in the order of the groups."""
    for name, value in {"N": 15, "POWERS": (0.5, 0.5), "GROUPS": 5}.items():
        monkeypatch.setattr(anisotropy_in_noise, name, value)
    monkeypatch.setattr(
        anisotropy_in_noise, "around", lambda centre, points, decades: centre * np.logspace(-0.5, 0.5, points)
    )
    budget = replace(QUICK, seed=4321)
    chosen, logs = anisotropy_in_noise.ends(budget, "RMSProp", "rotated", 0.0)
    generator = budget.shared("anisotropy_in_noise").generator("test", "rotated", 0.0)
    f = study.problem((anisotropy_in_noise.KAPPA,), 1, 20, "rotated", generator)
    lr = torch.as_tensor(chosen.lr).repeat_interleave(4).reshape(-1, 1, 1, 1)
    x = path(RMSProp(lambda k: lr / (k + 1) ** 0.5, eps=0.0), f, 16)[-1]
    np.testing.assert_allclose(logs, f.gap(x).reshape(5, 4).log().mean(-1), rtol=1e-6)
    assert len(set(chosen.lr)) > 1
