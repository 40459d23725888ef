"""One instance of each solver, with hyperparameters that its theory recommends for an L-smooth, mu-strongly
convex f.

Not a registry: solvers are used by their own names. This is the list for laws that hold for every solver, and
for claims about "any method".
"""

from __future__ import annotations

from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.schedules import InversePower, InverseTime
from ratewitness.solvers.solver import Solver
from ratewitness.solvers.svrg import SVRG
from torch import Tensor


def catalogue(
    L: float | Tensor, mu: float | Tensor, noisy: bool = False, n: int | None = None, ndim: int = 1
) -> dict[str, Solver]:
    """Solvers by name.

    noisy: steps that decrease as noise of bounded variance needs, without the line search; otherwise the steps
    for exact gradients. n: the number of components of a finite sum with max L_i <= L; adds SVRG and SAGA, which
    need a minibatch oracle (SAGA one of size 1) and keep a constant step. ndim: trailing axes of x that form one
    point. L and mu may be tensors that broadcast to the shape of x (for L-BFGS and Armijo: constant over a point).
    """
    root = (mu / L) ** 0.5
    if noisy:
        momentum = (1 - root) / (1 + root)
        decay = InverseTime.for_pl(mu, L)
        # momentum makes a step a act like a/(1-beta), hence (1-beta) a_k
        damped = InverseTime(mu, 2 * (1 - momentum), decay.shift)
        solvers = {
            "gradient descent": GradientDescent(decay),
            "averaged gradient descent": PolyakRuppert(GradientDescent(InversePower(1 / L, 2 / 3))),
            "heavy ball": HeavyBall(damped, momentum),
            "nesterov": Nesterov(damped, momentum),
            # H takes the curvature out: the step of kappa = 1, started below 1 for the first, poor, pairs
            "lbfgs": LBFGS(InverseTime(1.0, 2.0, 10.0), scale=1 / L, ndim=ndim),
        }
    else:
        solvers = {
            "gradient descent": GradientDescent(1 / L),
            "averaged gradient descent": PolyakRuppert(GradientDescent(1 / L)),
            "armijo": Armijo(4 / L, growth=2.0, ndim=ndim),
            "heavy ball": HeavyBall.for_quadratic(mu, L),
            "nesterov": Nesterov.strongly_convex(mu, L),
            "nesterov, convex": Nesterov(1 / L),
            "lbfgs": LBFGS(1.0, scale=1 / L, ndim=ndim),
        }
    if n is not None:
        solvers |= {"svrg": SVRG(0.1 / L, 2 * n), "saga": SAGA(1 / (3 * L), ndim=ndim)}
    return solvers
