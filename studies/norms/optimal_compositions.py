r"""Is the greedy composition of optimal odd polynomials the best one?

    p_t = argmin over odd p of degree d of max_{[l_t, u_t]} |1 - p|,   l_{t+1} = p_t(l_t),  u_{t+1} = 2 - l_{t+1}

Yes: what the later polynomials can still do depends on the ratio of the ends of the image of [l, 1] alone, because they
may be rescaled, and shrinks with it; the optimal p_1 makes that ratio largest, by definition, and so on. The error left
is 1 - l_{T+1}. All this in exact arithmetic: in float32 the cushioned variant is better (`polar_in_low_precision.py`).
The polynomials are derived by an exchange iteration (`solvers/norms/odd_polynomials.py`) and compared here with a linear
program, the cubic with its closed form, the composition with its rivals.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, optimal_odd_polynomial, pade_polynomial
from ratewitness.solvers.norms.polar import PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, proved
from ratewitness.studies.norms.spectra import errors, two_values, with_singular_values
from ratewitness.theory import newton_schulz
from scipy.optimize import linprog, minimize

SOURCE = "Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932"
GREEDY = PolarExpress(1, cushion=0.0, safety=1.0, eps=0.0)


@claim(
    kind="proof",
    source=f"S34; {SOURCE}; theory/newton_schulz.py",
    planted={"a wrong sign at the maximum": lambda budget: proved(lambda: newton_schulz.optimal_cubic_alternates(sign=-1))},
)
def optimal_cubic(budget: Budget) -> Verdict:
    """S34: The error of beta p(alpha x), p = (3x - x^3)/2, alpha = sqrt(3/(u^2 + l u + l^2)), beta = 4/(2 + l u (l + u)
    alpha^3), is E > 0 at l, -E at 1/alpha, its only critical point inside, and E at u: it takes +-E alternately at three
    points of [l, u] and is no larger between them, so by Chebyshev's theorem this is the optimal odd cubic."""
    return proved(newton_schulz.optimal_cubic_alternates)


def like_the_closed_form(budget: Budget, closed_form) -> Verdict:
    """Both coefficients of the exchange's cubic against those of beta p(alpha x), for l from 1e-8 to 0.99."""
    mine, theirs = [], []
    for low in (1e-8, 1e-6, 1e-4, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99):
        alpha, beta = map(float, closed_form(low, 1.0))
        mine += optimal_odd_polynomial(low, 1.0, 3)
        theirs += [1.5 * alpha * beta, -0.5 * alpha**3 * beta]
    return agrees(mine, theirs, 1e-14)


@claim(
    kind="exact",
    source=f"S34; {SOURCE}; theory/newton_schulz.py",
    planted={
        "Newton-Schulz: alpha = beta = 1": lambda budget: like_the_closed_form(budget, lambda low, high: (1, 1)),
        "scaled to the slope only": lambda budget: like_the_closed_form(
            budget, lambda low, high: (newton_schulz.optimal_cubic(low, high)[0], 1)
        ),
    },
)
def exchange_finds_the_cubic(budget: Budget) -> Verdict:
    """S34: The exchange iteration gives the coefficients of the closed form for degree 3, within 1e-14, from l = 1e-8 to
    0.99."""
    return like_the_closed_form(budget, newton_schulz.optimal_cubic)


COMPOSITIONS = (  # degree, l, T
    *((3, 0.1, 5), (3, 1e-3, 10), (3, 1e-5, 14)),
    *((5, 0.1, 3), (5, 0.01, 4), (5, 1e-3, 6), (5, 1e-6, 10)),
    *((7, 1e-2, 3), (7, 1e-4, 5), (9, 1e-3, 3)),
)


