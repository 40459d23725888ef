"""Faults that people met in oracles, problems, rates and readers: the faulty one is named, the corrected one passes."""

import math
import re

import numpy as np
import pytest
import torch
from ratewitness.problems.certify.certify import violations
from ratewitness.problems.data.tables import DataError, from_file, load_table
from ratewitness.problems.problem import Constants, FiniteSum, deterministic
from ratewitness.solvers.norms.testing import assert_lmo
from ratewitness.studies.judges import bound_holds

F64 = torch.float64


def found(problem):
    """The names of the checks that fail."""
    lines = violations(problem, torch.Generator().manual_seed(0), points=24, climbs=10)
    return {re.search(": (.*) is violated", line)[1] for line in lines}


def function(gap, grad, start, minimizer, smoothness=math.inf, **claims):
    start, minimizer = (torch.as_tensor(x, dtype=F64) for x in (start, minimizer))
    claims = {"convex": True, "name": "mine", "certificate": "", "floor": 1e-24, **claims}
    shape = tuple(start.shape)
    return deterministic(shape=shape, gap=gap, grad=grad, start=start, minimizer=minimizer, smoothness=smoothness, **claims)


class TestOracles:
    """Of the hull of l_i e_i and u_i e_i, ZIB-IOL/FrankWolfe.jl#298, and of a ball, #79."""

    LOW, UP = np.array([-1.0, -4.0, -0.5]), np.array([2.0, 4.0, 0.5])

    def gauge(self, x):
        return float(np.maximum(x / self.UP, x / self.LOW).sum())

    def hull(self, scaled):
        def lmo(g):
            value = np.minimum(g * self.LOW, g * self.UP) if scaled else -np.abs(g)
            i, x = value.argmin(), np.zeros(3)
            x[i] = self.LOW[i] if g[i] > 0 else self.UP[i]
            return x

        return lmo

    @pytest.mark.parametrize("g", [[3.0, 2.0, 0.0], [-3.0, 2.0, 1.0], [1.0, -0.3, 2.0], [0.0, 0.0, 1.0]])
    def test_a_vertex_is_chosen_by_the_scaled_entry(self, g):
        assert_lmo(self.hull(True), self.gauge, np.array(g))
        if g[:2] != [0.0, 0.0]:
            with pytest.raises(AssertionError, match="is not a minimizer: y is feasible"):
                assert_lmo(self.hull(False), self.gauge, np.array(g))

    def test_no_nan_at_zero(self):
        def lmo(g, right):
            length = np.linalg.norm(g)
            with np.errstate(invalid="ignore"):
                return np.zeros_like(g) if right and length == 0 else -g / length

        for g in (np.zeros(2), np.array([3.0, -4.0])):
            assert_lmo(lambda g: lmo(g, True), "l2", g)
        with pytest.raises(AssertionError, match="is not finite"):
            assert_lmo(lambda g: lmo(g, False), "l2", np.zeros(2))


@pytest.mark.parametrize("L", [1.0, math.inf], ids=["L", "no L"])
class TestHuber:
    """marlbenchmark/on-policy#47: the linear piece on one side only; and the sign of a gradient."""

    def huber(self, L, sides=2, grad=lambda x: x.clamp(-1, 1)):
        def gap(x):
            e = x.squeeze(-1)
            far = (e if sides == 1 else e.abs()) > 1
            return torch.where(e.abs() <= 1, e**2 / 2, 0.0) + torch.where(far, e.abs() - 0.5, 0.0)

        return function(gap, grad, [3.0], [0.0], L)

    def test_two_sides(self, L):
        assert found(self.huber(L)) == set()

    def test_one_side(self, L):
        assert "gap's gradient" in found(self.huber(L, sides=1))

    def test_one_side_with_the_gradient_that_it_has(self, L):
        wrong = self.huber(L, sides=1, grad=lambda x: torch.where(x < -1, 0.0, x.clamp(-1, 1)))
        assert "convexity between points" in found(wrong)

    def test_a_gradient_of_the_wrong_sign(self, L):
        assert {"gap's gradient", "convexity"} <= found(self.huber(L, grad=lambda x: -x.clamp(-1, 1)))


@pytest.mark.parametrize("L", [1.0, math.inf], ids=["L", "no L"])
def test_the_factor_alpha_of_a_pseudo_huber_gradient(L):
    """RubixML/ML#446."""
    alpha = 0.5

    def pseudo(factor):
        def gap(x):
            squares = (x / alpha).square().sum(-1)
            return alpha**2 * squares / ((1 + squares).sqrt() + 1)

        return function(gap, lambda x: factor * x / (x**2 + alpha**2).sqrt(), [2.0], [0.0], L)

    assert found(pseudo(alpha)) == set()
    assert "gap's gradient" in found(pseudo(1.0))


