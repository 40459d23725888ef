r"""Which forms of weight decay have the same iterates?

    SGD      (1 - lam) x - a g  =  x - a (g + l x)                                         for l = lam/a
    AdamW    (1 - eta_k lam) x - eta_k a d  =  (1 - eta_k a w) x - eta_k a d               for lam = a w

The first line is decoupled decay against an l2 penalty, the second the form of the paper against that of torch.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; theory/decoupled_decay.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import torch
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.schedules import InversePower, Trapezoid, step_size
from ratewitness.solvers.solver import Solver, State, iterates
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, proved
from ratewitness.studies.measuring.proofs import falsified
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory import decoupled_decay as theory
from torch import Tensor


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


def same_iterates(one: Tensor, other: Tensor) -> Verdict:
    """Equal to rounding, relative to the largest entry, iterates (steps, *shape)."""
    return agrees(1 + ((one - other).abs().amax() / one.abs().amax()).numpy(), 1.0)


PLAIN = {
    "SGD": lambda a: GradientDescent(a),
    "Polyak's momentum": lambda a: HeavyBall(a, 0.9),
    "Adam": lambda a: Adam(a),
}


def both_forms(budget: Budget, *methods: str, factor: float = 1.0) -> Verdict:
    """Iterates of decoupled decay 0.001 and of the coefficient 0.001/a times `factor` on noisy random quadratics."""
    generator, count, a, share = budget.generator(), budget.pick(300, 3000), 0.01, 1e-3
    curvatures, c = (normal(generator, 50, 10).exp() for _ in range(2))
    noise, verdicts = normal(generator, count, 50, 10), {}
    for method in methods:
        plain = PLAIN[method](a)
        forms = Decoupled(plain, share), CoupledDecay(plain, factor * share / a)
        paths = [iterates(f, Stream(lambda k, x: curvatures * (x - c) + noise[k]), 0 * c) for f in forms]
        verdicts[method] = same_iterates(*(torch.stack(list(islice(path, count + 1))) for path in paths))
    return all_of(verdicts)


@claim(
    kind="exact",
    source="S29; Loshchilov and Hutter (2019)",
    planted={
        "for Adam as well": lambda budget: both_forms(budget, "Adam"),
        "the coefficient is not divided by a": lambda budget: both_forms(budget, "SGD", factor=0.01),
    },
)
def the_same_for_sgd(budget: Budget) -> Verdict:
    """S29: SGD with step a and decoupled decay lam has the iterates of the l2 coefficient lam/a, to rounding, over 3000
    (quick: 300) steps on noisy random quadratics; also with Polyak's momentum, which remembers displacements, the decay
    among them."""
    return both_forms(budget, "SGD", "Polyak's momentum")


SCHEDULES = {"constant": 1.0, "1/sqrt k": InversePower(1.0), "trapezoid": Trapezoid(1.0, 100, 20, 40)}


def two_forms(budget: Budget, paper=lambda a, w: a * w) -> Verdict:
    """Iterates of torch's AdamW with decay w and of the paper's with `paper`(a, w), by schedule and step."""
    a, w = torch.tensor([1e-3, 0.01, 0.1], dtype=torch.float64).reshape(-1, 1), 0.5
    gradients, verdicts = normal(budget.generator(), 100, 1, 20), {}
    x0 = torch.ones(len(a), 20, dtype=torch.float64)
    for name, schedule in SCHEDULES.items():
        forms = (
            AdamW(lambda k, s=schedule: a * step_size(s, k), weight_decay=w),
            AdamWPaper(a, weight_decay=paper(a, w), schedule=schedule),
        )
        paths = [iterates(form, Stream(lambda k, x: gradients[k]), x0) for form in forms]
        verdicts[name] = same_iterates(*(torch.stack(list(islice(path, 101))) for path in paths))
    return all_of(verdicts)


def shares(budget: Budget, paper_power: float) -> Verdict:
    """What decay takes of x in the first step at steps a, over a w and over lam a^`paper_power`."""
    a = torch.tensor([1e-3, 0.01, 0.1, 1.0], dtype=torch.float64)
    taken = {}
    for form in (AdamW, AdamWPaper):
        (with_decay, _), (without, _) = (
            solver.step(torch.ones_like(a), solver.init(a), Stream(lambda k, x: torch.ones_like(x)))
            for solver in (form(a, weight_decay=0.1), form(a, weight_decay=0.0))
        )
        taken[form] = (without - with_decay).numpy()
    expected = {AdamW: 0.1 * a.numpy(), AdamWPaper: 0.1 * a.numpy() ** paper_power}
    return all_of({form.__name__: agrees(taken[form], expected[form]) for form in taken})


@claim(
    kind="exact",
    source="S29; Loshchilov and Hutter (2019); torch.optim.AdamW",
    planted={
        "the same number in both": lambda budget: two_forms(budget, lambda a, w: w),
        "the paper's decay is proportional to the step": lambda budget: shares(budget, 1.0),
        **falsified(theory.paper_and_torch, named="torch's decay is not multiplied by the step"),
    },
)
def paper_and_torch(budget: Budget) -> Verdict:
    """S29: AdamW of the paper, with schedule eta_k and decay lam, has the iterates of torch's, with steps eta_k a and decay
    w, to rounding for constant, 1/sqrt k and trapezoidal schedules if (proved: and only if) lam = a w. With the decays
    fixed, a smaller step a takes proportionally less of x in torch's form, a w, and as much in the paper's, lam."""
    proof = proved(theory.paper_and_torch)
    return all_of({"proof": proof, "iterates": two_forms(budget), "shares": shares(budget, 0.0)})


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
