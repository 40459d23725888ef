r"""Classes of unequal size whose labels say nothing about the rows: softmax regression that learns by heart.

    f(W) = (1/n) sum_s -log softmax(a_s^T W)_{y_s},        a_s ~ U[0, 1]^d independent of the labels y_s

Groups i = 1, ..., m have 2^i classes with 2^(m-i) samples each: every group has 2^m samples, a share 1/m of n = m 2^m, and
classes differ in frequency by 2^(m-1). Even, the same rows have as many classes, of equal size as far as n allows. Learning
by heart is possible as d = (m+1) 2^m > n: independent rows (checked) are separable for any labels, and f* = 0 is not
attained. L is half the largest eigenvalue of A^T A/n, as a variance is at most half the squares. Leading axes of A are
instances, for which x has axes as well.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Generator, Tensor
from torch.nn.functional import one_hot

ROUNDING = 1e-13  # of a mean of logarithms of probabilities that are not astronomically small


def group_labels(m: int, even: bool = False) -> tuple[Tensor, Tensor]:
    """Labels (n,) of n = m 2^m samples and the group 0, ..., m-1 of each sample, frequent classes first.

    even: as many classes, of sizes that differ by one at most, in the same places; "groups" then are those of the places.
    """
    sizes = torch.cat([torch.full((2**i,), 2 ** (m - i)) for i in range(1, m + 1)])
    group = torch.arange(m).repeat_interleave(2**m)
    labels = torch.arange(len(sizes)).repeat_interleave(sizes)
    return (torch.arange(len(labels)) * len(sizes) // len(labels) if even else labels), group


def grouped_rows(m: int, generator: Generator, count: int = 1) -> Tensor:
    """Rows (count, m 2^m, (m+1) 2^m), uniform on [0, 1]."""
    shape = (count, m * 2**m, (m + 1) * 2**m)
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)


def sample_losses(A: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """-log softmax(a_s^T W)_{y_s} of every sample: (*batch, d, K) -> (*batch, n)."""
    return -(A @ x).log_softmax(-1).gather(-1, y.unsqueeze(-1).expand(*x.shape[:-2], -1, 1)).squeeze(-1)


def grouped_softmax(A: Tensor, y: Tensor, name: str = "softmax, groups") -> FiniteSum:
    """Full-batch softmax regression with independent rows A (*batch, n, d) and labels y (n,), each of 0, ..., K-1, from 0.

    Raises ValueError for rows that are not clearly independent.
    """
    A = A.to(torch.float64)
    n, d = A.shape[-2:]
    Y = one_hot(y.to(A.device)).to(torch.float64)
    if n > d or not (torch.linalg.matrix_rank(A) == n).all():
        raise ValueError(f"the {n} rows in {d} dimensions are not independent; accepted are independent rows")
    largest = torch.linalg.eigvalsh(A @ A.mT / n)[..., -1] * (1 + 4 * (n + d) * 2.0**-53)
    return deterministic(
        name=name,
        shape=(d, Y.shape[-1]),
        gap=lambda x: sample_losses(A, y, x).mean(-1),
        grad=lambda x: A.mT @ ((A @ x).softmax(-1) - Y) / n,
        start=A.new_zeros(*A.shape[:-2], d, Y.shape[-1]),
        minimizer=None,
        smoothness=largest / 2 if A.ndim > 2 else float(largest) / 2,
        convex=True,
        certificate="L: half the largest eigenvalue of A^T A/n, as a variance is at most half the squares; mu: none; "
        "sigma2: one component, the full batch; f*: 0, not attained, as independent rows are separable for any labels",
        floor=ROUNDING,
    )
