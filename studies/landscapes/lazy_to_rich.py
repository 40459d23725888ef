r"""Which interpolator does a diagonal network find, and how small must the start be to be in the rich regime?

    beta = u^2 - v^2,  u = v = alpha at the start:    gradient flow ends at argmin {Q_alpha(b) : X b = y},
    Q_alpha(b) = alpha^2 sum q(b_i/alpha^2),    q(z) = 2 - sqrt(4 + z^2) + z arcsinh(z/2)

Large starts give the least l2 norm, as if features were fixed (lazy), small starts nearly the least l1 norm (rich). Data as
in `diagonal_runs`: 20 normal rows in 40 dimensions, a teacher with two entries 1 and -1.

What this has to do with grokking (S47): T. Kumar et al. (2024), arXiv:2310.06110, propose that a network groks where it
first fits in the lazy way and learns features later, and K. Lyu et al. (2023), arXiv:2311.18817, prove such a transition for
small decay. Here are the two ends of that way, in a model where both are known; `grokking_diagonal` goes it. Nothing here
says that the networks of `grokking` are diagonal, or that lazy solutions generalize badly: that depends on the teacher.

Sources: B. Woodworth et al. (2020), arXiv:2002.09277; theory/lazy_to_rich.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, mean_is
from ratewitness.studies.landscapes.diagonal_runs import Diagonal, beta, flow, least_l1
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import visited
from ratewitness.theory import lazy_to_rich as theory

WOODWORTH = "S47; Woodworth et al. (2020), arXiv:2002.09277"
PROVED = (theory.gradient, theory.logarithms, theory.ends)
SCALES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
DESCENT = (0.1, 0.3, 1.0, 3.0)  # scales of gradient descent, whose slowest rate falls like alpha^2
DESCENT_STEPS, TOLERANCE = 8_000, 1e-6


@measured
def problems(budget: Budget) -> Diagonal:
    return Diagonal.drawn(budget.generator("data"), budget.pick(4, 8))


@measured
def flows(budget: Budget, decay: float = 0.0) -> np.ndarray:
    """Where gradient flow ends, (scales, seeds, d): rates are at least 8 alpha^2 times the least eigenvalue of X X^T/n."""
    return np.array([[beta(flow(*one, s, decay, 60 / s**2).y[:, -1]) for one in problems(budget).each()] for s in SCALES])


@measured
def interpolators(budget: Budget, power: float = 2.0, factor: float = 2.0, lazy: bool = False) -> np.ndarray:
    """factor alpha^power sinh(X^T nu), or the least l2 norm, (scales, seeds, d)."""
    scales = [1e3 if lazy else (factor / 2) ** 0.5 * s ** (power / 2) for s in SCALES]
    return np.array([[theory.interpolator(X, X @ t, s) for X, t in problems(budget).each()] for s in scales])


@measured
def descents(budget: Budget) -> np.ndarray:
    """Where gradient descent ends, (DESCENT, seeds, d)."""
    problem = problems(budget)
    alpha = torch.tensor(DESCENT, dtype=problem.X.dtype, device=problem.X.device).reshape(-1, 1, 1)
    step = 0.02 / (alpha**2).clamp(min=1.0)
    w = visited(GradientDescent(step), lambda k, w: problem.grad(w), problem.start(*DESCENT), [DESCENT_STEPS])[0]
    return beta(w).cpu().numpy()


@claim("proof", f"{WOODWORTH}; proofs in theory/lazy_to_rich.py")
@falsified(*PROVED)
def the_potential_is_proved(budget: Budget) -> Verdict:
    """S47, refined: A diagonal network finds minimizers of a potential that turns from the l2 norm into the l1 norm as its
    start shrinks.

    For u = v = alpha at the start, in continuous time, for symbolic u, v, gradient and decay: log(u/v) changes by -4 times
    the gradient in beta and is the potential's gradient at beta; alpha^2 times the potential tends to ||b||^2/4 for alpha to
    infinity, and over log(1/alpha^2) it tends to ||b||_1 for alpha to 0. That a flow fits the data is not proved.
    Machine-checked: the derivative of log(u/v), the gradient of the potential, both limits; cited: nothing; in prose: that a
    stationary point of a strictly convex potential is its minimizer."""
    return prove(*PROVED)


@claim("exact", f"{WOODWORTH}; theory/lazy_to_rich.py")
@planted("alpha^1.9 in place of alpha^2", power=1.9)
@planted("arcsinh z in place of arcsinh(z/2)", factor=1.0)
@planted("the least l2 norm", lazy=True)
@planted("a flow with decay 1e-4", decay=1e-4)
def flow_ends_at_the_argmin(
    budget: Budget, power: float = 2.0, factor: float = 2.0, lazy: bool = False, decay: float = 0.0
) -> Verdict:
    """S47, refined: Gradient flow on a diagonal network that starts at size alpha ends at the interpolator that minimizes
    Q_alpha.

    8 seeds (quick: 4) and 7 scales alpha from 0.001 to 3; flow by LSODA with tolerance 1e-8 until 60/alpha^2, the
    interpolator by Newton's method on the dual: the largest difference is at most 1e-6 times the largest entry."""
    found, predicted = flows(budget, decay), interpolators(budget, power, factor, lazy)
    off = np.abs(found - predicted).max(-1) / np.abs(predicted).max(-1)
    return bound_holds(off.ravel(), np.full(off.size, TOLERANCE), -1.0)


