r"""Is the greedy composition of optimal odd polynomials the best one?

    p_t = argmin over odd p of degree d of max_{[l_t, u_t]} |1 - p|,   l_{t+1} = p_t(l_t),  u_{t+1} = 2 - l_{t+1}

Yes: what the later polynomials can still do depends on the ratio of the ends of the image of [l, 1] alone, because they
may be rescaled, and shrinks with it; the optimal p_1 makes that ratio largest, by definition, and so on. The error left
is 1 - l_{T+1}. All this in exact arithmetic: in float32 the cushioned variant is better (`polar_in_low_precision`).
The polynomials are derived by an exchange iteration (`solvers/norms/odd_polynomials.py`) and compared here with a linear
program, the cubic with its closed form in `optimal_polynomials`, the composition with its rivals.

Source: N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, optimal_odd_polynomial, pade_polynomial
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.norms.matrix_runs import GREEDY, SOURCE
from ratewitness.studies.norms.spectra import errors, two_values, with_singular_values
from ratewitness.theory import newton_schulz
from scipy.optimize import linprog, minimize

PRINTED = "theorem 4.1 (version of 29 September 2025)"
COMPOSITIONS = (  # degree, l, T
    *((3, 0.1, 5), (3, 1e-3, 10), (3, 1e-5, 14)),
    *((5, 0.1, 3), (5, 0.01, 4), (5, 1e-3, 6), (5, 1e-6, 10)),
    *((7, 1e-2, 3), (7, 1e-4, 5), (9, 1e-3, 3)),
)
QUINTICS = (5, 0.003, 3)
WITH_RIVALS = ((3, 0.03, 2), (3, 0.01, 4), (5, 0.01, 2), QUINTICS, (7, 0.003, 2))


@measured
def worst_of_greedy(budget: Budget) -> list[float]:
    """The worst measured error over singular values in [l, sqrt(1-l^2)] for each of `COMPOSITIONS`."""
    generator, worst = budget.generator("greedy"), []
    for degree, low, steps in COMPOSITIONS:
        l = torch.logspace(np.log10(low), np.log10(0.5**0.5), budget.pick(500, 4000), dtype=torch.float64)
        l[0] = low
        G, polar = with_singular_values(two_values(l.to(generator.device)), 2, generator)
        orthogonalize = replace(GREEDY, steps=steps, degree=degree, low=low)
        worst.append(float(errors(orthogonalize(G), polar).max()))
    return worst


def left(degree: int, low: float, steps: int, cushion: float = 0.0) -> float:
    """1 - l_{T+1}."""
    return greedy_composition(steps, degree, low, cushion=cushion).errors[-1]


@claim("exact", f"S34; {SOURCE}, {PRINTED}")
@planted("the error of Newton-Schulz", law=lambda d, low, T: newton_schulz.upper_bound(l=low, q=(d - 1) // 2, T=T))
@planted("one polynomial fewer", law=lambda d, low, T: left(d, low, T - 1))
@planted("the cushioned variant has the same error", law=lambda d, low, T: left(d, low, T, cushion=0.1))
def greedy_error_is_predicted(budget: Budget, law: Callable = left) -> Verdict:
    """S34: The worst error of the greedy composition over singular values in [l, 1] is 1 - l_{T+1}.

    With l_{t+1} = p_t(l_t) it is that within 1e-6, for degrees 3 to 9 and l = 0.1 to 1e-6."""
    table = pd.DataFrame(COMPOSITIONS, columns=["degree", "l", "T"])
    table = table.assign(predicted=[float(law(*row)) for row in COMPOSITIONS], measured=worst_of_greedy(budget))
    return agrees(table["measured"], table["predicted"], 1e-6).showing(table)


@measured
def by_linear_programming(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Image ratios (1-E)/(1+E) and errors E of the best polynomial on [l, 1]: from the exchange, and from the linear program
    on a grid."""
    grid_size, found = budget.pick(400, 2000), []
    for degree, low in product((3, 5, 7, 9), (0.5, 0.1, 0.01, 1e-3)):
        x = low + (1 - low) * (1 - np.cos(np.linspace(0, np.pi, grid_size))) / 2
        powers = x[:, None] ** np.arange(1, degree + 1, 2)
        ones = np.ones((grid_size, 1))
        A, b = np.block([[powers, -ones], [-powers, -ones]]), np.concatenate([ones[:, 0], -ones[:, 0]])
        cost = np.eye(powers.shape[1] + 1)[-1]
        program = linprog(cost, A, b, bounds=(None, None), method="highs").fun
        found.append([np.abs(1 - powers @ np.array(optimal_odd_polynomial(low, 1.0, degree))).max(), program])
    E = np.array(found).T
    return tuple(np.concatenate([(1 - E) / (1 + E), E], 1))


