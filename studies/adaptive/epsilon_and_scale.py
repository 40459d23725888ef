r"""Is AdaGrad's epsilon = 1e-6 harmless, whatever the scale of the loss?

    x_{k+1} = x_k - lr g_k/(eps + sum_{j<=k} g_j^2)^{1/2}

A loss whose gradients are below sqrt eps throughout (`adagrad_epsilon`) is not trained by AdaGrad but by SGD with the step
lr/sqrt eps.

The last gap is that of s times the rotated quadratic of `studies/adaptive/rotated_family.py`, after N = 1000 steps ||x_0 -
x*||_inf/sqrt 2, with Gaussian noise xi, E ||xi||^2 = 9 s^2/N; all eps see the same noise.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.solver import run
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds, mean_is
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.tuning import Paired

EPSILONS = (1e-300, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
N, BY_DEFAULT, LEAST = 1_000, EPSILONS.index(1e-6), EPSILONS.index(1e-16)
SOURCE = "S20; Duchi, Hazan and Singer (2011)"


@measured("adagrad_epsilon")
def last_gaps(budget: Budget, s: float) -> np.ndarray:
    """Last gap over that of eps = 1e-16 on s times the quadratic: (eps, 10 groups of seeds)."""
    problem, sigma = rotated_family(budget, s), 3 * s / N**0.5
    x0, eps = problem.starts(len(EPSILONS), budget.pick(100, 1_000)), torch.tensor(EPSILONS, dtype=torch.float64)
    solver = AdaGrad(problem.start.abs().max().item() / 2**0.5, eps=eps.reshape(-1, 1, 1).to(x0.device))
    oracle = Paired(Oracle.gaussian(problem, sigma, budget.generator("noise")))
    gap = run(solver, oracle, x0, N, problem.gap, at=[N]).values[-1].cpu().numpy()
    groups = gap.reshape(len(EPSILONS), 10, -1).mean(-1)
    return groups / groups[LEAST]


@claim("upper bound", SOURCE)
@planted("eps = 1", scales=(1.0, 1e-7), eps=1.0)
def harmless_as_stated(budget: Budget, scales: tuple[float, ...] = (1.0, 1e-2, 1e-4, 1e-7), eps: float = 1e-6) -> Verdict:
    """S20, read as: AdaGrad's epsilon = 1e-6 does no harm, whatever the scale of the loss.

    Epsilon = 1e-6 only avoids what would go wrong. For a loss times 1, 1e-2, 1e-4 and 1e-7 the last gap with eps = 1e-6
    is at most twice that with eps = 1e-16."""
    found = np.stack([last_gaps(budget, s)[EPSILONS.index(eps)] for s in scales])
    return bound_holds(found, np.full(len(found), 2.0))


@claim("phenomenon", SOURCE, unit="ratio")
@planted("at scale 1 as well", small=1.0)
@planted("up to eps = 1", up_to=1.0)
def scale_decides_what_epsilon_does(budget: Budget, small: float = 1e-7, up_to: float = 1e-6) -> Verdict:
    """S20, refined: AdaGrad's epsilon = 1e-6 changes nothing for a loss of scale 1, and spoils one of scale 1e-7.

    At the step D/sqrt 2 the last gap is the same within 1 % for eps from 1e-16 to 1e-6 where the sums of squares are far
    above 1e-6 (s = 1); where they stay below (s = 1e-7), eps = 1e-6 makes it at least 5 times that of eps = 1e-16."""
    large, tiny = last_gaps(budget, 1.0), last_gaps(budget, small)
    flat = large[LEAST + 1 : EPSILONS.index(up_to) + 1]
    unchanged, spoilt = mean_is(flat, np.ones(len(flat)), 0.01), exceeds(tiny[BY_DEFAULT], 5.0)
    verdict = all_of({"s = 1, eps up to 1e-6": unchanged, f"s = {small:g}, eps = 1e-6": spoilt})
    return verdict.showing(rows(np.stack([large, tiny], 1), s=[1.0, small], eps=np.array(EPSILONS)[:, None]))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["scale_decides_what_epsilon_does"].table.query("eps > 1e-300")
    table = table.assign(method=np.where(table["s"] == 1, "$s = 1$", "$s = 10^{-7}$"))
    caption = (
        r"Last gap over that of $\varepsilon = 10^{-16}$, the least of the $\varepsilon$ shown, with 99 % intervals, for a "
        "loss of scale $s = 1$ and one of $10^{-7}$."
    )
    panel = Panel(table, "eps", r"$\varepsilon$", "last gap, relative")
    figure = panels(caption, {"$s = 1$": "C0o-", "$s = 10^{-7}$": "C1s-"}, [panel], legend="none", height=3.0)
    figure.axes[0].axvline(1e-6, color="0.3", ls="--", lw=1, label=r"$\varepsilon = 10^{-6}$, the default")
    legend_below(figure, 2)
    return {"epsilon": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
