r"""What must the noise hide, for the lower bounds of the stochastic rates to hold?

    Bayes risk     E f - f* >= (mu/2) / (1/R^2 + N mu^2/sigma^2),    noise that says nothing but itself
    Le Cam         E f - f* >= sigma R/(4 sqrt N),                   every sample asked only once

An unbiased oracle of bounded variance is not enough, instance by instance. The bounds of `lower_bounds` are about Gaussian
noise, drawn afresh for every sample. The noise of a finite sum also tells which component was drawn: SVRG and SAGA ask for
the same component twice, and so need log(1/eps) gradients on the very witness on which SGD needs 1/eps. And additive noise
cancels in the difference of two gradients on one sample. Line search asks for exact function values, SVRG and SAGA for a
finite sum: they answer to other oracles, and these claims show what that is worth.

On mu x^2/2 +- sigma x the start is x_0 ~ N(0, R^2): the solvers are translation equivariant, so this is the prior on the
minimizer. N counts component gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds, lower_bound_holds
from ratewitness.studies.rates.priors import GROUPS, MU, SIGMA, R, gaps, normal, solvers, two_functions
from ratewitness.theory import lower_bounds as theory

EVERYONE = (*solvers(n=2),)


@measured
def on_two_components(budget: Budget, claim: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bayes risk (records,) for as many samples as component gradients were asked for, and mean gap (records, groups) of a
    solver on mu x^2/2 +- sigma x, on starts and indices that only this claim draws."""
    budget = budget.shared(f"lower_bounds.{claim}")
    problem, x0 = perturbed(quadratic([MU], [0.0]), SIGMA), normal(budget, budget.pick(4_000, 20_000))
    oracle = Oracle.minibatch(problem, 1, budget.generator("indices"))
    asked, values = gaps(solvers(n=2)[name], problem, oracle, (30, 100, 300, 1000), x0)
    return theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=asked), values


@claim("lower bound", "S12, read instance by instance")
@planted("only SVRG", names=("svrg",))
@planted("only SAGA", names=("saga",))
def as_stated(budget: Budget, names: tuple[str, ...] = EVERYONE) -> Verdict:
    """S12, read as: With any noise that is unbiased and of bounded variance no method comes below the Bayes risk for the
    gradients it has asked.

    The sentence says that the bounds cannot be improved over the oracles of bounded variance, which one of them, the
    Gaussian oracle of `lower_bounds`, shows; this reads it of each of them. On mu (x - x*)^2/2 +- sigma x, the witness on
    which SGD needs 1/eps steps, no solver of the package, SVRG and SAGA included, comes below the Bayes risk for as many
    samples as it has asked component gradients, in 1000 steps, with a tolerance of 10 % (full budget: 5 %).
    """
    bounds, values = zip(*(on_two_components(budget, "as_stated", name) for name in names), strict=True)
    return lower_bound_holds(np.concatenate(values), np.concatenate(bounds), budget.pick(0.1, 0.05))


@claim("phenomenon", "S12, refined; Johnson and Zhang (2013), Defazio, Bach and Lacoste-Julien (2014)", unit="ln ratio")
@planted("gradient descent", names=("gradient descent",))
@planted("averaged gradient descent", names=("averaged gradient descent",))
def index_breaks_it(budget: Budget, names: tuple[str, ...] = ("svrg", "saga")) -> Verdict:
    """S12, refined: SVRG and SAGA, who may ask twice for the same component, come more than tenfold below the Bayes risk.

    The noise must say nothing but itself. On the witness of `as_stated`, after 1000 steps, the Bayes risk over the gap at
    the last record is above 10.
    """
    runs = {name: on_two_components(budget, "index_breaks_it", name) for name in names}
    return all_of({name: exceeds(np.log(bound[-1] / values[-1]), np.log(10)) for name, (bound, values) in runs.items()})


@dataclass(frozen=True)
class Difference:
    """Two queries, at 2R and at 0, tell v: on one sample the noise cancels in their difference."""

    slope: float
    redraw: bool

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        far = oracle.grad(torch.full_like(x, 2 * R))
        return R * ((far - oracle.grad(torch.zeros_like(x), redraw=self.redraw)) / self.slope - 1).clamp(-1, 1), None


@claim("upper bound", "S12, refined")
@planted("a fresh sample for the second query", redraw=True)
def sample_twice_breaks_it(budget: Budget, redraw: bool = False) -> Verdict:
    """S12, refined: Two gradients on one sample of additive noise tell the two functions of Le Cam's bound apart: the gap is
    below a tenth of it.

    For Le Cam's bound each sample must be asked only once. Here N = 100, and the two queries are at 2R and at 0, where the
    noise cancels in the difference.
    """
    N = 100
    slope, x0 = SIGMA / (2 * N**0.5), torch.zeros(GROUPS, budget.replicates // GROUPS, 1, dtype=torch.float64)
    problem = two_functions(slope, x0)
    oracle = Oracle.gaussian(problem, SIGMA, budget.shared("lower_bounds.sample_twice_breaks_it").generator("noise"))
    _, values = gaps(Difference(slope, redraw), problem, oracle, [1], x0)
    return bound_holds(values, 0.1 * theory.convex_any_method(sigma=SIGMA, R=R, N=np.array([N])))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
