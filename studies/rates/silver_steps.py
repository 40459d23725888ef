r"""Is 1/eps what gradient descent needs on convex functions, whatever its steps?

    constant steps 1/L      L R^2/(4N + 2)                     eps^-1
    silver steps            L R^2/(4 rho^m - 2),  N = 2^m - 1   eps^-0.786,    rho = 1 + sqrt 2
    Nesterov's momentum     L R^2/(4 D_N + 2),   D_N ~ N^2/8   eps^-0.5

on the Huber function with the worst threshold for each. O(1/eps) is an upper bound, for constant steps with the right
exponent; other steps alone, without momentum, need fewer. The upper bounds of the two others, on every convex function,
have the same exponents and at most twice these constants.

Sources: Altschuler and Parrilo (2024), arXiv:2309.16530; Nesterov (1983); the gaps on Huber functions:
`theory/silver.py`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.huber import huber
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.schedules import Silver
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, exponent_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.rates.deterministic_problems import RELIABLE, deterministic
from ratewitness.theory import silver as theory

EXPONENTS = {"constant": 1.0, "silver": float(theory.exponent), "nesterov": 0.5}  # of 1/eps
BOUNDS = {"silver": lambda N, L, R: theory.silver(L=L, R=R, m=np.log2(N + 1)), "nesterov": theory.nesterov}


def solver(method: str, L):
    return {"constant": GradientDescent(1 / L), "silver": GradientDescent(Silver(L)), "nesterov": Nesterov(1 / L)}[method]


def displacement(method: str, m: int) -> float:
    """Of 2^m - 1 steps under a constant gradient, in units of a step 1/L."""
    N = 2**m - 1
    return {"constant": N, "silver": float(theory.rho) ** m - 1, "nesterov": theory.nesterov_displacement(N)}[method]


@measured
def on_huber(budget: Budget, method: str) -> pd.DataFrame:
    """The gap after N = 2^m - 1 steps on the Huber function that is worst for them (L = R = 1), m = 1, ..., 12 (14)."""
    found = []
    for m in range(1, budget.pick(12, 14) + 1):
        moved, N = displacement(method, m), 2**m - 1
        f = huber(1.0, 1 / (2 * moved + 1), 1.0)
        gap = float(run(solver(method, 1.0), Oracle.full(f), f.start, N, f.gap, at=[N]).values[0])
        found.append({"N": N, "measured": gap, "theory": 1 / (4 * moved + 2)})
    return pd.DataFrame(found)


@claim("exponent", "S6, the contrast; Altschuler and Parrilo (2024), arXiv:2309.16530; Nesterov (1983)")
@planted("silver steps gain nothing", exponents={"silver": 1.0})
@planted("silver steps are as good as momentum", exponents={"silver": 0.5})
@planted("momentum is as good as silver steps", exponents={"nesterov": EXPONENTS["silver"]})
@planted("exponent 0.85 of the silver steps", exponents={"silver": 0.85})
def fewer_steps_without_a_constant_step(budget: Budget, exponents: dict[str, float] = EXPONENTS) -> Verdict:
    """S6, contrast: On their Huber functions constant steps need 1/eps iterations, silver steps eps^-0.786, Nesterov's
    momentum eps^-0.5.

    The gap after N = 2^m - 1 steps, m = 5, ..., 12 (full budget: 14), is eps; exponents of 1/eps are log 2/log(1 + sqrt 2) =
    0.7864, 1 and 1/2, each +- 0.03. With the upper bounds of `bounds_on_convex_problems` these are the exponents of the
    class."""
    each = {}
    for method, power in exponents.items():
        late = on_huber(budget, method).query("N >= 31")
        each[method] = exponent_is(late["measured"], late["N"], power, 0.03)
    return all_of(each).showing(stacked({method: on_huber(budget, method) for method in exponents}))


@claim("exact", "S6, the contrast; theory/silver.py")
@planted("half the gap, as for the bound", factor=2.0)
@planted("a hundredth more", factor=1.01)
def gaps_on_huber_functions(budget: Budget, factor: float = 1.0) -> Verdict:
    """S6, contrast: On the Huber function the gap after 2^m - 1 silver steps is L R^2/(4 rho^m - 2), with Nesterov's
    momentum L R^2/(4 D_N + 2).

    At the worst thresholds, m = 1, ..., 12 (full budget: 14), to 1e-8; rho = 1 + sqrt 2, and D_N from the recursion of
    `theory/silver.py`. For m = 1, 2, 3 the silver gap is that of performance estimation, 0.1306, 0.0469, 0.0184 L R^2."""
    found = {method: on_huber(budget, method) for method in ("silver", "nesterov")}
    # a rounding error of x is multiplied by no step: the gradient is constant on the way, so 2^m of them add up
    each = {method: agrees(table["measured"], factor * table["theory"], 1e-8) for method, table in found.items()}
    return all_of(each).showing(stacked(found))


@measured
def on_problems(budget: Budget, method: str) -> pd.DataFrame:
    """Measured and bound after 2^m - 1 steps on every convex problem with a minimizer, far above rounding."""
    counts = [2**m - 1 for m in range(1, budget.pick(6, 10) + 1)]
    problems = {name: f for name, f in deterministic(budget.seed).items() if f.constants.convex and f.minimizer is not None}
    for N in counts:
        moved = displacement(method, int(np.log2(N + 1)))
        problems[f"worst Huber, N = {N}"] = huber(1.0, 1 / (2 * moved + 1), 1.0)
    found = []
    for name, f in problems.items():
        L, R = float(f.constants.smoothness), float(f.radius)
        gaps = run(solver(method, L), Oracle.full(f), f.start, counts[-1], f.gap, at=counts).values
        table = pd.DataFrame({"problem": name, "N": counts, "measured": gaps.tolist()})
        table["bound"] = [float(BOUNDS[method](N=N, L=L, R=R)) for N in counts]
        found.append(table[table["measured"] > RELIABLE * float(torch.as_tensor(f.floor).max())])
    return pd.concat(found, ignore_index=True)


@claim("upper bound", "S6, the contrast; Altschuler and Parrilo (2024), arXiv:2309.16530; Beck and Teboulle (2009)")
@planted("two thirds of the silver bound", methods=("silver",), factor=1.5)
@planted("0.9 of Nesterov's bound", methods=("nesterov",), factor=1 / 0.9)
def bounds_on_convex_problems(budget: Budget, methods=("silver", "nesterov"), factor: float = 1.0) -> Verdict:
    """S6, contrast: The gap after N = 2^m - 1 silver steps stays below L R^2/(1 + sqrt(4 rho^2m - 3)), with momentum below
    2 L R^2/(N+1)^2.

    On every deterministic convex problem with a minimizer and on the worst Huber function of each N, real data included,
    N = 1, 3, ..., 63 (full budget: 1023)."""
    found = {method: on_problems(budget, method) for method in methods}
    each = {method: bound_holds(table["measured"], table["bound"] / factor) for method, table in found.items()}
    return all_of(each).showing(stacked(found))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    found = verdicts["fewer_steps_without_a_constant_step"].table
    looks = {"constant": "C0o", "silver": "C1s", "nesterov": "C2D"}
    names = {"constant": "constant steps", "silver": "silver steps", "nesterov": "Nesterov"}
    found = found.assign(method=found["method"].map(names))
    panel = Panel(found, "N", "steps $N$", r"$(f(x_N) - f^*)\,/\,(LR^2)$")
    caption = (
        "Gap after $N = 2^m - 1$ steps on the Huber function that is worst for the method and for $N$; theory is the closed "
        "form. Steps that vary, without momentum, lie between."
    )
    return {"silver": panels(caption, {names[m]: look for m, look in looks.items()}, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