@pytest.mark.parametrize("L", [1 / 3, math.inf], ids=["L", "no L"])
def test_a_gradient_n_outputs_times_too_long(L):
    """scikit-learn/scikit-learn#8349: the loss is a mean over outputs, the gradient a sum."""

    def one_row(outputs):
        return function(
            lambda w: w.square().mean((-2, -1)) / 2, lambda w: w / outputs, torch.ones(1, 3), torch.zeros(1, 3), L
        )

    assert found(one_row(3)) == set()
    assert "gap's gradient" in found(one_row(1))


def test_a_smoothness_without_the_penalty():
    """scikit-learn-contrib/lightning#67: squared loss of a row of norm 1, and penalty 1."""
    row = torch.tensor([0.6, 0.8], dtype=F64)

    def ridge(L):
        return function(
            lambda x: ((x @ row) ** 2 + x.square().sum(-1)) / 2,
            lambda x: (x @ row).unsqueeze(-1) * row + x,
            [3.0, -1.0],
            [0.0, 0.0],
            L,
        )

    assert found(ridge(2.0)) == set()
    assert {"smoothness", "component smoothness", "smoothness between points"} <= found(ridge(1.0))


def two_signs(variance, L=1.0):
    """x^2/2 as the mean of x^2/2 + x and x^2/2 - x: one gradient has variance 1."""
    sign = torch.tensor([1.0, -1.0], dtype=F64)
    return FiniteSum(
        name="two signs", n=2, shape=(1,), gap=lambda x: x.square().sum(-1) / 2, grad=lambda x: x,
        sample_grad=lambda x, index: x + sign[index].mean(-1, keepdim=True), start=torch.tensor([2.0], dtype=F64),
        minimizer=torch.zeros(1, dtype=F64), floor=1e-28,
        constants=Constants(
            smoothness=L, pl=1.0, strong_convexity=1.0, convex=True, component_smoothness=L, variance=variance,
            variance_at_minimizer=variance, optimum=0.0, optimum_error=0.0, certificate="",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("L", [1.0, math.inf], ids=["L", "no L"])
def test_the_variance_of_a_batch_for_that_of_one(L):
    """wjmaddox/swa_gaussian#1: of a batch of 4."""
    assert found(two_signs(1.0, L)) == set()
    assert found(two_signs(1 / 4, L)) == {"variance", "variance at the minimizer"}


@pytest.mark.parametrize("stated", [[1.0, 2.0], [1.0, 0.5]], ids=["right", "wrong"])
@pytest.mark.parametrize("relative", [False, True], ids=["f* = 0", "f* of the stated"])
def test_a_minimizer_that_is_none(stated, relative):
    """AxelThevenot/Python_Benchmark_Test_Optimization_Function_Single_Objective#8: Perm(2, 1/2), without a known L."""
    j, k = torch.arange(1.0, 3, dtype=F64), torch.arange(1.0, 3, dtype=F64).unsqueeze(-1)

    def value(x):
        return ((j**k + 0.5) * ((x.unsqueeze(-2) / j) ** k - 1)).sum(-1).square().sum(-1)

    def grad(x):
        inner = ((j**k + 0.5) * ((x.unsqueeze(-2) / j) ** k - 1)).sum(-1, keepdim=True)
        return (2 * inner * (j**k + 0.5) * k * (x.unsqueeze(-2) / j) ** (k - 1) / j).sum(-2)

    lowest = value(torch.tensor(stated, dtype=F64)) if relative else 0.0
    problem = function(lambda x: value(x) - lowest, grad, [2.0, 2.0], stated, convex=False)
    seen = found(problem)
    if stated == [1.0, 2.0]:
        assert seen == set()
    else:
        assert seen >= {"gradient at the minimizer", "f* as infimum" if relative else "gap at the minimizer"}


def test_a_rate_without_the_step():
    """PerformanceEstimation/PEPit#117: the guarantee of one step of SGD is that of the step 1/L, whatever the step."""
    L, mu, v, R, step = 1.0, 0.1, 1.0, 2.0, 1.8
    c = 1 - mu / L
    stated = c**2 * R**2 / 2 + c * R / 2 * (c**2 * R**2 + 4 * v**2 / L**2) ** 0.5 + v**2 / L**2
    right = (step * (L - mu) * R / 2 + ((1 - step * (L + mu) / 2) ** 2 * R**2 + step**2 * v**2) ** 0.5) ** 2
    curvature, noise = np.array([L, mu]), np.array([v, -v])  # two components, which nearly attain it
    measured = [np.mean((R - step * (curvature * R + noise)) ** 2)]
    assert right == pytest.approx(11.6972, abs=1e-4)
    assert bound_holds(measured, stated).outcome == "refuted"
    holds = bound_holds(measured, right)
    assert holds.outcome == "supported"
    assert holds.evidence["power"] > 0.9999


def test_a_guarantee_twice_too_large():
    """PerformanceEstimation/PEPit#123: FISTA's L R^2 / lambda_n^2 is true, and never more than half used."""
    gaps, lam, L, curvature, R = [], [1.0], 1.0, 0.1, 1.0
    x = y = R
    for _ in range(12):
        gaps.append(curvature * x**2 / 2)
        lam.append((1 + math.sqrt(1 + 4 * lam[-1] ** 2)) / 2)
        before, x = x, y - curvature * y / L
        y = x + (lam[-2] - 1) / lam[-1] * (x - before)
    right = L * R**2 / (2 * np.array(lam[:-1]) ** 2)
    assert bound_holds(gaps, right).outcome == bound_holds(gaps, 2 * right).outcome == "supported"
    first = [L * R**2 / 2]  # before any step, where lambda is 1, on the parabola of curvature L
    assert bound_holds(first, right[:1]).evidence["power"] == 1.0
    assert bound_holds(first, 2 * right[:1]).evidence["power"] == 0.5


class TestReaders:
    def read(self, folder, text, name="a.svm", **options):
        (folder / name).write_text(text)
        return load_table(folder / name, **options)

    def test_indices_begin_at_one(self, tmp_path):
        """kunaldahiya/pyxclib#10: where they begin is not guessed."""
        with pytest.raises(DataError, match=r"line 1: '0:1' is no index:value pair; .* indices from 1 on"):
            self.read(tmp_path, "1 0:1 1:2\n-1 0:2 1:1\n")
        A, y = self.read(tmp_path, "1 1:1 2:2\n-1 1:2 2:1\n")
        assert (A.tolist(), y.tolist()) == ([[1, 2], [2, 1]], [1, -1])
        assert self.read(tmp_path, "1 2:2\n-1 2:1\n")[0].tolist() == [[0, 2], [0, 1]]  # column 1 is there all the same

    def test_a_blank_after_the_colon(self, tmp_path):
        """mathurinm/libsvmdata#6: so LIBSVM's own file protein is written."""
        A, y = self.read(tmp_path, "0 21:1.00 42:1.00 63: .50\n1 21:0.5 42:2 63:1\n")
        assert (A.shape, A[0, 62], y.tolist()) == ((2, 63), 0.5, [0, 1])
        for text in ("1 1:2 3:\n", "1 1: 2:3\n", "1 1:2 3: # 4\n"):
            with pytest.raises(DataError, match=r"line 1: '.*' is not a number"):
                self.read(tmp_path, text)

    def test_a_pair_without_a_value(self, tmp_path):
        """dmlc/xgboost#4862."""
        with pytest.raises(DataError, match="line 2: '3' is no index:value pair"):
            self.read(tmp_path, "1 2:1 3:4\n1 3\n0 4:1\n")
        assert self.read(tmp_path, "1 2:1 3:4\n1 3:1\n0 4:1\n")[0].shape == (3, 4)

    def test_comments(self, tmp_path):
        A, y = self.read(tmp_path, "# made, by hand\n1 1:2 # a, b\n0 1:3\n")
        assert (A.tolist(), y.tolist()) == ([[2], [3]], [1, 0])

    @pytest.mark.parametrize("first", ["0,1,2", "1,2,3", "2019, 2020, 2021", '"0","1","2"'])
    def test_a_first_row_that_counts_is_asked_about(self, tmp_path, first):
        """ayrna/skordinal#149: pandas writes 0,1,2 above columns without names."""
        text = f"{first}\n1.5,2.5,1\n2.5,0.5,0\n0.1,0.2,1\n9,8,0\n"
        with pytest.raises(
            DataError, match=r"line 1: .* may number the columns or be data; accepted are header=True or False"
        ):
            self.read(tmp_path, text, "a.csv")
        assert self.read(tmp_path, text, "a.csv", header=True)[1].tolist() == [1, 0, 1, 0]
        assert self.read(tmp_path, text, "a.csv", header=False)[0].shape == (5, 2)
        assert self.read(tmp_path, "a,b,c\n" + text, "a.csv")[0].shape == (5, 2)
        assert from_file(tmp_path / "a.csv", header=True).n == 5

    @pytest.mark.parametrize("first", ["0.0,1.0,2.0", "0,1,1", "2,1,0", "5.1,3.5,0"])
    def test_other_first_rows_of_numbers_are_data(self, tmp_path, first):
        assert self.read(tmp_path, f"{first}\n1.5,2.5,1\n", "a.csv")[0].shape == (2, 2)

    @pytest.mark.parametrize("cell", ["1_000", "٣"])
    def test_what_python_alone_takes_for_a_number(self, tmp_path, cell):
        with pytest.raises(DataError, match="is not a number"):
            self.read(tmp_path, f"1 1:{cell}\n")
