r"""What does gradient descent with a constant step need on convex functions, and which step is the best?

    worst f(x_N) - f*  =  (L R^2/2) max{1/(2Nh+1), (1-h)^(2N)},        step h/L,  0 < h < 2

For every constant step, and not only for h = 1, the bound is attained, by the Huber function with threshold R/(2Nh+1) or by
L x^2/2 (Kim 2024, arXiv:2412.04427); the best step h*(N) is where the two meet.

Sources: Drori and Teboulle (2014), for h <= 1; Kim (2024); h*(N) is derived in `theory/gradient_descent.py`.
"""

from __future__ import annotations

import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.huber import huber
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.theory import gradient_descent as gd
from scipy.optimize import brentq


def gaps(h: float | torch.Tensor, N: int) -> list[torch.Tensor]:
    """The gap after N steps h/L on both worst functions (L = R = 1): h of shape (*sweep, 1) -> twice (*sweep,)."""
    found = []
    for f in (huber(1.0, 1 / (2 * N * h + 1), 1.0), quadratic([1.0], [1.0])):
        x0 = f.start.expand(h.shape) if isinstance(h, torch.Tensor) else f.start
        found.append(run(GradientDescent(h), Oracle.full(f), x0, N, f.gap, at=[N]).values[0])
    return found


@measured
def worst_gaps(budget: Budget) -> pd.DataFrame:
    """The two gaps and the bound, for every h of a grid in (0, 2) and several N."""
    h = torch.linspace(0.05, 1.95, budget.pick(20, 77), dtype=torch.float64)
    frames = []
    for N in budget.pick((1, 2, 5, 20), (1, 2, 3, 5, 10, 20, 50, 100)):
        steps, found = h.cpu().numpy(), [gap.cpu().numpy() for gap in gaps(h.unsqueeze(-1), N)]
        columns = {"huber": found[0], "parabola": found[1], "bound": gd.convex(L=1, R=1, h=steps, N=N)}
        frames.append(pd.DataFrame({"N": N, "h": steps, **columns}))
    return pd.concat(frames, ignore_index=True)


@claim("exact", "S6; Kim (2024), arXiv:2412.04427, for h <= 1 Drori and Teboulle (2014)")
@planted("a hundredth less", factor=0.99)
def every_constant_step(budget: Budget, factor: float = 1.0) -> Verdict:
    """S6, refined: The bound (L R^2/2) max{1/(2Nh+1), (1-h)^(2N)} of GD is attained at every constant step h/L of a grid in
    (0, 2).

    At 20 steps h from 0.05 to 1.95 and N = 1, 2, 5, 20 (full budget: 77 steps, N = 1, 2, 3, 5, 10, 20, 50, 100) the larger
    of the gaps on the Huber function with threshold R/(2Nh+1) and on L x^2/2 is the bound within 1e-12."""
    table = worst_gaps(budget)
    # N steps on numbers of order 1 lose N roundings; (1-h)^(2N) at h = 1 is an exact zero and never the larger one
    return agrees(table[["huber", "parabola"]].max(axis=1), factor * table["bound"], 1e-12).showing(table)


@measured
def best_steps(budget: Budget) -> pd.DataFrame:
    """h where the two measured worst gaps cross, by bisection on runs, beside theory's h*(N)."""

    def difference(h, N):
        on_huber, on_parabola = gaps(h, N)
        return float(on_parabola - on_huber)

    counts = budget.pick((1, 2, 5, 10), (1, 2, 3, 5, 10, 20, 50, 100))
    crossing = [brentq(difference, 1.0, 2.0 - 1e-9, args=(N,), xtol=1e-13) for N in counts]
    _, steps, rates = zip(*gd.best_step_table(counts), strict=True)
    table = pd.DataFrame({"N": counts, "measured": crossing, "theory": map(float, steps)})
    table["worst_gap_over_LR2"] = [float(rate) for rate in rates]
    return table.assign(gain_over_h_1=1 / (4 * table["N"] + 2) / table["worst_gap_over_LR2"])


@claim("exact", "S6; Kim (2024), arXiv:2412.04427; h*(N) derived in theory/gradient_descent.py", units={"largest": "ratio"})
@planted("step off by 0.01", shift=0.01)
def best_constant_step(budget: Budget, shift: float = 0.0) -> Verdict:
    """S6, refined: The best constant step for N steps is h*(N)/L, the root in (1, 2) of 1/(2Nh+1) = (1-h)^(2N).

    Within 1e-8, at N = 1, 2, 5 and 10 (full budget: eight N up to 100). It gains less than a factor
    of 2 on h = 1, and the exponent stays 1."""
    table = best_steps(budget)
    largest = table["gain_over_h_1"].to_numpy().max()  # NaN if one is
    gain = Verdict("supported" if largest < 2 else "refuted", {"largest": largest})
    return all_of({"step": agrees(table["measured"], table["theory"] + shift, 1e-8), "gain": gain}).showing(table)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    names = {"N": "$N$", "measured": r"$h^*$ measured", "theory": r"$h^*(N)$", "worst_gap_over_LR2": r"worst gap / $LR^2$"}
    return {"best-step": verdicts["best_constant_step"].table.rename(columns=names | {"gain_over_h_1": "gain over $h = 1$"})}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    found, looks = {}, {}
    for j, (N, table) in enumerate(verdicts["every_constant_step"].table.query("N in (1, 5, 20)").groupby("N")):
        shown = table.reset_index().index % max(1, len(table) // 19) == 0  # about 20 points a curve
        for name, column, marker, drawn in (("Huber", "huber", "o", 1.0), ("parabola", "parabola", "x", float("nan"))):
            points = table[column].where(shown & (table[column] > 1e-3))
            found[f"{name}, $N = {N}$"] = table.assign(measured=points, theory=drawn * table["bound"])
            looks[f"{name}, $N = {N}$"] = f"C{j}{marker}"
    panel = Panel(stacked(found), "h", "step $h = La$", r"$(f(x_N) - f^*)\,/\,(LR^2)$", log="y")
    caption = (
        "Gap after $N$ steps $h/L$ on the two worst convex functions (above 0.001); theory is the bound, their upper "
        "envelope, and its minimum the best constant step."
    )
    return {"steps": panels(caption, looks, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
