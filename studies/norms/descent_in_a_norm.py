r"""When is a step in another norm than l_2 the better one, as the dimension grows?

    x_{k+1} = x_k + (1/L) ||g||_* lmo(g):   l_inf (sign descent) against l_2 (gradient descent), L that of the norm

A step lowers f by at least ||g||_*^2/(2 L) (`norm_bounds`). So l_inf has the better guarantee where the gradient is dense
and L_inf is not much larger than L_2, and only there:

    density = ||g||_1^2/||g||_2^2   in [1, d]      against      L_inf/L_2   in [1, d] on convex functions

    smooth max       f = tau log mean cosh(x/tau)               L_inf/L_2 = 2, dense gradients       l_inf wins by d
    spike            lam = (1, 1/d, ..., 1/d), dense start      L_inf/L_2 < 2, dense gradients       l_inf wins by d
    flat, one axis   lam = (1/4, 1, ..., 1), start e_1          L_inf/L_2 ~ d, density 1             l_2 wins by d
    flat, dense      lam = (1/4, 1, 1/4, 1, ...), dense start   L_inf/L_2 ~ 5d/8, density ~ d        neither

Steps are counted until the gap is 1e-4 of the initial one.

Sources: J. Kelner, Y. T. Lee, L. Orecchia and A. Sidford (2014), arXiv:1304.2338; D. Carlson, V. Cevher and L. Carin
(2015); L. Balles, F. Pedregosa and N. Le Roux (2020), arXiv:2002.08056; J. Bernstein and L. Newhouse (2024),
arXiv:2409.20325.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.solvers.solver import CENSORED
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exponent_is, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.norms.norm_instances import NORMS, TARGET, TAU, WINS_BY, instance, smoothness, steps

WITNESSES = ("smooth max", "flat, one axis")


def dimensions(budget: Budget, name: str) -> list[int]:
    """Even numbers from 32 to 1024 (quick), from 16 to 4096 or, where a run takes long, to 2048 (full)."""
    last = budget.pick(1024, 2048 if "random" in name else 4096)
    return (2 * (np.geomspace(budget.pick(32, 16), last, budget.pick(8, 12)) / 2).round()).astype(int).tolist()


def advantage(budget: Budget, name: str) -> np.ndarray:
    """Steps of l_2 over steps of l_inf, (dimensions, groups); nan where one is censored."""
    found = {n: np.stack([steps(budget, name, n, d) for d in dimensions(budget, name)]) for n in ("l_inf", "l_2")}
    return np.where((found["l_2"] < 1) | (found["l_inf"] < 1), np.nan, found["l_2"] / np.maximum(found["l_inf"], 1))


@claim("exponent", "S31; Kelner et al. (2014), arXiv:1304.2338; Balles, Pedregosa and Le Roux (2020), arXiv:2002.08056")
@planted("the norms swapped", swapped=True)
@planted("d^0.75 where it wins", exponents={**WINS_BY, "spike": 0.75})
@planted("d^1.25 where it wins", exponents={**WINS_BY, "smooth max": 1.25})
@planted("l_inf wins by d^0.3 with dense gradients of a flat Hessian", exponents={"flat, dense": 0.3})
@planted("l_2 wins by d^0.75 along one axis", exponents={"flat, one axis": -0.75})
def which_norm_wins(budget: Budget, exponents: Mapping[str, float] = WINS_BY, swapped: bool = False) -> Verdict:
    """S31, refined: Sign descent gains a factor d over gradient descent where gradients are dense and L_inf is not much
    larger than L_2.

    Steps of gradient descent over steps of sign descent, to 1e-4 of the initial gap, grow like d on the smooth max (both
    starts) and on the quadratic with one large eigenvalue, fall like 1/d on the flat quadratic along one axis and like
    no power of d on the flat quadratic with dense start: exponents +-0.15 for d from 16 to 4096 (quick: 32 to 1024,
    smooth max with random start to 2048). So goes L_2/L_inf times the density of the gradient."""
    verdicts, tables = {}, []
    for name, exponent in exponents.items():
        d, ratio = np.array(dimensions(budget, name)), advantage(budget, name) ** (-1 if swapped else 1)
        if exponent:
            verdicts[name] = exponent_is(1.0 / d, ratio, exponent, 0.15, budget.pick(1.5, 2.0))
        else:  # a constant has no rivals to beat: only the interval of the slope counts
            slopes = np.polyfit(np.log(d), np.log(ratio), 1)[0]
            judge = mean_is if len(slopes) > 1 else agrees  # one start: no sampling error, the slope itself
            verdicts[name] = judge(1 + slopes, 1.0, 0.15).noting(slope=slopes.mean(), ratio=ratio.mean())
        spread = ratio if ratio.shape[1] > 1 else np.repeat(ratio, 2, axis=1)  # one start: an interval of no width
        tables.append(rows(spread, d=d, theory=ratio[-1].mean() * (d / d[-1]) ** float(exponent)).assign(problem=name))
    return all_of(verdicts).showing(pd.concat(tables, ignore_index=True))


def on_the_diagonal(share: float) -> int:
    """t <- t - share tau tanh(t/tau) from 1, until tau log cosh(t/tau) is at the target."""
    t, k = 1.0, 0
    while np.log(np.cosh(t / TAU)) > TARGET * np.log(np.cosh(1 / TAU)):
        t, k = t - share * TAU * np.tanh(t / TAU), k + 1
    return k


@claim("exact", "S31; symmetry", units={"sign_descent_on_smooth_max": "ratio"})
@planted("the norms swapped", swap=True)
def steps_on_the_witnesses(budget: Budget, swap: bool = False) -> Verdict:
    """S31, refined: On the smooth max from (1, ..., 1) and on the flat quadratic along one axis both methods take
    exactly the steps of a recursion in one variable.

    On the smooth max sign descent needs the same number of steps for every d, that of t - tau tanh(t/tau), and gradient
    descent that of t - (2 tau/d) tanh(t/tau); on the flat quadratic along one axis they need ceil(log(1e-4)/(2 log(1 -
    1/(4 L)))), L = d - 3/4 and 1. All integers equal. Beside them in the table what the bounds allow: on these two
    problems no distance grows."""
    found = []
    for name, norm in product(WITNESSES, ("l_inf", "l_2")):
        for d in dimensions(budget, name):
            problem, l_inf = instance(name, d, budget), (norm == "l_inf") != swap
            L = smoothness(problem, NORMS[norm])
            if name == "smooth max":
                predicted = on_the_diagonal(1.0 if l_inf else 2 / d)
                R = NORMS[norm].value(problem.start)
                allowed = 2 * L * float(R**2 / (TARGET * problem.gap(problem.start))) - 4
            else:
                predicted = int(np.ceil(np.log(TARGET) / (2 * np.log1p(-0.25 / (d - 0.75 if l_inf else 1.0)))))
                allowed = np.log(TARGET) / np.log1p(-0.25 / L)
            found.append([name, norm, d, steps(budget, name, norm, d)[0], predicted, int(np.ceil(allowed))])
    table = pd.DataFrame(found, columns=["problem", "norm", "d", "steps", "predicted", "allowed"])
    verdict = equals_exactly(table["steps"], table["predicted"]).showing(table)
    return verdict.noting(sign_descent_on_smooth_max=float(table["steps"][0]))


@claim("upper bound", "S31; read as")
@planted("the Euclidean step is the better one", better="l_2", worse="l_inf")
def as_stated(budget: Budget, better: str = "l_inf", worse: str = "l_2") -> Verdict:
    """S31, read as: the non-Euclidean step is the better one: sign descent never needs more steps than gradient descent.

    Without hypothesis, on every problem of `norm_instances`, d = 64, sign descent needs no more steps to 1e-4 of the initial
    gap than gradient descent, start by start."""
    few, many = (np.concatenate([steps(budget, f, norm, 64) for f in WINS_BY]) for norm in (better, worse))
    censored = (few == CENSORED).sum() + (many == CENSORED).sum()
    return Verdict("inconclusive", {"censored": float(censored)}) if censored else bound_holds(few, many)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    names = {"l_inf": r"$\ell_\infty$", "l_2": r"$\ell_2$"}
    looks = dict(zip(WINS_BY, ("C0o", "C1s", "C2^", "C3v", "C4D"), strict=True))
    looks |= {names["l_inf"]: "C5P", names["l_2"]: "C7X"}
    looks |= {names["l_inf"] + ", bound": "C5:", names["l_2"] + ", bound": "C7:"}
    won = verdicts["which_norm_wins"].table
    above = Panel(won, "d", "dimension $d$", r"steps, $\ell_2$ / $\ell_\infty$", by="problem")
    counts = verdicts["steps_on_the_witnesses"].table.rename(columns={"steps": "measured", "predicted": "theory"})
    counts = counts.replace({"norm": names})
    bounds = counts.assign(measured=counts["allowed"], theory=np.nan, norm=counts["norm"] + ", bound")
    both = pd.concat([counts, bounds])
    below = [
        Panel(both[both["problem"] == name], "d", "dimension $d$", "steps", by="norm", title=name) for name in WITNESSES
    ]
    caption = (
        "Above: steps of gradient descent over steps of sign descent as the dimension grows (points: mean over starts with "
        r"99 % intervals; theory: $d$, $1/d$ and 1, through the last point). Below: steps on the two witnesses, measured "
        "(points), by the recursion in one variable (theory), and what the bound allows (dotted)."
    )
    return {"winners": panels(caption, looks, [above], below)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
