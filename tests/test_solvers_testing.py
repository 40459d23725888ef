"""The kit for LMOs: it accepts right ones, catches wrong ones with their counterexample, and covers the hard inputs."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from ratewitness.solvers.norms.testing import assert_lmo, matrices, vectors

generated = settings(
    max_examples=40, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
)  # fmt: skip


def largest(g):
    return max(abs(g).max(), 5e-324)


def spectral(g):
    u, _, vh = np.linalg.svd(g / largest(g), full_matrices=False)
    return -u @ vh


def nuclear(g):
    u, _, vh = np.linalg.svd(g / largest(g), full_matrices=False)
    return -np.outer(u[:, 0], vh[0])


def row(g):
    g = g / np.maximum(abs(g).max(axis=1, keepdims=True), 5e-324)
    lengths = np.linalg.norm(g, axis=1, keepdims=True)
    return -g / np.where(lengths > 0, lengths, 1)


def lp(p, q=None):
    """The LMO of l_p; q: the exponent it takes for the dual one."""
    q = q or p / (p - 1)

    def lmo(g):
        w = (abs(g) / largest(g)) ** (q - 1) * (g != 0)
        return -np.sign(g) * w / (np.linalg.norm(w, p) or 1)

    return lmo


def greedy(g):
    x = np.zeros(len(g))
    i = abs(g).argmax()
    x[i] = -np.sign(g[i])
    return x


def full_svd(g):
    u, _, vh = np.linalg.svd(g / largest(g), full_matrices=True)
    return -u @ vh


def full_svd_of_square(g):
    """U V^T of the full SVD, squeezed into the shape of g: the wrong null vectors, too short rows."""
    u, _, vh = np.linalg.svd(g @ g.T / largest(g) ** 2 if largest(g) < 1e100 else np.eye(len(g)))
    return np.resize(-u @ vh, g.shape)


def zeroed_ties(g):
    x, a = np.zeros(len(g)), abs(g)
    if (a == a.max()).sum() == 1:
        x[a.argmax()] = -np.sign(g[a.argmax()])
    return x


def null_directions_dropped_by_an_absolute_tolerance(g):
    u, s, vh = np.linalg.svd(g, full_matrices=False)
    return -(u * (s > 1e-10)) @ vh


def without_scaling(g):
    return -g / (np.linalg.norm(g) or 1)


RIGHT = {
    "spectral": (spectral, matrices()),
    "nuclear": (nuclear, matrices()),
    "row": (row, matrices()),
    "column": (lambda g: row(g.T).T, matrices()),
    "l3": (lp(3), vectors()),
    "l1.5": (lp(1.5), vectors()),
    "l1": (greedy, vectors()),
    "linf": (lambda g: -np.sign(g), vectors()),
    "max_abs": (lambda g: -np.sign(g), matrices()),
}

WRONG = {
    "argmax instead of argmin": ("spectral", lambda g: -spectral(g), matrices()),
    "argmax instead of argmin, vectors": ("linf", np.sign, vectors()),
    "argmax instead of argmin, greedy": ("l1", lambda g: -greedy(g), vectors()),
    "U V^T of the full SVD": ("spectral", full_svd, matrices()),
    "U V^T of the full SVD, resized": ("spectral", full_svd_of_square, matrices()),
    "columns instead of rows": ("row", lambda g: row(g.T).T, matrices()),
    "rows instead of columns": ("column", row, matrices()),
    "column-major order": ("row", lambda g: row(g.ravel().reshape(g.shape, order="F")), matrices()),
    "transposed result": ("spectral", lambda g: spectral(g).T, matrices()),
    "transposed result of square matrices": ("row", lambda g: row(g).T if g.shape[0] == g.shape[1] else row(g), matrices()),
    "exponent p instead of q": ("l3", lp(3, 3), vectors()),
    "exponent q + 1": ("l1.5", lp(1.5, 4), vectors()),
    "exponent slightly off": ("l3", lp(3, 1.501), vectors()),
    "LMO of the dual norm": ("l3", lp(1.5), vectors()),
    "nuclear instead of spectral": ("spectral", nuclear, matrices()),
    "spectral instead of nuclear": ("nuclear", spectral, matrices()),
    "no normalization": ("l2", lambda g: -g, vectors()),
    "normalized twice": ("l2", lambda g: without_scaling(g) / 2, vectors()),
    "scale of the RMS norm forgotten": ("rms_to_rms", spectral, matrices()),
    "scale of the RMS norm upside down": ("rms_to_rms", lambda g: spectral(g) * (len(g.T) / len(g)) ** 0.5, matrices()),
    "zeroed ties": ("l1", zeroed_ties, vectors()),
    "absolute tolerance": ("spectral", null_directions_dropped_by_an_absolute_tolerance, matrices()),
    "overflow": ("frobenius", without_scaling, matrices()),
    "NaN for zeros": ("linf", lambda g: -g / np.where(g != 0, abs(g), np.nan), vectors()),
    "always zero": ("nuclear", np.zeros_like, matrices()),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_right_lmos_pass(name):
    lmo, points = RIGHT[name]

    @settings(generated, max_examples=25)
    @given(points)
    def law(g):
        assert_lmo(lmo, name, g)

    law()


@pytest.mark.parametrize("slip", WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_lmos_are_caught(slip):
    name, lmo, points = WRONG[slip]

    @generated
    @given(points)
    def law(g):
        assert_lmo(lmo, name, g)

    with pytest.raises(AssertionError, match=rf"norm: {name}\ng = array\(") as raised:
        law()
    message = str(raised.value)
    assert "lmo(g)" in message or "lmo raised" in message


NORMS = {  # functions without a dual: only the points tried can tell
    "spectral": lambda x: np.linalg.norm(x, 2),
    "nuclear": lambda x: np.linalg.norm(x, "nuc"),
    "row": lambda x: np.linalg.norm(x, axis=1).max(),
    "column": lambda x: np.linalg.norm(x, axis=0).max(),
    "l3": lambda x: np.linalg.norm(x, 3),
    "l1.5": lambda x: np.linalg.norm(x, 1.5),
    "l1": lambda x: np.linalg.norm(x, 1),
    "l2": np.linalg.norm,
    "linf": lambda x: abs(x).max(),
    "max_abs": lambda x: abs(x).max(),
    "frobenius": np.linalg.norm,
    "rms_to_rms": lambda x: np.linalg.norm(x, 2) * (x.shape[1] / x.shape[0]) ** 0.5,
}


@pytest.mark.parametrize("slip", WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_lmos_are_caught_without_a_dual(slip):
    name, lmo, points = WRONG[slip]

    @settings(generated, max_examples=40)
    @given(points)
    def law(g):
        assert_lmo(lmo, NORMS[name], g)

    with pytest.raises(AssertionError, match="g = array"):
        law()


def test_the_local_search_finds_what_no_formula_gives():
    """A norm whose minimizer is none of the points built from g: ||A x||_2 with LMO -(A^T A)^{-1} g / ||A^{-T} g||."""
    A = np.random.default_rng(0).standard_normal((4, 4)) + 2 * np.eye(4)
    g = np.array([1.0, -2.0, 0.5, 3.0])

    def norm(x):
        return float(np.linalg.norm(A @ x))

    best = -np.linalg.solve(A.T @ A, g) / np.linalg.norm(np.linalg.solve(A.T, g))
    assert_lmo(lambda g: best, norm, g)
    for turn in np.random.default_rng(1).standard_normal((20, 4)):
        wrong = best + 1e-2 * turn
        with pytest.raises(AssertionError, match="y is feasible"):
            assert_lmo(lambda g, wrong=wrong: wrong / norm(wrong), norm, g)


def test_the_message_shows_the_counterexample():
    g = np.array([[3.0, 0.0], [0.0, -6.0]])
    with pytest.raises(AssertionError, match="norm: spectral") as raised:
        assert_lmo(nuclear, "spectral", g)
    assert str(raised.value).splitlines() == [
        "lmo(g) is not a minimizer: y is feasible, ||y|| = 1, and <g, y> is smaller",
        "norm: spectral",
        "g = array([[ 3.,  0.],",
        "       [ 0., -6.]])",
        "lmo(g) = array([[0., 0.],",
        "       [0., 1.]])",
        "<g, lmo(g)> = -6",
        "y = array([[-1.,  0.],",
        "       [ 0.,  1.]])",
        "<g, y> = -9",
    ]
    for lmo, what in (
        (lambda g: -g, r"outside the ball: \|\|lmo\(g\)\|\| = 6 > 1"),
        (lambda g: np.zeros(3), r"lmo\(g\) has shape \(3,\), g has \(2, 2\)"),
        (lambda g: g / 0.0 * 0.0, r"lmo\(g\) is not finite"),
        (lambda g: g @ np.ones(3), "lmo raised ValueError: matmul"),
    ):
        with np.errstate(all="ignore"), pytest.raises(AssertionError, match=what):
            assert_lmo(lmo, "spectral", g)


@pytest.mark.parametrize(("factor", "what"), [(1 + 1e-6, "outside the ball"), (1 - 1e-6, "not a minimizer")])
def test_the_tolerance_is_tight(factor, what):
    g = np.array([3.0, -4.0])
    assert_lmo(lambda g: -np.sign(g) * (1 + (factor - 1) * 1e-6), "linf", g)
    with pytest.raises(AssertionError, match=what):
        assert_lmo(lambda g: -np.sign(g) * factor, "linf", g)


def test_a_wrong_dual_is_told_from_a_wrong_lmo():
    g = np.array([3.0, 4.0])
    assert_lmo(without_scaling, np.linalg.norm, g, dual=np.linalg.norm)
    with pytest.raises(AssertionError, match=r"does not attain the dual value: \|\|g\|\|_\* = 7"):
        assert_lmo(without_scaling, np.linalg.norm, g, dual=lambda g: abs(g).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_see_the_type_of_g_and_cannot_change_it(dtype):
    g = torch.tensor([[1.0, 2], [3, 4]], dtype=dtype)

    def spoiling(function):
        def spoils(x):
            assert isinstance(x, torch.Tensor)
            assert x.dtype == dtype
            answer = function(x)
            x.zero_()
            return answer

        return spoils

    signs = lambda g: -torch.sign(g)  # noqa: E731
    assert_lmo(signs, spoiling(lambda x: x.abs().max()), g, dual=spoiling(lambda g: g.abs().sum()))
    assert g.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(AssertionError, match=r"lmo changed its argument, g, into array\(\[\[0., 0.\]"):
        assert_lmo(spoiling(signs), "max_abs", g)
    assert g.tolist() == [[1, 2], [3, 4]]


def test_the_tolerance_is_that_of_the_type():
    g = torch.tensor([[1.0, 2], [3, 4]])
    with pytest.raises(AssertionError, match="y is feasible"):  # 2 % is rounding in bfloat16 and none in float32
        assert_lmo(lambda g: -torch.sign(g) * 0.98, "max_abs", g)
    assert_lmo(lambda g: -torch.sign(g) * 0.98, "max_abs", g.bfloat16())
    assert_lmo(lambda g: -torch.sign(g) * 0.98, "max_abs", g, tolerance=0.1)


def test_the_same_g_gives_the_same_answer():
    g, seen = np.array([1.0, 2.0, 2.0]), []

    def norm(x):
        seen.append(x.copy())
        return float(np.linalg.norm(x))

    assert_lmo(without_scaling, norm, g)
    half = len(seen)
    assert_lmo(without_scaling, norm, g)
    assert len(seen) == 2 * half
    assert all((a == b).all() for a, b in zip(seen[:half], seen[half:], strict=True))


def singular_values(g):
    s = np.linalg.svd(g / largest(g), compute_uv=False)
    return s[s > 1e-12]


HARD = {
    "ties": (vectors(), lambda g: len(g) > 2 and len(set(abs(g))) == 1 and g[0] != 0),
    "zero": (matrices(), lambda g: g.size > 3 and not g.any()),
    "some zeros": (vectors(), lambda g: (g == 0).any() and g.any()),
    "zero row": (matrices(), lambda g: len(g) > 1 and (abs(g).sum(1) == 0).any() and g.any()),
    "rank deficient without zeros": (matrices(), lambda g: (g != 0).all() and 0 < len(singular_values(g)) < min(g.shape)),
    "repeated singular values": (
        matrices(3, 4), lambda g: len(singular_values(g)) > 2 and np.ptp(singular_values(g)) < 1e-9 and (g != 0).all()
    ),
    "1 x n": (matrices(), lambda g: g.shape[0] == 1 and g.shape[1] > 2),
    "n x 1": (matrices(), lambda g: g.shape[1] == 1 and g.shape[0] > 2),
    "huge": (matrices(), lambda g: largest(g) > 1e299),
    "tiny": (vectors(), lambda g: 1e-301 < largest(g) < 1e-298),
    "denormals": (matrices(), lambda g: 5e-324 < largest(g) < 1e-307),
    "very different sizes": (vectors(), lambda g: (g != 0).all() and abs(g).min() < 1e-30 * largest(g)),
}  # fmt: skip


@pytest.mark.parametrize("case", HARD)
def test_the_strategies_reach_the_hard_cases(case):
    points, is_hard = HARD[case]
    find(points, is_hard, settings=settings(generated, max_examples=400))


DTYPES = [np.float64, np.float32, torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize(("strategy", "ndim", "limit"), [(vectors, 1, 10), (matrices, 2, 50)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_options_of_the_strategies(strategy, ndim, limit, dtype):
    @generated
    @given(strategy(2, 3, extreme=False, dtype=dtype))
    def law(g):
        assert isinstance(g, torch.Tensor if isinstance(dtype, torch.dtype) else np.ndarray)
        assert g.dtype == dtype
        assert g.ndim == ndim
        assert all(2 <= side <= 3 for side in g.shape)
        assert all(a == 0 or 0.999e-3 <= abs(a) <= limit for a in g.ravel().tolist())

    law()


@pytest.mark.parametrize("strategy", [vectors, matrices])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_reaches_its_ends_and_does_not_leave_them(strategy, dtype):
    limits, sizes = (torch if isinstance(dtype, torch.dtype) else np).finfo(dtype), []

    @settings(generated, max_examples=150)
    @given(strategy(dtype=dtype))
    def law(g):
        sizes.append(float(abs(g).max()))

    law()
    assert max(sizes) < float("inf")
    assert max(sizes) > float(limits.max) ** 0.5
    assert any(0 < size < float(limits.tiny) for size in sizes)


@given(vectors(extreme=False))
def test_without_extremes_a_norm_that_squares_will_do(g):
    assert_lmo(without_scaling, np.linalg.norm, g)


@pytest.mark.parametrize("dtype", [np.float32, torch.float32])
def test_in_float32_a_ten_thousandth_is_no_rounding(dtype):
    """16 spacings are 2e-6."""

    @generated
    @given(vectors(dtype=dtype).filter(lambda g: g.any()))
    def law(g):
        signs = torch.sign if isinstance(dtype, torch.dtype) else np.sign
        assert_lmo(lambda g: -signs(g), "linf", g)
        with pytest.raises(AssertionError, match="not a minimizer"):
            assert_lmo(lambda g: -signs(g) * 0.9995, "linf", g)

    law()


def test_single_entries_are_tried():
    """Next to the minimizer -e_0 of the l1 ball, among 40 entries, no random step helps."""
    g = np.linspace(0.5, 0.3, 40)
    g[0] = 1.0

    def nearly_greedy(g):
        x = np.zeros(40)
        x[:2] = 1e-6 - 1, -1e-6
        return x

    with pytest.raises(AssertionError, match="y is feasible") as raised:
        assert_lmo(nearly_greedy, lambda x: abs(x).sum(), g)
    assert "<g, y> = -1" in str(raised.value).splitlines()


class Doubled:
    """2 ||x||_inf as an object."""

    def value(self, x):
        return 2 * abs(x).max()

    def dual(self, g):
        return abs(g).sum() / 2

    def __repr__(self):
        return "Doubled()"


def test_an_object_with_value_and_dual_is_a_norm():
    g = np.array([1.0, -2.0])
    assert_lmo(lambda g: -np.sign(g) / 2, Doubled(), g)
    with pytest.raises(AssertionError, match=r"norm: Doubled\(\)"):
        assert_lmo(lambda g: -np.sign(g) / 2.1, Doubled(), g)
    with pytest.raises(AssertionError, match=r"does not attain the dual value: \|\|g\|\|_\* = 3"):
        assert_lmo(lambda g: -np.sign(g) / 2, Doubled(), g, dual=lambda g: abs(g).sum())


@pytest.mark.parametrize("g", [np.array([1, 2, 2]), torch.tensor([1, 2, 2])])
def test_integers_are_judged_as_numbers(g):
    def length(x):
        return (x * x).sum() ** 0.5

    assert_lmo(lambda g: -g / length(g), length, g)
    with pytest.raises(AssertionError, match="outside the ball"):
        assert_lmo(lambda g: -0.99 * (g / g), length, g)


# what a caller relies on: the reports that these reduce are named where there is one


def orthogonalized(copies):
    """Newton-Schulz, with a division in place after a cast that copies nothing where the type is right.

    The review of pytorch/pytorch#190597.
    """

    def lmo(g):
        x = g.to(torch.float32, copy=copies)
        x.div_(x.norm().clamp(min=1e-7))
        for _ in range(30):
            x = 1.5 * x - 0.5 * x @ x.mT @ x
        return -x.to(g.dtype)

    return lmo


@pytest.mark.parametrize("g", [torch.tensor([[4.0]]), torch.tensor([[1.0, 2], [3, 4]])], ids=["number", "matrix"])
def test_an_argument_that_is_normalized_in_place_is_caught(g):
    assert_lmo(orthogonalized(True), "spectral", g)
    with pytest.raises(AssertionError, match="lmo changed its argument, g, into"):
        assert_lmo(orthogonalized(False), "spectral", g)


def corners(scaled):
    """The vertices l_i e_i and u_i e_i, chosen by |g_i| or by the value there: ZIB-IOL/FrankWolfe.jl#298."""
    low, up = -np.array([1.0, 4.0, 0.5]), np.array([2.0, 4.0, 0.5])

    def lmo(g):
        l, u, x = low[: len(g)], up[: len(g)], np.zeros_like(g)
        i = np.minimum(g * l, g * u).argmin() if scaled else np.abs(g).argmax()
        x[i] = l[i] if g[i] > 0 else u[i]
        return x

    def gauge(x):
        return float(np.maximum(x / up[: len(x)], x / low[: len(x)]).sum())

    return lmo, gauge


