r"""Which forms of weight decay have the same iterates?

    SGD      (1 - lam) x - a g  =  x - a (g + l x)                                         for l = lam/a
    AdamW    (1 - eta_k lam) x - eta_k a d  =  (1 - eta_k a w) x - eta_k a d               for lam = a w

The first line is decoupled decay against an l2 penalty, the second the form of the paper against that of torch. What l2
regularization does in Adam instead: `decoupled_decay`.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; theory/decoupled_decay.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.schedules import InversePower, Trapezoid, step_size
from ratewitness.solvers.solver import Solver, State
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, proved
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal, visited
from ratewitness.theory import decoupled_decay as theory
from torch import Tensor

SYMBOLIC = (theory.sgd, theory.displacement_momentum, theory.gradient_momentum, theory.no_coefficient, theory.adam)
SYMBOLIC += (theory.scale_adjusted, theory.shrinkage)
PLAIN = {
    "SGD": lambda a: GradientDescent(a),
    "Polyak's momentum": lambda a: HeavyBall(a, 0.9),
    "Adam": lambda a: Adam(a),
}
SCHEDULES = {"constant": 1.0, "1/sqrt k": InversePower(1.0), "trapezoid": Trapezoid(1.0, 100, 20, 40)}


@claim("proof", "S29; Loshchilov and Hutter (2019); theory/decoupled_decay.py")
@falsified(*SYMBOLIC)
def equal_and_different(budget: Budget) -> Verdict:
    """S29: Decoupled decay is an l2 coefficient for SGD, and none for Adam, nor for any preconditioner that is no multiple
    of I.

    Decoupled decay lam is the l2 coefficient lam/a for SGD, with Polyak's momentum, too. From a start x_0 != 0 it is none
    with momentum that averages gradients, from the second step on; it is none for a preconditioner that is no multiple of I,
    and none for Adam with eps = 0, from the first step on, where a coordinate has g x > 0. For a fixed preconditioner
    diag(s)^{-1} it is the penalty (l/2)||x sqrt s||^2 with l = lam/a. Machine-checked (sympy): one step in one coordinate,
    two where momentum averages gradients; one eigenvalue against another, for a general preconditioner; Adam's first step, g
    > 0 and x > 0; the derivative in l of the mean step. In prose: that equal steps from equal points give equal iterates."""
    return prove(*SYMBOLIC)


@dataclass(frozen=True, eq=False)
class Decoupled:
    """The step of `inner`, which does not see the decay, and -share * x."""

    inner: Solver
    share: float | Tensor

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        new, state = self.inner.step(x, state, oracle)
        return new - self.share * x, state


def same_iterates(forms: tuple[Solver, Solver], slope: Callable, x0: Tensor, count: int) -> Verdict:
    """Equal to rounding, relative to the largest entry."""
    one, other = (visited(form, slope, x0, range(count + 1)) for form in forms)
    return agrees(1 + ((one - other).abs().amax() / one.abs().amax()).numpy(), 1.0)


@claim("exact", "S29; Loshchilov and Hutter (2019)")
@planted("for Adam as well", methods=("Adam",))
@planted("the coefficient is not divided by a", factor=0.01)
def the_same_for_sgd(budget: Budget, methods=("SGD", "Polyak's momentum"), factor: float = 1.0) -> Verdict:
    """S29: SGD with step a and decoupled decay lam has the iterates of the l2 coefficient lam/a, also with Polyak's
    momentum.

    On noisy random quadratics with a = 0.01 and lam = 0.001 they are the same to rounding over 3000 (quick: 300) steps.
    Polyak's momentum remembers displacements, the decay among them."""
    generator, count, a, share = budget.generator(), budget.pick(300, 3000), 0.01, 1e-3
    curvatures, c = (normal(generator, 50, 10).exp() for _ in range(2))
    noise, verdicts = normal(generator, count, 50, 10), {}
    for method in methods:
        plain = PLAIN[method](a)
        forms = Decoupled(plain, share), CoupledDecay(plain, factor * share / a)
        verdicts[method] = same_iterates(forms, lambda k, x: curvatures * (x - c) + noise[k], 0 * c, count)
    return all_of(verdicts)


def two_forms(budget: Budget, paper: Callable) -> Verdict:
    """Iterates of torch's AdamW with decay w and of the paper's with `paper`(a, w), by schedule and step."""
    a, w = torch.tensor([1e-3, 0.01, 0.1], dtype=torch.float64).reshape(-1, 1), 0.5
    gradients, verdicts = normal(budget.generator(), 100, 1, 20), {}
    x0 = torch.ones(len(a), 20, dtype=torch.float64)
    for name, schedule in SCHEDULES.items():
        torch_form = AdamW(lambda k, s=schedule: a * step_size(s, k), weight_decay=w)
        forms = torch_form, AdamWPaper(a, weight_decay=paper(a, w), schedule=schedule)
        verdicts[name] = same_iterates(forms, lambda k, x: gradients[k], x0, 100)
    return all_of(verdicts)


def shares(paper_power: float) -> Verdict:
    """What decay takes of x in the first step at steps a, over a w and over lam a^`paper_power`."""
    a = torch.tensor([1e-3, 0.01, 0.1, 1.0], dtype=torch.float64)
    expected, verdicts = {AdamW: 0.1 * a.numpy(), AdamWPaper: 0.1 * a.numpy() ** paper_power}, {}
    for form in expected:
        (with_decay, _), (without, _) = (
            solver.step(torch.ones_like(a), solver.init(a), Stream(lambda k, x: torch.ones_like(x)))
            for solver in (form(a, weight_decay=0.1), form(a, weight_decay=0.0))
        )
        verdicts[form.__name__] = agrees((without - with_decay).numpy(), expected[form])
    return all_of(verdicts)


@claim("exact", "S29; Loshchilov and Hutter (2019); torch.optim.AdamW")
@falsified(theory.paper_and_torch, named="torch's decay is not multiplied by the step")
@planted("the same number in both", paper=lambda a, w: w)
@planted("the paper's decay is proportional to the step", power=1.0)
def paper_and_torch(budget: Budget, paper: Callable = lambda a, w: a * w, power: float = 0.0) -> Verdict:
    """S29: AdamW of the paper with decay lam and AdamW of torch with decay w have the same iterates if and only if
    lam = a w.

    With schedule eta_k in the paper's form and steps eta_k a in torch's they are the same to rounding, for constant, 1/sqrt
    k and trapezoidal schedules over 100 steps, if (proved: and only if) lam = a w. With the decays fixed, a smaller step a
    takes proportionally less of x in torch's form, a w, and as much in the paper's, lam."""
    judged = {"proof": proved(theory.paper_and_torch), "iterates": two_forms(budget, paper), "shares": shares(power)}
    return all_of(judged)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
