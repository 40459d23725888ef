"""Laws that every problem of the catalogue obeys."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.huber import huber, huber_witness
from ratewitness.problems.noisy_quadratics import horizon_parabola, noisy_parabola, two_mode
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.power import power
from ratewitness.problems.problem import flattened, norm, over_batch
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.problems.sine import sine
from ratewitness.problems.sine_valley import sine_valley
from ratewitness.problems.softplus import softplus
from ratewitness.problems.zero_chain import zero_chain

PROBLEMS = catalogue()
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())


def points(problem, *batch, seed=0):
    """Points around the start that lie in the domain."""
    generator = torch.Generator().manual_seed(seed)
    x = problem.starts(*batch)
    x = x * 0.7 + 0.3 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return x if problem.domain is None else torch.where(problem.domain(x).unsqueeze(-1), x, 0.9 * problem.start)


def indices(problem, *batch, b, seed=0):
    return torch.randint(problem.n, (*batch, b), generator=torch.Generator().manual_seed(seed))


@every_problem
def test_float64_at_birth(problem):
    x = points(problem, 2)
    tensors = [problem.start, problem.gap(x), problem.grad(x), problem.sample_grad(x, indices(problem, 2, b=1))]
    assert {t.dtype for t in tensors} == {torch.float64}
    assert problem.minimizer is None or problem.minimizer.dtype == torch.float64


@every_problem
@pytest.mark.parametrize("b", [1, 3])
def test_a_batch_is_its_single_points(problem, b):
    x, index = points(problem, 2, 3), indices(problem, 2, 3, b=b)
    gap, grad, sample = problem.gap(x), problem.grad(x), problem.sample_grad(x, index)
    assert gap.shape == (2, 3)
    assert grad.shape == sample.shape == (2, 3, *problem.shape)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(gap[i, j], problem.gap(x[i, j]), rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(grad[i, j], problem.grad(x[i, j]), rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(sample[i, j], problem.sample_grad(x[i, j], index[i, j]), rtol=1e-12, atol=1e-13)


@every_problem
def test_a_minibatch_is_the_mean_of_its_components(problem):
    x, index = points(problem, 4), indices(problem, 4, b=5)
    singles = torch.stack([problem.sample_grad(x, index[:, j : j + 1]) for j in range(5)])
    torch.testing.assert_close(problem.sample_grad(x, index), singles.mean(0), rtol=1e-12, atol=1e-13)


@every_problem
def test_the_components_average_to_the_gradient(problem):
    x = points(problem, 2)
    index = torch.arange(problem.n).expand(2, problem.n)
    torch.testing.assert_close(problem.sample_grad(x, index), problem.grad(x), rtol=1e-10, atol=1e-13)


@every_problem
def test_the_gradient_is_the_derivative_of_the_gap(problem):
    x = points(problem, 5).requires_grad_()
    derivative = torch.autograd.grad(problem.gap(x).sum(), x)[0]
    torch.testing.assert_close(derivative, problem.grad(x.detach()), rtol=1e-8, atol=1e-10)


@every_problem
def test_the_certificate_gives_a_reason_for_each_constant(problem):
    parts = [part.split(": ", 1) for part in problem.constants.certificate.split("; ")]
    assert [name for name, _ in parts] == ["L", "mu", "sigma2", "f*"]
    assert all(len(reason) > 3 for _, reason in parts)


@every_problem
def test_constants_are_consistent(problem):
    c = problem.constants
    assert c.pl >= c.strong_convexity >= 0
    assert c.smoothness >= c.pl
    assert c.component_smoothness >= c.smoothness * (1 - 1e-9)
    assert c.convex or c.strong_convexity == 0
    assert math.isnan(c.variance_at_minimizer) == (problem.minimizer is None)
    assert problem.minimizer is None or c.variance >= c.variance_at_minimizer * (1 - 1e-12)
    assert problem.floor > 0
    assert problem.initial_gap > 1e3 * problem.floor


def test_a_matrix_problem_is_the_same_over_vectors():
    problem = PROBLEMS["softmax, l2"]
    flat, x = flattened(problem), points(problem, 5)
    index = torch.arange(10).reshape(5, 2)
    assert flat.shape == (12,)
    assert torch.equal(flat.gap(x.flatten(-2)), problem.gap(x))
    assert torch.equal(flat.grad(x.flatten(-2)), problem.grad(x).flatten(-2))
    assert torch.equal(flat.sample_grad(x.flatten(-2), index), problem.sample_grad(x, index).flatten(-2))
    # sums over two axes, or one
    assert float(flat.radius) == pytest.approx(float(problem.radius), rel=1e-14)
    assert float(flat.initial_gap) == pytest.approx(float(problem.initial_gap), rel=1e-14)
    assert flattened(flat) is flat


@every_problem
def test_gradient_descent_with_step_1_over_L_descends_in_the_domain(problem):
    """f(x+) <= f(x) - ||grad f||^2/2L, the step of every proof."""
    x = problem.starts(3)
    for _ in range(20):
        g = problem.grad(x)
        after = x - g / problem.constants.smoothness
        fall = norm(g, problem.shape).square() / (2 * problem.constants.smoothness)
        assert (problem.gap(after) <= problem.gap(x) - fall + 1e-9 * problem.gap(x) + problem.floor).all()
        assert problem.domain is None or problem.domain(after).all()
        x = after


@every_problem
def test_minimizer_is_one(problem):
    if problem.minimizer is None:
        with pytest.raises(ValueError, match="no minimizer"):
            _ = problem.radius
        return
    assert problem.gap(problem.minimizer).abs() <= problem.floor
    assert problem.grad(problem.minimizer).norm() <= 1e-12
    distance = (problem.start - problem.minimizer).norm()
    torch.testing.assert_close(problem.radius.squeeze(), distance, rtol=1e-14, atol=0)


def test_catalogue_depends_on_its_seed_alone():
    again, other = catalogue(), catalogue(seed=1)
    for name, problem in PROBLEMS.items():
        x = points(problem, 2)
        assert torch.equal(problem.gap(x), again[name].gap(x))
    assert not torch.equal(other["least squares"].minimizer, PROBLEMS["least squares"].minimizer)


def _pair(x, y):
    return torch.cat((x, y), -1) if isinstance(x, torch.Tensor) else (x, y)


def column(*values):
    """A sweep against x of shape (sweep, replicates, d)."""
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


FAMILIES = {
    "huber": (huber, [(1.0, 0.1, 1.0), (2.0, 0.5, 1.5), (4.0, 0.2, 0.7)]),
    "huber witness": (huber_witness, [(1,), (5,), (40,)]),
    "sawtooth": (sawtooth, [(0,), (1,), (7,)]),
    "noisy parabola": (noisy_parabola, [(0.1, 1.0, 1.0), (1.0, 0.5, 2.0), (3.0, 2.0, 0.3)]),
    "horizon parabola": (horizon_parabola, [(10, 1.0, 1.0, 1.4), (100, 0.3, 2.0, 1.0), (1000, 1.0, 1.0, 0.5)]),
    "two modes": (two_mode, [(0.01, 1.0, 1.0, 1.0), (0.1, 2.0, 0.5, 3.0), (0.5, 0.5, 0.1, 1.0)]),
    "sine": (sine, [(0.5, 1.0), (3.0, 3.0), (4.5, 2.0)]),
    "power": (power, [(3.0, 1.0), (4.0, 2.0), (8.0, 0.5)]),
    "zero-chain": (lambda L, scale: zero_chain(4, L, scale, n=3), [(1.0, 1.0), (2.0, 0.3), (152.0, 4.0)]),
    "sine valley": (lambda x, y: sine_valley(_pair(x, y)), [(2.0, 3.0), (0.0, 1.0), (-1.0, 2.0)]),
}


@pytest.mark.parametrize(("build", "rows"), FAMILIES.values(), ids=FAMILIES.keys())
def test_a_sweep_is_its_single_instances(build, rows):
    family, singles = build(*(column(*values) for values in zip(*rows, strict=True))), [build(*row) for row in rows]
    x = family.starts(4)
    assert x.shape == (3, 4, *family.shape)
    x = x * torch.linspace(0.2, 1, 4, dtype=torch.float64).unsqueeze(-1)
    index = torch.arange(4).remainder(family.n).reshape(1, 4, 1).expand(3, 4, 1)
    for i, single in enumerate(singles):
        torch.testing.assert_close(family.gap(x)[i], single.gap(x[i]), rtol=1e-14, atol=0)
        torch.testing.assert_close(family.grad(x)[i], single.grad(x[i]), rtol=1e-14, atol=0)
        torch.testing.assert_close(family.sample_grad(x, index)[i], single.sample_grad(x[i], index[i]))
        for field in ("smoothness", "pl", "strong_convexity", "component_smoothness", "variance"):
            of_family = torch.as_tensor(getattr(family.constants, field), dtype=torch.float64).expand(3, 1)[i, 0]
            of_single = torch.as_tensor(getattr(single.constants, field), dtype=torch.float64)
            torch.testing.assert_close(of_family, of_single.reshape(()))
        if family.minimizer is not None:
            torch.testing.assert_close(family.radius[i, 0], single.radius)
        torch.testing.assert_close(family.initial_gap[i, 0], single.initial_gap)
        if family.domain is not None:
            assert torch.equal(family.domain(x)[i], single.domain(x[i]))


def test_replicates_need_an_axis_of_length_one():
    without = quadratic(torch.ones(12, 3), torch.ones(12, 3))
    assert without.starts().shape == (12, 3)
    with_axis = quadratic(torch.ones(12, 1, 3), torch.ones(12, 1, 3))
    assert with_axis.starts(5).shape == (12, 5, 3)
    assert quadratic(torch.ones(3), torch.ones(3)).starts(2, 5).shape == (2, 5, 3)
    starts = with_axis.starts(5)
    starts[0, 0] = 7.0  # a copy, not a view
    assert (with_axis.start == 1).all()


def test_over_batch_drops_the_axes_of_a_point():
    assert over_batch(2.0, (1,)) == 2.0
    assert over_batch(torch.ones(12, 1, 1), (5,)).shape == (12, 1)
    assert over_batch(torch.ones(12, 1, 1, 1), (5, 4)).shape == (12, 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda t: huber_witness(t),
        lambda t: huber(t, 0.1, 1.0),
        lambda t: sine(0.1 * t),
        lambda t: power(t + 2),
        lambda t: sawtooth(t),
        lambda t: softplus(t),
    ],
)
def test_a_sweep_without_the_axis_of_x_is_refused(build):
    sweep = torch.arange(1.0, 13.0)
    with pytest.raises(ValueError, match=r"start of .* has shape \(12,\); accepted are \(\*sweep, 1\)"):
        build(sweep)
    assert build(sweep.unsqueeze(-1)).start.shape == (12, 1)


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (noisy_parabola, {"lam": 1.0, "sigma": 1.0, "start": 1.0}),
        (horizon_parabola, {"N": 10, "sigma": 1.0, "R": 1.0, "c": 1.0}),
        (two_mode, {"lam": 0.1, "L": 1.0, "sigma": 1.0, "Delta": 1.0}),
        (lambda **parameters: zero_chain(12, **parameters), {"L": 1.0, "scale": 1.0}),
    ],
)
def test_parameters_of_a_sweep_keep_the_axis_of_x(build, names):
    for name, value in names.items():
        with pytest.raises(ValueError, match=rf"^{name} has shape \(12,\); accepted are numbers and tensors"):
            build(**names | {name: torch.full((12,), float(value))})
        assert build(**names | {name: torch.full((12, 1), float(value))}).starts().shape[0] == 12
        assert build(**names | {name: torch.tensor(float(value))}).start.ndim == 1


def test_float32_parameters_become_float64():
    L, scale = torch.full((1,), 0.1, dtype=torch.float32), torch.full((1,), 0.3, dtype=torch.float32)
    problem, same = zero_chain(4, L, scale, n=3), zero_chain(4, float(L), float(scale), n=3)
    x = problem.starts(2) + 0.1
    assert torch.equal(problem.grad(x), same.grad(x))
    assert float(problem.constants.variance) == float(same.constants.variance)
    assert problem.constants.smoothness.dtype == problem.constants.optimum.dtype == torch.float64

    sigma = torch.full((1,), 0.1, dtype=torch.float32)
    base = quadratic(torch.ones(3), torch.ones(3))
    noisy, exact = perturbed(base, sigma, n=6), perturbed(base, float(sigma), n=6)
    assert noisy.constants.variance.dtype == torch.float64
    assert float(noisy.constants.variance) == float(exact.constants.variance)
    three = perturbed(base, 1.0, n=3, directions=torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    noise = three.sample_grad(three.starts(3), torch.arange(3).unsqueeze(-1)) - three.grad(three.start)
    assert noise.mean(0).norm() < 1e-15


@given(
    sigma=st.floats(0.01, 100),
    pairs=st.integers(1, 6),
    x=st.lists(st.floats(-5, 5), min_size=3, max_size=3),
)
@settings(deadline=None, max_examples=50)
def test_perturbed_noise_has_variance_sigma_squared_everywhere(sigma, pairs, x):
    problem = perturbed(quadratic(torch.tensor([1.0, 0.5, 0.1]), torch.ones(3)), sigma, n=2 * pairs)
    x = torch.tensor(x, dtype=torch.float64).expand(problem.n, 3)
    noise = problem.sample_grad(x, torch.arange(problem.n).unsqueeze(-1)) - problem.grad(x)
    assert noise.square().sum(-1).mean() == pytest.approx(sigma**2)
    assert noise.mean(0).norm() <= 1e-12 * sigma


def test_an_odd_number_of_components_may_have_directions_of_its_own():
    three = perturbed(quadratic(torch.ones(2), torch.ones(2)), 1.0, n=3, directions=torch.eye(3, 2))
    x = torch.zeros(3, 2, dtype=torch.float64)
    assert three.sample_grad(x, torch.arange(3).unsqueeze(-1)).square().sum(-1).mean() == pytest.approx(1.0)


@pytest.mark.cuda
def test_builders_follow_the_default_device():
    with torch.device("cuda"):
        problems = [
            huber(1.0, 0.1, 1.0),
            perturbed(sawtooth(5), 0.5),
            noisy_parabola(1.0, 1.0),
            two_mode(0.1, 1.0, 1.0),
            sine(),
            sine_valley(),
            softplus(),
            power(),
            zero_chain(5, n=4),
        ]
    for problem in problems:
        x = problem.starts(7)
        index = torch.zeros(7, 1, dtype=torch.int64, device="cuda")
        assert problem.sample_grad(x, index).device.type == problem.gap(x).device.type == "cuda"
