r"""Multiclass logistic regression, plain or l2-regularized; the point is a matrix W of d features by K classes.

    f(W) = (1/n) sum_i [log sum_k exp(a_i^T w_k) - a_i^T w_{y_i}] + (l2/2) ||W||_F^2,        y_i in {0, ..., K-1}

Along V, with u_i = V^T a_i and p_i the probabilities, f'' = (1/n) sum_i Var_{p_i}(u_i) + l2 ||V||_F^2. A variance is at
most a quarter of the range squared, hence at most ||u||^2/2, attained by u = e_j - e_k at p_j = p_k = 1/2. So, with the
eigenvalues lambda_1 >= lambda_2 >= ... of A^T A/n, L in l2 and L of ||grad f(x) - grad f(y)||_* <= L ||x - y|| are

    l2:        lambda_1/2 + l2,  and ||a_i||^2/2 + l2 for a component        sharp in the limit when A has a constant column
    spectral:  (lambda_1 + ... + lambda_r)/2 + l2 min(d, K),  r = min(d, K-1)                              sharp for K = 2
    linf:      (1/n) sum_i ||a_i||_1^2 + l2 d K,  as the entries of u_i are at most ||a_i||_1        not sharp in general

Spectral: the variance does not see the mean of u, so V may be taken with V 1 = 0, hence of rank r, and (1/n) sum_i
||V^T a_i||^2 = tr(V V^T A^T A/n) with 0 <= V V^T <= I is at most the sum of the r largest eigenvalues (Ky Fan).

mu = l2. Without penalty f does not change along W + v 1^T: strong convexity is 0, and as f has no growth far out there is
no global PL constant either. Minimizers then are a set; the nearest to the start has the row sums of the start.

Noise: a component is a_i (p_i - e_{y_i})^T, of squared norm at most 2 ||a_i||^2. Also p_i = 1/K + t_i with ||t_i||^2 <=
1 - 1/K, and the triangle inequality gives sigma <= std(a_i (1/K - e_{y_i})^T) + sqrt(1 - 1/K) rms(a_i). The smaller one.

The minimizer is found by Newton's method and its value certified. For l2 > 0, f - f* <= ||grad f||^2/(2 l2). For l2 = 0 the
third derivative along V is a mean of third central moments, at most the range times the variance: |f'''| <= r f'' along
unit matrices with r = sqrt 2 max ||a_i||, and the argument of `problems/data/logistic.py` holds word for word, with m the
smallest eigenvalue of the Hessian on the matrices V = A^T B with V 1 = 0. Where Newton's method meets a W that ranks the
right class first in every row, the data are separable: f* = 0, and no minimizer.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.data.tables import design
from ratewitness.problems.problem import Constants, FiniteSum
from torch import Generator, Tensor
from torch.nn.functional import one_hot, softplus

UNIT = 2.0**-53


def softmax(
    A: Tensor, y: Tensor, l2: float = 0.0, classes: int | None = None, start: Tensor | None = None, name: str = "softmax"
) -> FiniteSum:
    """Softmax regression with rows A (n, d), labels y (n,) in 0, ..., classes - 1 and start (d, classes), by default 0.

    classes: by default the largest label + 1. Raises ValueError for shapes that do not fit, rows that are not finite, labels
    that are not such integers, negative l2, and plain data for which neither a minimizer nor separability is certified.
    """
    A, y = torch.as_tensor(A, dtype=torch.float64), torch.as_tensor(y)
    if A.ndim != 2 or y.shape != A.shape[:1] or not len(A):
        raise ValueError(f"A and y have shapes {tuple(A.shape)} and {tuple(y.shape)}; accepted are (n, d) and (n,)")
    if not A.isfinite().all():
        raise ValueError("A holds inf or nan; accepted are finite numbers")
    K = int(y.max()) + 1 if classes is None else classes
    if K < 2 or y.is_floating_point() or not ((y >= 0) & (y < K)).all():
        raise ValueError(f"y holds {y.unique()[:8].tolist()}; accepted are integers 0, ..., {K - 1}, at least two classes")
    if not l2 >= 0:
        raise ValueError(f"l2 is {l2}; accepted are numbers >= 0")
    n, d = A.shape
    Y = one_hot(y.long(), K).to(torch.float64)
    start = torch.zeros(d, K, dtype=torch.float64, device=A.device) if start is None else start.to(torch.float64)

    def grad(x):
        return A.mT @ ((A @ x).softmax(-1) - Y) / n + l2 * x

    def sample_grad(x, index):
        a = A.index_select(0, index.flatten()).view(*index.shape, d)
        error = (a @ x).softmax(-1) - Y.index_select(0, index.flatten()).view(*index.shape, K)
        return a.mT @ error / index.shape[-1] + l2 * x

    x = _newton(A, Y, l2, start)
    if x is None:
        certified, noise = (0.0, 0.0, 1e-290), None

        def gap(x):
            return _loss(A @ x, Y).mean(-1)
    else:
        p, certified = (A @ x).softmax(-1), _certified(A, Y, l2, x, grad(x))
        noise = A.unsqueeze(-1) * (p - Y).unsqueeze(-2)

        def gap(at):
            return _bregman(p, A @ (at - x)).mean(-1) + l2 / 2 * (at - x).square().sum((-2, -1))

    eigenvalues = torch.linalg.eigvalsh(A.mT @ A / n).flip(0) * (1 + 4 * (n + d) * UNIT)
    squares = A.square().sum(-1)
    uniform = squares.mean() * (1 - 1 / K) - (A.mT @ (1 / K - Y) / n).square().sum()
    sigma = min((2 * squares.mean()).sqrt(), uniform.clamp(min=0).sqrt() + (squares.mean() * (1 - 1 / K)).sqrt())
    return FiniteSum(
        name=name,
        n=n,
        shape=(d, K),
        gap=gap,
        grad=grad,
        sample_grad=sample_grad,
        start=start,
        minimizer=x,
        constants=Constants(
            smoothness=float(eigenvalues[0]) / 2 + l2,
            pl=float(l2),
            strong_convexity=float(l2),
            convex=True,
            component_smoothness=float(squares.max()) * (1 + d * UNIT) / 2 + l2,
            variance=float(sigma) ** 2 * (1 + n * UNIT),
            variance_at_minimizer=math.nan if x is None else float((noise - noise.mean(0)).square().sum((-2, -1)).mean()),
            optimum=certified[0],
            optimum_error=certified[1],
            certificate="L: half the largest eigenvalue of A^T A/n, as a variance is at most half the squares, plus l2, in "
            "the spectral norm Ky Fan's sum of eigenvalues, in linf the mean of ||a||_1^2; mu: the curvature l2 of the "
            "penalty; sigma2: probabilities in the simplex, not sharp; f*: "
            + ("separable, the infimum 0 is not attained" if x is None else "Newton, gradient norm and convexity"),
            smoothness_in={
                "spectral": float(eigenvalues[: min(d, K - 1)].sum()) / 2 + l2 * min(d, K),
                "linf": float(A.abs().sum(-1).square().mean()) * (1 + (n + d) * UNIT) + l2 * d * K,
            },
        ),
        floor=certified[2],
    )


def _loss(z: Tensor, Y: Tensor) -> Tensor:
    """log sum_k e^{z_k} - z_y > 0 without cancellation: (*batch, n, K) -> (*batch, n)."""
    own = (z * Y).sum(-1)
    return softplus(z.masked_fill(Y.bool(), -math.inf).logsumexp(-1) - own, threshold=700)


def _bregman(p: Tensor, delta: Tensor) -> Tensor:
    """log sum_k p_k e^{delta_k} - <p, delta> >= 0, to full relative precision for small delta: (..., K) -> (...,).

    With c = delta - <p, delta>, of mean 0 under p, this is log(1 + sum_k p_k h(c_k)), h(c) = e^c - 1 - c >= 0.
    """
    c = delta - (p * delta).sum(-1, keepdim=True)
    series = c**2 / 2 * (1 + c / 3 * (1 + c / 4 * (1 + c / 5 * (1 + c / 6 * (1 + c / 7 * (1 + c / 8))))))
    near = torch.where(c.abs() < 0.03, series, torch.expm1(c.clamp(max=500)) - c)
    far = (p.log() + c).logsumexp(-1)
    return torch.where(c.amax(-1) < 500, torch.log1p((p * near).sum(-1)), far)


def _hessian(A: Tensor, p: Tensor, l2: float) -> Tensor:
    """The Hessian at probabilities p (n, K), as a matrix on W.flatten(): (d K, d K)."""
    (n, d), K = A.shape, p.shape[-1]
    pairs = (A.unsqueeze(-1) * p.unsqueeze(-2)).flatten(1)  # a_i p_k, (n, d K)
    H = -(pairs.mT @ pairs / n).view(d, K, d, K)
    within = (A.mT @ (A * p.mT.unsqueeze(-1)) / n).permute(1, 2, 0)  # class by class, (d, d, K)
    H.diagonal(dim1=1, dim2=3).add_(within)
    H = H.reshape(d * K, d * K)
    H.diagonal().add_(l2)
    return H


def _newton(A: Tensor, Y: Tensor, l2: float, x: Tensor) -> Tensor | None:
    """Newton's method with halved steps until the value no longer falls, then two full steps; None for separable data."""
    n = len(A)

    def value(x):
        return _loss(A @ x, Y).mean() + l2 / 2 * x.square().sum()

    def direction(x):
        p = (A @ x).softmax(-1)
        g, H = (A.mT @ (p - Y) / n + l2 * x).flatten(), _hessian(A, p, l2)
        # the pseudo-inverse leaves the null space alone, so that the minimizer stays the one nearest to the start
        v = torch.linalg.solve(H, g) if l2 > 0 else torch.linalg.pinv(H, hermitian=True) @ g
        return v.view_as(x)

    for _ in range(200):
        if l2 == 0 and _separates(A, Y, x):
            return None
        v, t = direction(x), 1.0
        while t > 1e-10 and not value(x - t * v) < value(x):
            t /= 2
        if t <= 1e-10:
            break
        x = x - t * v
    for _ in range(2):
        x = x - direction(x)
    return x