@claim("law", f"{WOODWORTH}; theory/lazy_to_rich.py")
@planted("alpha^1.8 in place of alpha^2", power=1.8)
@planted("alpha = 0.03 is rich", rich=0.03)
@planted("alpha = 0.3 is lazy", lazy=0.3)
def the_l1_norm_falls_with_the_start(budget: Budget, power: float = 2.0, rich: float = 0.001, lazy: float = 3.0) -> Verdict:
    """S47, refined: As the start shrinks, the l1 norm of what flow finds falls from that of the least l2 norm to the least
    one.

    8 seeds (quick: 4): at alpha = 3 the norm is that of the interpolator of least l2 norm, and at 0.001 the least l1 norm,
    by linear programming, within 2 %. Gradient descent, 8000 steps of 0.02 (0.02/alpha^2 from alpha = 1 on), has the norm
    of the flow's limit within 1 % at alpha = 0.1, 0.3, 1 and 3. Intervals over seeds."""
    data, limits = problems(budget).each(), np.abs(interpolators(budget, power)).sum(-1)
    flowed, descended = (np.abs(each).sum(-1) for each in (flows(budget), descents(budget)))
    least = np.array([least_l1(*one) for one in data])
    ridgeless = np.array([np.abs(np.linalg.pinv(X) @ X @ t).sum() for X, t in data])
    shared = [SCALES.index(s) for s in DESCENT]
    verdict = all_of(
        {
            "rich": mean_is(flowed[SCALES.index(rich)] / least, 1.0, 0.02),
            "lazy": mean_is(flowed[SCALES.index(lazy)] / ridgeless, 1.0, 0.02),
            "descent": mean_is(descended / limits[shared], np.ones(len(shared)), 0.01),
        }
    )
    theory_line, lazy_line = (limits / least).mean(-1), (ridgeless / least).mean()
    parts = {
        "gradient flow": rows(flowed / least, scale=SCALES, theory=theory_line),
        "gradient descent": rows(descended / least, scale=DESCENT, theory=theory_line[shared]),
    }
    return verdict.showing(stacked(parts).assign(least_l2=lazy_line))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["the_l1_norm_falls_with_the_start"].table
    caption = (
        "The $l_1$ norm of what a diagonal network finds, over the least one of an interpolator, against the size "
        "$\\alpha$ of the start: means over seeds with 99 % intervals, set apart along $\\alpha$. Theory: minimizers of "
        "$Q_\\alpha$."
    )
    levels = {"least $l_2$ norm": float(table["least_l2"].iloc[0]), "least $l_1$ norm": 1.0}
    panel = Panel(
        table, "scale", "size $\\alpha$ of the start", "$\\|\\beta\\|_1$ over the least", log="x", levels=levels, apart=1.15
    )
    return {"norms": panels(caption, {"gradient flow": "C0o", "gradient descent": "C1s open"}, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