def test_a_vertex_that_is_chosen_unscaled_is_caught():
    lmo, gauge = corners(scaled=False)
    with pytest.raises(AssertionError, match=r"<g, y> is smaller(.*\n)*y = array\(\[ 0., -4.\]\)\n<g, y> = -8$"):
        assert_lmo(lmo, gauge, np.array([3.0, 2.0]))

    @generated
    @given(vectors(max_size=3))
    def law(g):
        assert_lmo(*corners(scaled=True), g)

    law()


def test_a_division_by_the_norm_of_zero_is_caught():
    """ZIB-IOL/FrankWolfe.jl#79."""
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(AssertionError, match=r"lmo\(g\) is not finite: array\(\[nan, nan\]\)"),
    ):
        assert_lmo(lambda g: -g / np.linalg.norm(g), "l2", np.zeros(2))
    assert_lmo(without_scaling, "l2", np.zeros(2))


def layers(axis):
    """The polar factor of layers (N, out, in, k) flattened from an axis on, of points (*N, out, in): microsoft/dion#121."""

    def lmo(g):
        stack = g.reshape(-1, *g.shape[-2:], 1)
        u, _, vh = torch.linalg.svd(stack.flatten(axis), full_matrices=False)
        return -(u @ vh).reshape(g.shape)

    return lmo


