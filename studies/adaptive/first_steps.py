r"""How long are the first steps of RMSProp and Adam?

    RMSProp  a/sqrt(1 - beta2^k)      Adam without correction  a (1 - beta1^k)/sqrt(1 - beta2^k)      Adam  a

at equal gradients and epsilon 0, whatever their size; at k = 1 for any gradient. Averages that start at 0 are too small: the
one in the denominator makes RMSProp's first steps too long, and Adam's without correction where 1 - beta1 > sqrt(1 - beta2),
as for the betas 0.9 and 0.999; else the one in the numerator makes them too short.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; theory/moving_averages.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, proved
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.proofs import falsified
from ratewitness.studies.measuring.streams import normal, visited
from ratewitness.theory.moving_averages import first_step, head_start, head_start_integral, length
from torch import Tensor

SOURCE = "S24; theory/moving_averages.py"
BETAS = torch.tensor([(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.99, 0.9)], dtype=torch.float64)  # beta1, beta2
SIZES = (1.0, 1e-6, 1e-3, 1e3, -1e6)
METHODS = {
    "Adam": lambda lr, beta1, beta2: Adam(lr, beta1, beta2, eps=0.0),
    "Adam without correction": lambda lr, beta1, beta2: Adam(lr, beta1, beta2, eps=0.0, bias_correction=False),
    "RMSProp": lambda lr, beta1, beta2: RMSProp(lr, beta2, eps=0.0),
}
LENGTHS = {  # of step k over a
    "Adam": lambda beta1, beta2, k: 1.0 + 0.0 * beta2 * k,
    "Adam without correction": length,
    "RMSProp": lambda beta1, beta2, k: length(0.0, beta2, k),
}
SHOWN = 300  # steps in the table
LOOKS = {"Adam": "C0o", "Adam without correction": "C1s", "RMSProp": "C2^"}


def steps(method: str, gradients: Tensor, count: int) -> np.ndarray:
    """Lengths in the direction of -g over a: (betas, gradients, count), for gradients (count or 1, gradients)."""
    beta1, beta2 = (beta.unsqueeze(-1) for beta in BETAS.unbind(-1))
    x0 = torch.zeros(len(BETAS), gradients.shape[-1], dtype=torch.float64)
    solver = METHODS[method](1.0, beta1, beta2)
    path = visited(solver, lambda k, x: gradients[min(k, len(gradients) - 1)], x0, range(count + 1))
    return (-path.diff(dim=0) * gradients[0].sign()).movedim(0, -1).numpy()


@cache
def at_equal_gradients(method: str, count: int) -> np.ndarray:
    return steps(method, torch.tensor([SIZES], dtype=torch.float64), count)


@cache
def way_down(method: str) -> np.ndarray:
    """x_k for 1 <= k <= SHOWN on x^2/2 from x_0 = 1 with step 0.01, betas 0.9 and 0.999."""
    one = torch.ones(1, dtype=torch.float64)
    return visited(METHODS[method](0.01, 0.9, 0.999), lambda k, x: x, one, range(1, SHOWN + 1))[:, 0].numpy()


@claim("exact", SOURCE)
@falsified(first_step, named="a first step corrected for two gradients")
@planted("RMSProp starts with steps a", laws={"RMSProp": LENGTHS["Adam"]})
@planted("so does Adam without correction", laws={"Adam without correction": LENGTHS["Adam"]})
@planted("beta1 and beta2 swapped", laws={"Adam without correction": lambda beta1, beta2, k: length(beta2, beta1, k)})
@planted(
    "Adam corrected for one gradient more",
    laws={"Adam": lambda beta1, beta2, k: length(beta1, beta2, k) / length(beta1, beta2, k + 1)},
)
def lengths_are_exact(budget: Budget, laws: Mapping = LENGTHS) -> Verdict:
    """S24: Without the correction the first step is 32 times too long with RMSProp at beta2 = 0.999, and 3.2 times with Adam
    at betas 0.9 and 0.999.

    At equal gradients of sizes 1e-6 to 1e6 step k has length a with Adam, (1 - beta1^k)/sqrt(1 - beta2^k) a without the
    correction and a/sqrt(1 - beta2^k) with RMSProp, to rounding, for k up to 3000 (quick: 300) and four pairs of betas; at k
    = 1 at any gradient (proved). So RMSProp's first step is (1 - beta2)^{-1/2} times too long, and Adam's without the
    correction (1 - beta1)(1 - beta2)^{-1/2} times. Machine-checked (sympy): k = 1. Beside the lengths, the table shows the
    way to the minimizer of x^2/2."""
    count, verdicts, parts = budget.pick(300, 3000), {}, {}
    k = np.arange(1, count + 1)
    beta1, beta2 = (beta.reshape(-1, 1, 1).numpy() for beta in BETAS.unbind(-1))
    anything = (6 * normal(budget.generator("sizes"), 1, 100)).exp() * normal(budget.generator("signs"), 1, 100).sign()
    for method, law in {**LENGTHS, **laws}.items():
        measured = at_equal_gradients(method, count)
        verdicts[f"{method}, equal"] = agrees(measured, law(beta1, beta2, k))
        verdicts[f"{method}, first"] = agrees(steps(method, anything, 1), law(beta1, beta2, 1))
        shown = {"k": k[:SHOWN], "measured": measured[0, 0, :SHOWN], "theory": law(0.9, 0.999, k[:SHOWN])}
        parts[method] = pd.DataFrame(shown | {"x": way_down(method)})
    return all_of({"proof": proved(first_step), "runs": all_of(verdicts)}).showing(stacked(parts))


@cache
def distance_ahead(rates: tuple[float, ...]) -> np.ndarray:
    """What RMSProp's steps at equal gradients exceed as many steps of length a by in all, for beta2 = 1 - rates."""
    beta2, count = 1 - torch.tensor(rates, dtype=torch.float64), int(20 / min(rates))
    one = torch.ones_like(beta2)
    return (-visited(RMSProp(1.0, beta2, eps=0.0), lambda k, x: one, 0 * one, [count])[0] - count).numpy()


