r"""Do networks train at the edge of stability of their method? Sharpness against the edges, in one picture.

    sharpness/edge -> 1,    edge: 2/eta, (2 + 2b)/eta, (2 + 2b)/((1 + 2b) eta), 38/eta (Adam, preconditioned), USAM, SAM

S3 promises convergence for a constant step below 2/L: on a network L is not given, and full-batch training raises the
sharpness until the method's own edge stops it ("progressive sharpening"). What is judged is the mean of sharpness/edge over
the last 40 % of the records of each seed; the set-up is in `studies/landscapes/edge_runs.py`, the edges are proved in
`stability_edges`. SAM's edge holds as an identity wherever SAM bounces along its top eigenvector, so that agreement there
says that it bounces, and predicts no curvature. A step ten times smaller stays far below its edge in equally many steps,
which are a tenth of the training; so steps are compared at equal time eta k as well: then the small step has left the edge
of the large one behind, which is what an edge is, and is on its way to its own.

J. Cohen et al. (2021), arXiv:2103.00065; J. Cohen et al. (2022), arXiv:2207.14484; P. Long and P. Bartlett (2023),
arXiv:2309.12488.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.landscapes.edge_runs import METHODS, RECORDS, B, edge, recorded, steps, trained
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

TOLERANCE, LAST = 0.2, 0.4
FLAT = 0.5  # of its edge: what the small step stays below
TIMES = (90.0, 180.0)  # eta k that steps of different sizes are run for, quick and full
PAST = 1.5  # times the edge of the large step: what the small step exceeds at equal time
OTHERS = {"heavy ball": 1 / (1 + 2 * B), "nesterov": 1 + 2 * B, "adam": 1.0}  # the edge of the other momentum over the own
LOOKS = {
    "gradient descent": "C0o-",
    "heavy ball": "C1s-",
    "nesterov": "C2^-",
    "adam": "C3D-",
    "usam": "C4v-",
    "sam": "C5P-",
    "small step": "C7x-",
}


def ratios(budget: Budget, method: str, of: str | None = None) -> np.ndarray:
    """Sharpness over the edge, of the method or of another one, (records, seeds)."""
    run = trained(budget, method)
    return run.sharpness / edge(of or method, run.norm)


def late(ratio: np.ndarray) -> np.ndarray:
    """The mean over the last part of the records, for each seed; NaN where a run diverged."""
    return ratio[-round(LAST * RECORDS) :].mean(0)


def at_the_edge(budget: Budget, method: str, of: str | None = None) -> Verdict:
    return mean_is(late(ratios(budget, method, of)), 1.0, TOLERANCE)


def pictured(budget: Budget) -> pd.DataFrame:
    """Ratios, and the largest residual of a sharpness relative to it, along the steps of every method."""
    parts = {}
    for name in METHODS:
        shown = slice(1 if name == "adam" else 0, None)  # before a step Adam has no preconditioner, nor H its edge
        residual = trained(budget, name).residual.max(-1)[shown]
        parts[name] = rows(ratios(budget, name)[shown], step=recorded(steps(budget, name))[shown]).assign(residual=residual)
    return stacked(parts)


def at_equal_time(budget: Budget, method: str) -> np.ndarray:
    """Sharpness over the edge of the large step, (records, seeds), up to the time of the claim."""
    return trained(budget, method, budget.pick(*TIMES)).sharpness / edge("gradient descent")


@claim("law", "S3; Cohen et al. (2021), arXiv:2103.00065")
@planted("of the small step", method="small step")
@planted("against the edge of USAM with that step", of="usam")
def gradient_descent_trains_at_two_over_its_step(
    budget: Budget, method: str = "gradient descent", of: str | None = None
) -> Verdict:  # fmt: skip
    """S3, refined: A small network trained by full-batch gradient descent ends within 20 % of a sharpness of 2/eta.

    Tanh network 64-32-32-10 on 200 digits (quick: 100), squared loss, eta = 0.2, 900 steps (quick: 300): the mean of
    sharpness/(2/eta) over the last 40 % of 21 records lies within 20 % of 1, in a 99 % interval over 10 starts."""
    return at_the_edge(budget, method, of).showing(pictured(budget))


@claim("law", "S3; Cohen et al. (2021), arXiv:2103.00065; Cohen et al. (2022), arXiv:2207.14484")
@planted("the edges of heavy ball and Nesterov swapped", swapped=True)
@planted("all at 2/eta", plain=True)
def momentum_and_adam_train_at_their_own_edges(budget: Budget, swapped: bool = False, plain: bool = False) -> Verdict:
    """S3, refined: Heavy ball, Nesterov's method and Adam end at edges of their own, Adam's of the preconditioned Hessian.

    The network of `gradient_descent_trains_at_two_over_its_step`; b = 0.5 with steps 0.3 (heavy ball) and 0.15 (Nesterov),
    Adam with step 0.002, betas 0.9 and 0.999: for each the mean of sharpness over (2 + 2b)/eta, (2 + 2b)/((1 + 2b) eta) and
    38/eta lies within 20 % of 1 over the last 40 % of the records, in a 99 % interval over 10 starts."""
    found = {}
    for name in ("heavy ball", "nesterov", "adam"):
        factor = OTHERS[name] if swapped else 1.0
        if plain:
            factor = 2 / METHODS[name][1] / edge(name)
        found[name] = mean_is(late(ratios(budget, name)) / factor, 1.0, TOLERANCE)
    return all_of(found)


@claim("law", "S44; Long and Bartlett (2023), arXiv:2309.12488; Andriushchenko and Flammarion (2022), arXiv:2206.06232")
@planted("at the edge of gradient descent", plain=True)
@planted("rho doubled", factor=2.0)
def sam_trains_at_its_edge(budget: Budget, plain: bool = False, factor: float = 1.0) -> Verdict:
    """S44, refined: SAM and USAM keep a small network at their own edges, of which SAM's holds by identity while it bounces.

    The network of `gradient_descent_trains_at_two_over_its_step`; rho = 0.05, steps 0.1 (SAM) and 0.2 (USAM): the mean over
    the last 40 % of the records of sharpness over (|g|/(2 rho))(sqrt(1 + 8 rho/(eta |g|)) - 1), |g| at the same iterate, for
    USAM 1 in the place of |g|, lies within 20 % of 1, in a 99 % interval over 10 starts."""
    found = {}
    for name in ("sam", "usam"):
        run, eta = trained(budget, name), METHODS[name][1]
        read = 2 / eta if plain else edge(name, run.norm, factor)
        found[name] = mean_is(late(run.sharpness / read), 1.0, TOLERANCE)
    return all_of(found)


@claim("phenomenon", "S3; Cohen et al. (2021), arXiv:2103.00065", unit="ratio")
@planted("of the step that is ten times as large", method="gradient descent")
def a_small_step_stays_below(budget: Budget, method: str = "small step") -> Verdict:
    """S3, refined: In equally many steps, not in equal time, a step ten times smaller keeps the network below half of its
    edge.

    Gradient descent with eta = 0.02 in the runs of `gradient_descent_trains_at_two_over_its_step`: the mean over the last
    40 % of the records of sharpness/(2/eta) lies below 0.5, in a 99 % interval over 10 starts. It has taken
    a tenth of the way, and its sharpness still rises: `at_equal_time_it_passes_the_edge_of_the_large_step`."""
    return exceeds(-late(ratios(budget, method)), -FLAT)


@claim("phenomenon", "S3; Cohen et al. (2021), arXiv:2103.00065", unit="ratio")
@planted("the large step itself", method="gradient descent")
@planted("in equally many steps", equal_time=False)
@planted("on to its own edge", own=1 - TOLERANCE)
def at_equal_time_it_passes_the_edge_of_the_large_step(
    budget: Budget, method: str = "small step", equal_time: bool = True, own: float = 0.0
) -> Verdict:  # fmt: skip
    """S3, refined: At equal time a step ten times smaller takes the sharpness past the edge that holds the large step, and
    not yet to its own.

    Gradient descent on the network of `gradient_descent_trains_at_two_over_its_step` with eta = 0.02 and 0.2, both up to
    eta k = 180 (quick: 90), from 5 (quick: 4) starts that no other claim has: the mean sharpness over the last 40 % of 21
    records is above 1.5 times 10, the edge of the large step, and below half of 100, that of the small one; with the large
    step it lies within 20 % of 10. 99 % intervals over starts."""
    small = at_equal_time(budget, method) if equal_time else ratios(budget, method, "gradient descent")
    large = at_equal_time(budget, "gradient descent")
    share = late(small) * edge("gradient descent") / edge("small step")
    parts = {"past the other edge": exceeds(late(small), PAST), "large step": mean_is(late(large), 1.0, TOLERANCE)}
    parts["own edge"] = exceeds(share, own) if own else exceeds(-share, -FLAT)
    time = np.linspace(0, budget.pick(*TIMES), RECORDS + 1)
    table = {name: rows(at_equal_time(budget, name), time=time) for name in ("gradient descent", "small step")}
    return all_of(parts).showing(stacked(table))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["gradient_descent_trains_at_two_over_its_step"].table
    names = {"gradient descent", "heavy ball", "nesterov", "small step"}
    options = {"ylim": (0, 1.4)}
    left, right = (table[table["method"].isin(names) == inside] for inside in (True, False))
    label = "sharpness / edge"
    shown = (
        Panel(left, "step", "steps", label, levels={"edge": 1.0}, log="", options=options),
        Panel(right, "step", "steps", label, levels={"edge": 1.0}, log="", options=options),
    )
    timed = verdicts["at_equal_time_it_passes_the_edge_of_the_large_step"].table
    label = r"sharpness / edge at $\eta = 0.2$"
    below = Panel(timed, "time", r"time $\eta k$", label, levels={"edge": 1.0}, log="", title="equal time")
    caption = (
        "The largest eigenvalue of the Hessian along full-batch training of a small network, divided by the curvature at "
        "which its method loses its hold on a parabola: 2/eta, (2 + 2b)/eta, (2 + 2b)/((1 + 2b) eta), 38/eta for Adam's "
        "preconditioned Hessian, and the edges of SAM. Last: gradient descent with eta = 0.2 and 0.02 in equal time, over "
        "the edge of the first. Means over starts with 99 % intervals."
    )
    return {"edges": panels(caption, LOOKS, shown, (below,))}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