def flattened_with_the_stack(g):
    """Right for one matrix, which has no axis to be flattened."""
    u, _, vh = np.linalg.svd(g.reshape(g.shape[0], -1), full_matrices=False)
    return -(u @ vh).reshape(g.shape)


def test_layers_that_are_orthogonalized_together_are_caught():
    g = torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64)
    assert_lmo(layers(2), "spectral", g, stack=True)
    with pytest.raises(AssertionError, match="not a minimizer"):
        assert_lmo(layers(1), "spectral", g, stack=True)
    assert_lmo(flattened_with_the_stack, "spectral", g.numpy())
    with pytest.raises(AssertionError, match="asked at a stack of 3 points, of which g is number 0: "):
        assert_lmo(flattened_with_the_stack, "spectral", g.numpy(), stack=True)


STACKED = {
    "largest of all": ("linf", lambda g: -g / abs(g).max()),
    "norm of all": ("l2", lambda g: -g / np.linalg.norm(g)),
    "the first": ("linf", lambda g: -np.sign(np.broadcast_to(g.reshape(-1, g.shape[-1])[0], g.shape))),
    "one shape only": ("linf", lambda g: -np.sign(g[: len(g) if g.ndim == 1 else 1])),
    "raises": ("l1", greedy),
}


@pytest.mark.parametrize("slip", STACKED)
def test_what_is_right_alone_only_is_caught_on_a_stack(slip):
    name, lmo = STACKED[slip]
    g = np.array([3.0, -3.0, 3.0])
    assert_lmo(lmo, name, g)
    with pytest.raises(AssertionError, match="asked at a stack of 3 points"):
        assert_lmo(lmo, name, g, stack=True)


