r"""Exact second moments of SGD on quadratics.

    E x_{k+1}^2 = (1 - a lam)^2 E x_k^2 + a^2 sigma^2,     q = 1 - a lam,     Q = q^k
    E x_k^2     = Q^2 x_0^2 + a^2 sigma^2 (1 - Q^2)/(1 - q^2)

Hypotheses: one mode f(x) = lam x^2/2 with additive noise of mean zero and variance sigma^2, independent of
the past (for a finite sum, f_+-(x) = lam x^2/2 +- sigma x drawn uniformly).  The running sum S of the
iterates obeys a joint recursion with x, so the risk of an averaged iterate is exact too.  For least squares
the Hessian of the minibatch is random as well; its second moment follows from the first two inclusion
probabilities (``sampling.py``).  These are elementary identities: no Monte Carlo is needed to know what SGD
does on a quadratic.

The recursions take ints, Fractions, floats, numpy arrays or sympy expressions; a step may be one number or
one per iteration.  ``head`` averages x_0..x_{N-1}, otherwise x_1..x_N.
"""

from collections.abc import Sequence

import numpy as np
import sympy as sp
from ratewitness.theory.bounds import Delta, L, N, a, k, lam, sigma, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.sampling import pair_weights

x0 = sp.Symbol("x0", real=True)


def _per_step(step, steps: int):
    return list(step) if isinstance(step, Sequence | np.ndarray) and np.ndim(step) else [step] * steps


def second_moments(lam, step, sigma, start, steps: int) -> list:
    """E x_k^2 for k = 0..steps, from x_0 = start.

    >>> second_moments(1, [sp.Rational(1, j + 1) for j in range(3)], 1, 7, 3)
    [49, 1, 1/2, 1/3]
    """
    moments = [start**2]
    for size in _per_step(step, steps):
        moments.append((1 - size * lam) ** 2 * moments[-1] + size**2 * sigma**2)
    return moments


def momentum_second_moments(lam, step, momentum, sigma, start, steps: int, lookahead: bool = False) -> list:
    """E x_k^2 for k = 0..steps of heavy ball, or Nesterov's method if ``lookahead``, from x_0 = x_{-1} = start.

    x_{k+1} = y_k - a_k (lam z_k + noise), y_k = x_k + momentum (x_k - x_{k-1}), z_k = x_k or, looking ahead, y_k;
    the recursion is that of E x_k^2, E x_k x_{k-1}, E x_{k-1}^2.

    >>> half = sp.Rational(1, 2)
    >>> momentum_second_moments(1, half, half, 0, 1, 3), momentum_second_moments(1, half, half, 0, 1, 3, lookahead=True)
    ([1, 1/4, 0, 1/16], [1, 1/4, 1/64, 1/1024])
    """
    square = cross = before = start**2
    moments = [square]
    for size in _per_step(step, steps):
        shrink = 1 - size * lam
        now = shrink * (1 + momentum) if lookahead else shrink + momentum
        past = -shrink * momentum if lookahead else -momentum
        after = now**2 * square + 2 * now * past * cross + past**2 * before + size**2 * sigma**2
        square, cross, before = after, now * square + past * cross, square
        moments.append(square)
    return moments


def _joint(q, kick, square, cross, total, head):
    """One step of (E x^2, E x S, E S^2): S takes x before the step (head) or after it; kick = a^2 sigma^2."""
    if head:
        total, cross = total + 2 * cross + square, cross + square
        return q**2 * square + kick, q * cross, total
    square, cross = q**2 * square + kick, q * cross
    return square, cross + square, total + 2 * cross + square


def average_second_moment(lam, step, sigma, start, steps: int, head: bool = False):
    """E of the squared average of x_1..x_N (or x_0..x_{N-1}), N = steps.

    >>> average_second_moment(1, sp.Rational(1, 2), 0, 1, 2), average_second_moment(1, sp.Integer(1), 1, 5, 3)
    (9/64, 1/3)
    """
    state = (start**2, 0, 0)
    for size in _per_step(step, steps):
        state = _joint(1 - size * lam, size**2 * sigma**2, *state, head)
    return state[2] / steps**2


def closed(q, power, kick, count, head):
    """(E x^2, E x S, E S^2) after ``count`` constant steps, with q^count written as ``power``."""
    geometric, squares = (1 - power) / (1 - q), (1 - power**2) / (1 - q**2)
    first = 1 if head else q  # the tail sum starts one step later, so its bias carries one more factor q
    square = power**2 * x0**2 + kick * squares
    if head:
        cross = kick / (1 - q) * (geometric - squares)
        total = kick / (1 - q) ** 2 * (count - 2 * geometric + squares)
    else:
        cross = kick / (1 - q) * (geometric - q * squares)
        total = kick / (1 - q) ** 2 * (count - 2 * q * geometric + q**2 * squares)
    bias = first * geometric * x0
    return square, power * x0 * bias + cross, bias**2 + total


