r"""Where does Muon's quintic take the singular values?

    p(x) = 3.4445 x - 4.7750 x^3 + 2.0315 x^5,      X_0 = G/||G||_F,  X_{t+1} = p(X_t) = U p(S_t) V^T

Not to 1: no fixed point of p attracts. Every singular value enters the band [m, p(m)] = [0.6818, 1.1344] for good, after
a number of steps that its size decides, and there it tends, for nearly every start, to a cycle of length 4. All of this
is certified in exact rational arithmetic in `theory/muon_quintic.py`; here it is proved, then seen on matrices: on random
ones in `muon_values`. What it costs in descent: `muon_descent`.

Source: K. Jordan (2024), github.com/KellerJordan/Muon.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.odd_polynomials import MUON
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, proved
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.norms.spectra import two_values, with_singular_values
from ratewitness.theory import muon_quintic

SOURCE = "S34; K. Jordan (2024), github.com/KellerJordan/Muon; theory/muon_quintic.py"
LOW, HIGH = map(float, muon_quintic.band())


@claim("proof", SOURCE)
@planted("the band [0.7, p(0.7)]", low=Fraction(7, 10))
@planted("a cycle of length 2 attracts", length=2)
@planted("everything above 1.26 blows up", boundary="1.26")
def ends_in_a_band(budget: Budget, low: Fraction | None = None, length: int = 4, boundary: str = "1.26373") -> Verdict:
    """S34: Muon's quintic takes every start in (0, 1.2637) into the band [0.6818, 1.1344], and attracts to no fixed point.

    It has no attracting fixed point and one repelling 2-cycle; it maps [m, p(m)] = [0.6818, 1.1344] onto itself, has one
    attracting cycle, of length 4, and grows without bound from starts above 1.26373. Machine-checked: seven statements in
    interval arithmetic of rationals (width below 1e-30), the number of 2-cycles by Sturm's theorem. Cited: Singer's theorem
    (1978), by which no other cycle attracts, and Banach's. In prose: that the roots of a quadratic order its signs."""
    return proved(
        lambda: (
            muon_quintic.no_fixed_point_attracts()
            and muon_quintic.one_repelling_two_cycle()
            and muon_quintic.band_is_invariant(low=low)
            and muon_quintic.every_value_enters_the_band()
            and muon_quintic.four_cycle_attracts(length=length)
            and muon_quintic.critical_orbits_are_trapped()
            and muon_quintic.blows_up_beyond(Fraction(boundary))
        )
    ).noting(identities=7)


@measured
def lifted(budget: Budget, early: int) -> pd.DataFrame:
    """Least and largest singular value after the certified number of steps (less `early`), over a grid of smallest ones.

    Beside round values the grid has the starts that need all of their steps: just above `reach(N)`.
    """
    generator, found = budget.generator("lifted"), []
    starts = [Fraction(1, 10**k) for k in range(1, 7)]
    starts += [muon_quintic.reach(N) * (1 + Fraction(1, 10**6)) for N in budget.pick((3, 5, 7), (2, 3, 4, 5, 6, 7, 8, 9))]
    for start in starts:
        steps = muon_quintic.steps_to_band(start)
        l = torch.tensor([float(start)], dtype=torch.float64, device=generator.device)
        for s in (two_values(l)[0], many_values(l, budget.pick(15, 47))):
            G, _ = with_singular_values(s, len(s) + 8, generator)
            values = torch.linalg.svdvals(MuonQuintic(steps - early)(G))
            row = {"l": float(start), "steps": steps, "size": len(s)}
            found.append(row | {"least": float(values.min()), "largest": float(values.max())})
    return pd.DataFrame(found)


def many_values(l: torch.Tensor, most: int) -> torch.Tensor:
    """Singular values of Frobenius norm 1, l (1,) the smallest of them, the others in geometric progression above it."""
    count = max(1, min(most, int(0.25 / l**2)))  # more would not all be above l
    last = l * (count / (1 - l**2)) ** 0.5
    others = last ** torch.linspace(0, 1, count, dtype=l.dtype, device=l.device)
    return torch.cat([others * ((1 - l**2) / others.square().sum()) ** 0.5, l])


@claim("exact", SOURCE)
@planted("one step fewer", early=1)
@planted("the band [0.7, 1.1344]", low=0.7)
@planted("the band [0.6818, 1.1]", high=1.1)
def matrices_reach_the_band(budget: Budget, early: int = 0, low: float = LOW, high: float = HIGH) -> Verdict:
    """S34: All singular values are in the certified band after the certified number of steps.

    With l = sigma_min/||G||_F, the smallest singular value at the start, 3 steps are certified for l = 0.1, 5 for 0.01, 7
    for 0.001, 12 for 1e-6. They are run on matrices of two sizes and l from 0.1 to 1e-6, the starts that need every step
    included."""
    table = lifted(budget, early)
    below = bound_holds(np.full(len(table), low), table["least"])
    return all_of({"low": below, "high": bound_holds(table["largest"], high)}).showing(table)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    reach = [(N, float(muon_quintic.reach(N))) for N in range(2, 11)]
    return {"reach": pd.DataFrame(reach, columns=["steps", "least start that is in the band"])}


def after(x: np.ndarray, steps: int) -> np.ndarray:
    """Singular values after so many steps of the quintic."""
    for _ in range(steps):
        x = x * np.polyval(MUON[::-1], x * x)
    return x


def figures(verdicts: dict[str, Verdict]) -> dict:
    caption = (
        "First: Muon's quintic with its certified band (square) and its attracting cycle of length 4 (points). Second: "
        "where five steps take a singular value."
    )
    figure, (once, five) = canvas(caption, 2, height=3.2)
    x, cycle = np.linspace(0, 1.28, 400), np.array([after(0.5, steps) for steps in range(200, 204)])
    once.plot(x, after(x, 1), label="$p(x)$")
    once.plot(x, x, color="0.5", lw=0.8, label="$x$")
    once.plot([LOW, HIGH, HIGH, LOW, LOW], [LOW, LOW, HIGH, HIGH, LOW], color="C1", lw=1.2, label="certified band")
    once.plot(cycle, after(cycle, 1), "o", ms=4, color="C2", label="4-cycle")
    once.axvline(float(muon_quintic.fixed_points()[1][0]), color="C3", ls="--", lw=1, label="blow-up beyond")
    once.set(xlabel="singular value $x$", ylabel="$p(x)$", xlim=(0, 1.3), ylim=(0, 1.35))
    x = np.geomspace(1e-4, 1, 4000)
    five.axhspan(LOW, HIGH, color="0.88", label="the band")
    five.plot(x, after(x, 5), lw=0.9, color="C0", ls="-.", label="after 5 steps")
    five.axvline(float(muon_quintic.reach(5)), color="C4", lw=1, label="certified for 5 steps")
    five.axhline(1, color="0.3", lw=0.8, ls=":", label="one")
    five.set(xscale="log", xlabel=r"singular value of $G/\Vert G\Vert_F$", ylabel="after 5 steps", ylim=(0, 1.35))
    legend_below(figure)
    return {"map": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
