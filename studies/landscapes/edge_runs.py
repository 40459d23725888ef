r"""Networks trained on the full batch, and their sharpness against the edge of the method that trains them.

A tanh network 64-32-32-10 on 200 digits (quick: 100), half the squared distance to one-hot targets, float32, weights started
at half the usual size, so that the start is flat; every method with the constant step of METHODS, which puts its edge near
10 (SAM and USAM: near 7). All seeds, each with a start of its own on the same images, are one run.

The sharpness is the largest algebraic eigenvalue of the Hessian of the full loss, by the Lanczos method from a random start,
which aims at a residual of half a per cent; one with a residual above one per cent of it is left out, and what needs it is
not judged. (A residual r says that an eigenvalue is as near as r; that it is the largest rests on the random start.) For
Adam it is that of P^{-1/2} H P^{-1/2}, P = sqrt(vhat) + eps of the last step, and that of H before the first. SAM's edge
takes the norm of the gradient at the same iterate.

Equally many steps of different sizes are not equally much training. So there are two runs of fresh seeds up to the same time
eta k as well, with the step of gradient descent and with a tenth of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from ratewitness.problems.curvature import hessian_vector, lanczos
from ratewitness.problems.data.digits import CLASSES, split_digits
from ratewitness.problems.networks.mlp import MLP, half_square, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.sam import SAM
from ratewitness.studies.claims import Budget, measured
from ratewitness.theory import stability_edges as edges

NETWORK = MLP((64, 32, 32, CLASSES), "tanh")
RHO, B, BETA1 = 0.05, 0.5, 0.9
METHODS = {  # the solver and its step
    "gradient descent": (GradientDescent(0.2), 0.2),
    "heavy ball": (HeavyBall(0.3, B), 0.3),
    "nesterov": (Nesterov(0.15, B), 0.15),
    "adam": (Adam(2e-3, BETA1), 2e-3),
    "usam": (SAM(GradientDescent(0.2), RHO, normalized=False), 0.2),
    "sam": (SAM(GradientDescent(0.1), RHO), 0.1),
    "small step": (GradientDescent(0.02), 0.02),  # the control: in as many steps it does not come near its edge
}
RECORDS = 20
LANCZOS, AIM, RESIDUAL = 60, 5e-3, 1e-2  # products at most; residual over sharpness that is aimed at, and that is accepted


class Run(NamedTuple):
    """Along a run, all (records, seeds): the sharpness, NaN where its residual is too large, that residual over it, the norm
    of the gradient."""

    sharpness: np.ndarray
    residual: np.ndarray
    norm: np.ndarray


def edge(method: str, norm: np.ndarray | float = 1.0, factor: float = 1.0):
    """The edge of a method with its step; that of SAM at gradients of this norm. factor: of rho."""
    eta = METHODS[method][1]
    return {
        "heavy ball": lambda: edges.heavy_ball_edge(eta, B),
        "nesterov": lambda: edges.nesterov_edge(eta, B),
        "adam": lambda: edges.averaged_edge(eta, BETA1),
        "usam": lambda: edges.usam_edge(eta, factor * RHO),
        "sam": lambda: edges.sam_edge(eta, factor * RHO, norm),
    }.get(method, lambda: edges.gradient_descent_edge(eta))()


def steps(budget: Budget, method: str, time: float | None = None) -> int:
    """As many for every method, or as many as make up the time."""
    return budget.pick(300, 900) if time is None else round(time / METHODS[method][1])


def recorded(last: int) -> np.ndarray:
    return np.linspace(0, last, RECORDS + 1).round().astype(int)


@measured("edge_of_stability")
def problem(budget: Budget) -> FiniteSum:
    """The loss of every seed, on the same images."""
    generator = budget.generator("digits")
    data = split_digits(budget.pick(100, 200), generator)
    targets = torch.nn.functional.one_hot(data.labels, CLASSES).to(data.inputs.dtype)
    return on_rows(NETWORK, data.inputs, targets, generator, half_square)


@measured("edge_of_stability")
def trained(budget: Budget, method: str, time: float | None = None) -> Run:
    """A run of all seeds at once, from the same starts for every method; from others up to a time."""
    f, last = problem(budget), steps(budget, method, time)
    starts, seeds = ("starts", 10) if time is None else ("starts at equal time", budget.pick(4, 5))
    x = NETWORK.initial(budget.generator(starts), seeds, gain=0.5)
    generator, at = budget.generator("lanczos"), {*recorded(last).tolist()}
    solver, oracle, found = METHODS[method][0], Oracle.full(f), []
    state = solver.init(x)
    with torch.no_grad():
        for k in range(last + 1):
            if k in at:
                found.append(torch.stack([*_sharpness(f, x, state, generator), f.grad(x).norm(dim=-1)]))
            x, state = solver.step(x, state, oracle)
    sharpness, residual, norm = torch.stack(found, 1).double().cpu().numpy()
    return Run(np.where(residual <= RESIDUAL, sharpness, np.nan), residual, norm)


def _sharpness(f: FiniteSum, x: torch.Tensor, state, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    scale = torch.ones_like(x)
    if hasattr(state, "v") and state.k > 0:
        scale = (state.corrected(BETA1, 0.999)[1].sqrt() + 1e-8).rsqrt()
    start = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    found = lanczos(lambda v: scale * hessian_vector(f.grad, x, scale * v), start, LANCZOS, AIM)
    return found.value, found.residual / found.value.abs()