def after(x: np.ndarray, polynomials) -> np.ndarray:
    """Singular values x after odd polynomials, each given by its coefficients of x, x^3, ..."""
    for p in polynomials:
        x = x * np.polyval(np.asarray(p)[::-1], x * x)
    return x


@measured("optimal_compositions.greedy_is_optimal")
def against_rivals(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Worst errors on [l, 1] of the greedy composition and of rivals: Newton-Schulz, the cushioned variant, and
    compositions found by a direct search over all coefficients from random starts."""
    draw = budget.generator("rivals")
    generator = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw, device=draw.device)))
    options = {"maxfev": budget.pick(300, 3000), "adaptive": True}
    greedy, rivals = [], []
    for degree, low, steps in WITH_RIVALS:
        x, best = np.geomspace(low, 1, 4000), np.array(greedy_composition(steps, degree, low).polynomials)

        def worst(flat, x=x, shape=best.shape):
            return np.abs(1 - after(x, np.reshape(flat, shape))).max()

        found = [worst([pade_polynomial(degree)] * steps)]
        found.append(worst(greedy_composition(steps, degree, low, cushion=0.1).polynomials))
        for _ in range(budget.pick(2, 8)):
            start = best * (1 + 0.1 * generator.standard_normal(best.shape))
            found += [worst(start), minimize(worst, start.ravel(), method="Nelder-Mead", options=options).fun]
        greedy += [worst(best)] * len(found)
        rivals += found
    return np.array(greedy), np.array(rivals)


def is_best(budget: Budget, factor: float = 1.0) -> Verdict:
    greedy, rivals = against_rivals(budget)
    return bound_holds(factor * greedy, rivals)


def like_newton_schulz(budget: Budget) -> Verdict:
    ratios = [after(low, [pade_polynomial(3)]) for low in (0.5, 0.1, 0.01)]
    return agrees(ratios, by_linear_programming(budget)[1][:3], 1e-3)


@claim("lower bound", f"S34; {SOURCE}, {PRINTED}; scipy.optimize.linprog")
@planted("the first polynomial's image ratio is that of Newton-Schulz", like_newton_schulz)
@planted("every rival is worse by half", lambda budget: is_best(budget, 1.5))
@planted("the cushioned variant is the best", lambda budget: bound_holds([left(*QUINTICS, cushion=0.1)], [left(*QUINTICS)]))
def greedy_is_optimal(budget: Budget) -> Verdict:
    """S34: The greedy composition of optimal polynomials has a smaller worst error on [l, 1] than all of its rivals.

    The derived polynomials of degree 3 to 9 have the error E and the image ratio (1-E)/(1+E) of the linear program on a
    grid, within 1e-3; the rivals are Newton-Schulz, the cushioned variant and every composition that a direct search over
    all coefficients finds."""
    mine, program = by_linear_programming(budget)
    return all_of({"program": agrees(mine, program, 1e-3), "rivals": is_best(budget)})


def figures(verdicts: dict[str, Verdict]) -> dict:
    caption = (
        r"First: optimal odd polynomials on $[\ell, 1]$, $\ell = 0.1$, by degree, and the Pade ones of Newton-Schulz. "
        r"Second: the greedy composition of five quintics made for $\ell = 0.001$, and its cushioned variant: the error of "
        "the one has equal extremes, that of the other larger ones."
    )
    figure, (one, five) = canvas(caption, 2, height=3.2)
    x = np.linspace(0, 1, 400)
    for colour, degree in zip(("C0", "C1", "C2"), (3, 5, 7), strict=True):
        one.plot(x, after(x, [optimal_odd_polynomial(0.1, 1.0, degree)]), color=colour, label=f"degree {degree}")
        one.plot(x, after(x, [pade_polynomial(degree)]), color=colour, lw=0.9, ls="--", label=f"Pade {degree}")
    x = np.geomspace(1e-4, 1, 2000)
    for look, (cushion, label) in zip(("C3-", "C4-."), ((0.0, "greedy"), (0.1, "cushion 0.1")), strict=True):
        five.plot(x, after(x, greedy_composition(5, 5, 1e-3, cushion=cushion).polynomials), look, lw=1, label=label)
    for ax, low in ((one, 0.1), (five, 1e-3)):
        ax.axhline(1, color="0.3", lw=0.8, ls=":", label="one")
        ax.axvline(low, color="0.3", lw=0.8, label=r"$\ell$")
    one.set(xlabel="singular value $x$", ylabel="$p(x)$")
    five.set(xscale="log", xlabel=r"singular value of $G/\Vert G\Vert_F$", ylabel="after five quintics")
    legend_below(figure)
    return {"polynomials": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