@claim("upper bound", SOURCE)
@falsified(head_start_integral, named="an integral of log 2")
@planted("half the bound", share=0.5)
def head_start_of_rmsprop(budget: Budget, share: float = 1.0) -> Verdict:
    """S24: RMSProp's too long first steps take it ahead by less than 2 log 2/log(1/beta2) steps in all, at equal gradients.

    Its steps together exceed as many steps of length a by less than that times a, which is 1386 a for beta2 = 0.999. The
    betas are from 0.5 to 0.9999 (quick: 0.99), for which `power`, the largest share of the bound that is attained, nears
    1."""
    rates = np.array(budget.pick((0.5, 0.1, 0.01), (0.5, 0.1, 0.01, 1e-3, 1e-4)))
    runs = bound_holds(distance_ahead(tuple(rates)), share * head_start(beta2=1 - rates))
    return all_of({"proof": proved(head_start_integral), "runs": runs})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "The first steps of RMSProp and Adam with $\\beta_1 = 0.9$ and $\\beta_2 = 0.999$. Left: lengths at equal "
        "gradients. Right: the way to the minimizer of $x^2/2$ from 1 with step $a = 0.01$."
    )
    table = verdicts["lengths_are_exact"].table
    lengths = table[table["k"].isin({1, 2, 3, 5, 8, 13, 20, 35, 60, 100, 180, 300})]
    left = Panel(lengths, "k", "step $k$", "length / $a$")
    right = Panel(table[(table["k"] % 5 == 0) & (table["k"] <= 200)], "k", "steps $k$", "$x_k$", y="x", theory=False, log="")
    return {"lengths": panels(caption, LOOKS, [left, right], height=3.0)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
