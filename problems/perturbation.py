r"""Any deterministic problem as a finite sum whose noise has variance exactly sigma^2 everywhere.

    f_i(x) = f(x) + sigma <e_i, x>,    sum_i e_i = 0,    (1/n) sum_i ||e_i||^2 = 1

The components average to f, the noise grad f_i - grad f = sigma e_i does not depend on x, and so E ||noise||^2 =
sigma^2 at every x, the minimizer included. L, mu, f* and the minimizers are those of f. With n = 2 the noise is +-sigma
along one direction, the witness of the stochastic cells.

n is a sampling device here: a method that may look at the component index solves such a problem linearly (SAGA). Lower
bounds for *any* method use `Oracle.gaussian` instead.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from ratewitness.problems.problem import FiniteSum, Number
from torch import Tensor


def perturbed(problem: FiniteSum, sigma: Number, n: int = 2, directions: Tensor | None = None) -> FiniteSum:
    """`problem` (n = 1) with n >= 2 zero-sum linear perturbations of mean square norm sigma^2.

    sigma may be a tensor that broadcasts against (*batch,). directions (n, *shape): centred and scaled here; the
    default is +-, in pairs along the axes in turn (n even), so that the noise is isotropic once n = 2 d.
    Raises ValueError for an odd n without directions, n < 2 or a problem that is itself a sum.
    """
    if problem.n != 1:
        raise ValueError(f"perturbed takes a deterministic problem (n = 1); {problem.name} has n = {problem.n}")
    if n < 2 or (directions is None and n % 2):
        raise ValueError(f"n is {n}; accepted are even numbers from 2 on, or any n >= 2 with directions")
    if directions is None:
        d = torch.Size(problem.shape).numel()
        axes = torch.eye(d, dtype=torch.float64, device=problem.start.device)[torch.arange(n // 2) % d]
        directions = torch.cat([axes, -axes]).reshape(n, *problem.shape)
    directions = directions.to(torch.float64)
    e = directions - directions.mean(0)
    e = e / (e**2).sum() ** 0.5 * n**0.5
    sigma = sigma.to(torch.float64) if isinstance(sigma, Tensor) else sigma
    # sigma broadcasts against the batch; the noise needs it to broadcast against x
    sigma_x = sigma.reshape(*sigma.shape, *[1] * len(problem.shape)) if isinstance(sigma, Tensor) else sigma

    def sample_grad(x, index):
        drawn = e[index[..., 0]] if index.shape[-1] == 1 else e[index].mean(index.ndim - 1)
        return problem.grad(x) + sigma_x * drawn

    certificate = problem.constants.certificate.split("; ")
    certificate[2] = "sigma2: the noise sigma e_i does not depend on x, exact"
    return replace(
        problem,
        name=f"{problem.name} + noise",
        n=n,
        sample_grad=sample_grad,
        constants=replace(
            problem.constants, variance=sigma**2, variance_at_minimizer=sigma**2, certificate="; ".join(certificate)
        ),
    )