@generated
@given(matrices(extreme=False))
def test_a_right_lmo_of_stacks_passes(g):
    def polar(g):
        u, _, vh = np.linalg.svd(g, full_matrices=False)
        return -u @ vh

    assert_lmo(polar, "spectral", g, stack=True)
    assert_lmo(lambda g: -np.sign(g), "max_abs", g, stack=True)


def test_a_buffer_that_is_used_again_is_caught():
    buffer = np.zeros(2)

    def lmo(g):
        np.negative(np.sign(g), out=buffer)
        return buffer

    with pytest.raises(AssertionError, match=r"lmo\(g\) was array\(\[-1.,  1.\]\) until lmo was called again, at -g"):
        assert_lmo(lmo, "linf", np.array([1.0, -2.0]))
    assert_lmo(lambda g: lmo(g).copy(), "linf", np.array([1.0, -2.0]))


@pytest.mark.parametrize(
    ("g", "lmo", "what"),
    [
        (np.ones(2, np.float32), lambda g: -np.sign(g).astype(float), "float64, g has float32"),
        (torch.ones(2), lambda g: -torch.sign(g).double(), "torch.float64, g has torch.float32"),
        (torch.ones(2).double(), lambda g: -torch.sign(g).float(), "torch.float32, g has torch.float64"),
        (np.array([1.0, -2.0]), lambda g: (-np.sign(g)).astype(int), "int64, g has float64"),
    ],
    ids=["numpy up", "torch up", "torch down", "integers"],
)
def test_another_dtype_is_caught(g, lmo, what):
    with pytest.raises(AssertionError, match=rf"lmo\(g\) has dtype {what}"):
        assert_lmo(lmo, "linf", g)
    assert_lmo(lambda g: [-float(a > 0) for a in g] if (g > 0).all() else -np.sign(g), "linf", np.ones(2))  # a list has none


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324, 1e8])
def test_what_is_wrong_at_every_size_is_shown_at_a_moderate_one(scale):
    g = np.array([3.0, -4.0]) * scale
    with pytest.raises(AssertionError) as raised:
        assert_lmo(lambda g: np.sign(g), "linf", g)
    shown = next(line for line in str(raised.value).splitlines() if line.startswith("g = "))
    entries = [abs(float(part)) for part in shown.removeprefix("g = array([").removesuffix("])").split(",")]
    assert entries == pytest.approx([entries[1] * 0.75, entries[1]])
    assert 0.5 <= entries[1] <= 1


def test_what_is_wrong_at_its_own_size_only_is_shown_there():
    with np.errstate(over="ignore"), pytest.raises(AssertionError, match=r"g = array\(\[3.e\+300, 4.e\+300\]\)"):
        assert_lmo(without_scaling, "l2", np.array([3e300, 4e300]))


def test_the_operator_norm_is_the_spectral_one():
    g = np.array([[3.0, 1.0], [0.0, -6.0]])
    assert_lmo(spectral, "operator", g)
    with pytest.raises(AssertionError, match="norm: operator"):
        assert_lmo(nuclear, "operator", g)