@cache
def worst_of_greedy(budget: Budget, cushion: float = 0.0) -> np.ndarray:
    """The worst measured error over singular values in [l, sqrt(1-l^2)] for each of `COMPOSITIONS`."""
    generator = budget.shared("optimal_compositions").generator("greedy")
    worst = []
    for degree, low, steps in COMPOSITIONS:
        l = torch.logspace(np.log10(low), np.log10(0.5**0.5), budget.pick(500, 4000), dtype=torch.float64)
        l[0] = low
        G, polar = with_singular_values(two_values(l.to(generator.device)), 2, generator)
        orthogonalize = replace(GREEDY, steps=steps, degree=degree, low=low, cushion=cushion)
        worst.append(errors(orthogonalize(G), polar).max())
    return np.array(worst)


def predicted_errors(cushion: float = 0.0) -> np.ndarray:
    made = (greedy_composition(steps, degree, low, cushion=cushion) for degree, low, steps in COMPOSITIONS)
    return np.array([composition.errors[-1] for composition in made])


def as_predicted(budget: Budget, predicted: np.ndarray) -> Verdict:
    measured = worst_of_greedy(budget)
    columns = pd.DataFrame(COMPOSITIONS, columns=["degree", "l", "T"])
    return agrees(measured, predicted, 1e-6).showing(columns.assign(predicted=predicted, measured=measured))