second_moment = closed(1 - a * lam, (1 - a * lam) ** k, a**2 * sigma**2, k, False)[0]
average_moment = closed(1 - a * lam, (1 - a * lam) ** N, a**2 * sigma**2, N, False)[2] / N**2
head_average_moment = closed(1 - a * lam, (1 - a * lam) ** N, a**2 * sigma**2, N, True)[2] / N**2

_q, _p = 1 - a * lam, 1 - a * L
gradient_square_bias = 2 * lam * Delta * (1 - _q ** (2 * N)) / ((1 - _q**2) * N)
gradient_square_noise = a * L * sigma**2 / (2 - a * L) * (1 - (1 - _p ** (2 * N)) / (N * (1 - _p**2)))
# (1/N) sum_{k<N} E||grad f(x_k)||^2 for f = lam x^2/2 + L y^2/2, noise on y only, y_0 = 0, lam x_0^2/2 = Delta
two_mode_average = gradient_square_bias + gradient_square_noise


@identity(excess=1)
def closed_forms(excess=0) -> bool:
    """Induction for E x^2, E x S, E S^2, both averages: right at k = 0, and one step of the recursion is k -> k+1."""
    q, power, kick, count = sp.symbols("q Q kick count")
    for head in (False, True):
        now = [term + excess * count * kick for term in closed(q, power, kick, count, head)]
        after = [term + excess * (count + 1) * kick for term in closed(q, q * power, kick, count + 1, head)]
        start = [term.subs({power: 1, count: 0}) for term in now]
        steps = zip(after, _joint(q, kick, *now, head), strict=True)
        if start != [x0**2, 0, 0] or any(sp.cancel(sp.expand(u - v)) != 0 for u, v in steps):
            return False
    return True


@identity(noise=2)
def two_mode_closed_form(noise=1) -> bool:
    """N times the average grows by E||grad f(x_N)||^2 = lam^2 E x_N^2 + L^2 E y_N^2 when N does, and starts at 0."""
    qN, pN = sp.symbols("qN pN", positive=True)

    def total(count, q_power, p_power):
        bias = 2 * lam * Delta * (1 - q_power**2) / (1 - _q**2)
        return bias + a * L * sigma**2 / (2 - a * L) * (count - noise * (1 - p_power**2) / (1 - _p**2))

    same = N * two_mode_average - total(N, _q**N, _p**N)
    square = closed(_q, qN, 0, N, False)[0].subs(x0**2, 2 * Delta / lam)
    other = closed(_p, pN, a**2 * sigma**2, N, False)[0].subs(x0, 0)
    growth = total(N + 1, _q * qN, _p * pN) - total(N, qN, pN) - lam**2 * square - L**2 * other
    return vanishes(same) and sp.cancel(sp.expand(growth)) == 0 and total(0, 1, 1) == 0


def least_squares_moments(features, targets, start, step, batch: int, steps: int, replacement: bool = False):
    """E x_k (steps+1, d) and E x_k x_k^T (steps+1, d, d) of minibatch SGD on (1/2n) sum_i (<a_i, x> - y_i)^2.

    features (n, d), targets (n,), start (d,).  The batch is drawn afresh at each step.  Exact although the
    minibatch Hessian is random: E[g_B g_B^T | x] = w1 sum_i g_i g_i^T + w2 (sum_i g_i)(sum_i g_i)^T.

    >>> mean, square = least_squares_moments(np.eye(2), np.zeros(2), np.ones(2), 1.0, 1, 1)
    >>> mean[1].tolist(), square[1].tolist()
    ([0.5, 0.5], [[0.5, 0.0], [0.0, 0.5]])
    """
    n = len(targets)
    own, shared = pair_weights(n, batch, replacement)
    hessian, pull = features.T @ features / n, features.T @ targets / n
    mean, square = [np.array(start)], [np.outer(start, start)]
    for size in _per_step(step, steps):
        x, P = mean[-1], square[-1]
        gradient = hessian @ x - pull
        gx = hessian @ P - np.outer(pull, x)  # E[g x^T]
        gg = gx @ hessian - np.outer(gradient, pull)  # E[g g^T] of the full gradient
        residuals = ((features @ P) * features).sum(1) - 2 * targets * (features @ x) + targets**2
        noisy = own * (features.T * residuals) @ features + shared * n**2 * gg
        mean.append(x - size * gradient)
        P = P - size * (gx + gx.T) + size**2 * noisy
        square.append((P + P.T) / 2)  # the recursion amplifies an antisymmetric rounding error
    return np.array(mean), np.array(square)