def _separates(A: Tensor, Y: Tensor, x: Tensor) -> bool:
    """Whether the right class has the largest score in every row, beyond rounding."""
    z = A @ x
    margin = (z * Y).sum(-1) - z.masked_fill(Y.bool(), -math.inf).amax(-1)
    return bool((margin > 4 * A.shape[1] * UNIT * (A.abs() @ x.abs()).amax(-1)).all())


def _certified(A: Tensor, Y: Tensor, l2: float, x: Tensor, g: Tensor) -> tuple[float, float, float]:
    """(f*, error of f*, floor of the gap) from the gradient g at the computed minimizer x."""
    (n, d), K = A.shape, Y.shape[-1]
    eigenvalues = torch.linalg.eigvalsh(_hessian(A, (A @ x).softmax(-1), l2))
    rounding = (d + K + 8) * UNIT
    g = float(g.norm()) + rounding * float(2 * A.norm(dim=-1).mean() + l2 * x.norm())
    error = 4 * max(n, d * K) * UNIT * float(eigenvalues[-1])  # of the eigenvalues computed
    m = float(eigenvalues[-int(torch.linalg.matrix_rank(A)) * (K - 1)]) - error if l2 == 0 else l2
    r = 2**0.5 * float(A.norm(dim=-1).max())
    if l2 == 0 and not r * g <= m / 4:
        raise ValueError(f"no minimizer certified: gradient {g:.2g}, curvature {m:.2g} (is the data quasi-separable?)")
    f = float(_loss(A @ x, Y).mean() + l2 / 2 * x.square().sum())
    error = g**2 / (1.6 * m if l2 == 0 else 2 * m) + rounding * (f + 2 * float((A.abs() @ x.abs()).amax(-1).mean()) + 1)
    # the computed gap ignores <grad f(x), at - x>: harmless while ||at - x|| is a thousand times g/m
    return f, error, float(eigenvalues[-1]) / 2 * (1e3 * g / m) ** 2