@claim(
    kind="exact",
    source=f"S34; {SOURCE}, theorem 4.1 (version of 29 September 2025)",
    planted={
        "the error of Newton-Schulz": lambda budget: as_predicted(
            budget, np.array([newton_schulz.upper_bound(l=low, q=(d - 1) // 2, T=T) for d, low, T in COMPOSITIONS])
        ),
        "one polynomial fewer": lambda budget: as_predicted(
            budget, np.array([greedy_composition(T - 1, d, low).errors[-1] for d, low, T in COMPOSITIONS])
        ),
        "the cushioned variant has the same error": lambda budget: as_predicted(budget, predicted_errors(0.1)),
    },
)
def greedy_error_is_predicted(budget: Budget) -> Verdict:
    """S34: The worst error of the greedy composition over singular values in [l, 1] is 1 - l_{T+1}, l_{t+1} = p_t(l_t),
    within 1e-6, for degrees 3 to 9 and l = 0.1 to 1e-6."""
    return as_predicted(budget, predicted_errors())


@cache
def by_linear_programming(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Image ratios (1-E)/(1+E) and errors E of the best polynomial on [l, 1]: from the exchange, and from the linear program
    on a grid."""
    grid_size, pairs = budget.pick(400, 2000), []
    for degree in (3, 5, 7, 9):
        for low in (0.5, 0.1, 0.01, 1e-3):
            angles = np.linspace(0, np.pi, grid_size)
            x = low + (1 - low) * (1 - np.cos(angles)) / 2
            powers = x[:, None] ** np.arange(1, degree + 1, 2)
            ones = np.ones((grid_size, 1))
            A, b = np.block([[powers, -ones], [-powers, -ones]]), np.concatenate([ones[:, 0], -ones[:, 0]])
            cost = np.eye(powers.shape[1] + 1)[-1]
            E = linprog(cost, A, b, bounds=(None, None), method="highs").fun
            mine = np.abs(1 - powers @ np.array(optimal_odd_polynomial(low, 1.0, degree))).max()
            pairs.append([(1 - mine) / (1 + mine), (1 - E) / (1 + E), mine, E])
    mine, program, *worst = np.array(pairs).T
    return np.concatenate([mine, worst[0]]), np.concatenate([program, worst[1]])


@cache
def against_rivals(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Worst errors on [l, 1] of the greedy composition and of rivals: Newton-Schulz, the cushioned variant, and
    compositions found by a direct search over all coefficients from random starts."""
    draw = budget.generator("rivals")
    generator = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw, device=draw.device)))
    greedy, rivals = [], []
    for degree, low, steps in ((3, 0.03, 2), (3, 0.01, 4), (5, 0.01, 2), (5, 0.003, 3), (7, 0.003, 2)):
        x = np.geomspace(low, 1, 4000)

        def worst(polynomials, x=x):
            for p in polynomials:
                x = x * np.polyval(np.asarray(p)[::-1], x * x)
            return np.abs(1 - x).max()

        best = np.array(greedy_composition(steps, degree, low).polynomials)
        found = [worst([pade_polynomial(degree)] * steps)]
        found.append(worst(greedy_composition(steps, degree, low, cushion=0.1).polynomials))
        for _ in range(budget.pick(2, 8)):
            start = best * (1 + 0.1 * generator.standard_normal(best.shape))
            search = minimize(
                lambda flat, shape=best.shape: worst(flat.reshape(shape)), start.ravel(), method="Nelder-Mead",
                options={"maxfev": budget.pick(300, 3000), "adaptive": True},
            )  # fmt: skip
            found += [worst(start), search.fun]
        greedy += [worst(best)] * len(found)
        rivals += found
    return np.array(greedy), np.array(rivals)


def is_best(budget: Budget, factor: float) -> Verdict:
    return bound_holds(factor * against_rivals(budget)[0], against_rivals(budget)[1])


@claim(
    kind="lower bound",
    source=f"S34; {SOURCE}, theorem 4.1 (version of 29 September 2025); scipy.optimize.linprog",
    planted={
        "the first polynomial's image ratio is that of Newton-Schulz": lambda budget: agrees(
            [np.polyval((-0.5, 0, 1.5, 0), low) for low in (0.5, 0.1, 0.01)], by_linear_programming(budget)[1][:3], 1e-3
        ),
        "every rival is worse by half": lambda budget: is_best(budget, 1.5),
        "the cushioned variant is the best": lambda budget: bound_holds(
            [greedy_composition(3, 5, 0.003, cushion=0.1).errors[-1]], [greedy_composition(3, 5, 0.003).errors[-1]]
        ),
    },
)
def greedy_is_optimal(budget: Budget) -> Verdict:
    """S34: The derived polynomials of degree 3 to 9 have the error E and the image ratio (1-E)/(1+E) of the linear program
    on a grid, within 1e-3, and the greedy composition has a smaller worst error on [l, 1] than Newton-Schulz, than the
    cushioned variant and than every composition that a direct search over all coefficients finds."""
    mine, program = by_linear_programming(budget)
    return all_of({"program": agrees(mine, program, 1e-3), "rivals": is_best(budget, 1.0)})


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    figure.set_label(
        "Left: optimal odd polynomials on [0.1, 1] (solid) and the Pade polynomials of Newton-Schulz (dashed). Right: the "
        "greedy composition of five quintics made for [0.001, 1] (dotted line), and its cushioned variant: the error of the "
        "one is equally large everywhere, that of the other larger."
    )
    x = np.linspace(0, 1, 400)
    for colour, degree in enumerate((3, 5, 7)):
        p, pade = optimal_odd_polynomial(0.1, 1.0, degree), pade_polynomial(degree)
        left.plot(x, x * np.polyval(p[::-1], x * x), color=f"C{colour}", label=f"degree {degree}")
        left.plot(x, x * np.polyval(pade[::-1], x * x), color=f"C{colour}", lw=0.9, ls="--")
    left.axhline(1, color="0.3", lw=0.8, ls=":")
    left.set(xlabel="singular value x", ylabel="p(x)")
    x = np.geomspace(1e-4, 1, 2000)
    for colour, (cushion, label) in enumerate(((0.0, "greedy"), (0.1, "cushion 0.1"))):
        value = x
        for p in greedy_composition(5, 5, 1e-3, cushion=cushion).polynomials:
            value = value * np.polyval(p[::-1], value**2)
        right.plot(x, value, lw=1, color=f"C{colour}", label=label)
    right.axvline(1e-3, color="0.3", lw=0.8, ls=":")
    right.set(xscale="log", xlabel="singular value of G/||G||_F", ylabel="after five quintics")
    for ax in (left, right):
        ax.legend(frameon=False)
    return {"polynomials": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
