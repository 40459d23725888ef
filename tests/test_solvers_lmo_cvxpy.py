"""Every LMO that cvxpy can express, solved by cvxpy as a linear minimization over the ball."""

import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from ratewitness.solvers.norms import lmo


def rows(x):
    return cp.max(cp.norm(x, 2, axis=1))


def columns(x):
    return cp.max(cp.norm(x, 2, axis=0))


def ky_fan_spectral(k, m, n):
    """sum of the k largest singular values: the k largest eigenvalues of the dilation [[0, X], [X^T, 0]]."""
    return lambda x: cp.lambda_sum_largest(cp.bmat([[np.zeros((m, m)), x], [x.T, np.zeros((n, n))]]), k)


VECTOR = {
    "l1": cp.norm1,
    "l1.5": lambda x: cp.pnorm(x, 1.5),
    "l2": lambda x: cp.pnorm(x, 2),
    "l3": lambda x: cp.pnorm(x, 3),
    "linf": cp.norm_inf,
    "ky_fan_2": lambda x: cp.sum_largest(cp.abs(x), 2),
}
MATRIX = {
    "frobenius": lambda x: cp.norm(x, "fro"),
    "spectral": cp.sigma_max,
    "nuclear": cp.normNuc,
    "max_abs": lambda x: cp.max(cp.abs(x)),
    "row": rows,
    "column": columns,
    "rms_to_rms": lambda x: math.sqrt(x.shape[1] / x.shape[0]) * cp.sigma_max(x),
    "l1_to_rms": lambda x: columns(x) / math.sqrt(x.shape[0]),
    "rms_to_linf": lambda x: math.sqrt(x.shape[1]) * rows(x),
    "sign": lambda x: x.shape[1] * cp.max(cp.abs(x)),
    "ky_fan_spectral_2": lambda x: ky_fan_spectral(2, *x.shape)(x),
}
G = np.random.default_rng(0).standard_normal
VECTORS = {"dense": G(5), "zeros and ties": np.array([0.0, 2, -2, 1, 0]), "short": G(2)}
MATRICES = {
    "tall": G((4, 3)),
    "wide": G((2, 4)),
    "rank one": np.outer([1.0, -2, 0], [3.0, 1, 1]),
    "repeated singular values": 2 * np.linalg.qr(G((3, 3)))[0],
}
CASES = {
    f"{name}, {case}": (name, norm, g)
    for norms, points in ((VECTOR, VECTORS), (MATRIX, MATRICES))
    for name, norm in norms.items()
    for case, g in points.items()
}
UNIQUE = {"l1.5", "l2", "l3", "frobenius"}
UNIQUE_IF_GENERIC = {*VECTOR, *MATRIX} - {"ky_fan_2", "ky_fan_spectral_2"}


@pytest.mark.parametrize(("name", "norm", "g"), CASES.values(), ids=CASES)
def test_no_point_of_the_ball_is_better(name, norm, g):
    x = cp.Variable(g.shape)
    least = cp.Problem(cp.Minimize(cp.sum(cp.multiply(g, x))), [norm(x) <= 1]).solve(solver=cp.CLARABEL)
    ours = lmo.NORMS[name].lmo(torch.from_numpy(g)).numpy()
    value = (g * ours).sum()
    assert value == pytest.approx(least, rel=1e-6)
    assert lmo.NORMS[name].dual(torch.from_numpy(g)).item() == pytest.approx(-least, rel=1e-6)
    # in the ball as cvxpy knows it; and where the minimizer is unique, it is ours
    assert norm(cp.Constant(ours)).value <= 1 + 1e-9
    if name in UNIQUE or (name in UNIQUE_IF_GENERIC and (g is VECTORS["dense"] or g is MATRICES["tall"])):
        np.testing.assert_allclose(x.value, ours, atol=2e-4)


def test_cvxpy_covers_every_norm_but_schatten():
    """Schatten norms beyond 1, 2 and inf are no atom of cvxpy."""
    assert {n for n in lmo.NORMS if n not in {*VECTOR, *MATRIX}} == {"schatten_1.5", "schatten_3"}