def digits_rows() -> tuple[Tensor, Tensor]:
    """The rows (1797, 62) and labels (1797,) of the digits: standardized, with intercept, as in `tables`."""
    from sklearn.datasets import load_digits

    A, y = load_digits(return_X_y=True)
    return design(A), torch.as_tensor(y)


def random_rows(
    n: int, d: int, K: int, generator: Generator, *, condition: float = 1.0, signal: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Gaussian rows (n, d) and labels (n,) drawn from a softmax model with K classes.

    The variances of the features fall geometrically from 1 to 1/condition along the axes; the true scores have standard
    deviation about `signal`, to which every feature contributes equally.
    """

    def normal(*shape):
        return torch.randn(*shape, generator=generator, device=generator.device, dtype=torch.float64)

    white, true = normal(n, d), normal(d, K) * signal / d**0.5
    chance = torch.rand(n, 1, generator=generator, device=generator.device, dtype=torch.float64)
    y = ((white @ true).softmax(-1).cumsum(-1) < chance).sum(-1).clamp(max=K - 1)
    exponent = torch.arange(d, device=white.device, dtype=torch.float64) / (2 * max(d - 1, 1))
    return white * condition**-exponent, y


def random_softmax(n: int, d: int, K: int, generator: Generator, l2: float = 0.0, **options: float) -> FiniteSum:
    """Softmax regression on the rows of `random_rows`, which takes the options."""
    return softmax(*random_rows(n, d, K, generator, **options), l2, classes=K, name="softmax, random")
