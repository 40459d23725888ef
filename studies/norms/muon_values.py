r"""Where do the singular values of random matrices go under Muon's quintic?

    X_{t+1} = p(X_t) = U p(S_t) V^T,    from square Gaussian matrices, from log-uniform and from uniform spectra

What theory certifies (`muon_band`) is seen on them, and so are two beliefs: that the iteration converges to U V^T, and that
five steps spread the singular values uniformly over [0.5, 1.5].

Source: K. Jordan (2024), github.com/KellerJordan/Muon.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds, exceeds, mean_is
from ratewitness.studies.norms.spectra import two_values, with_singular_values
from ratewitness.theory import muon_quintic

SOURCE = "S34; K. Jordan (2024), github.com/KellerJordan/Muon; theory/muon_quintic.py"
GROUPS = 8
LOW, HIGH = map(float, muon_quintic.band())
LARGEST = float(muon_quintic.largest())
FIXED_POINT = float(muon_quintic.fixed_points()[0][0])


def four_cycle() -> list[float]:
    orbit = muon_quintic.orbit(muon_quintic.image(muon_quintic.critical_points()[1]), 84)
    return [float(sum(x) / 2) for x in orbit[-4:]]


def two_cycle() -> list[float]:
    return [float(x[0]) for x in muon_quintic.two_cycles()]


@measured("muon_band")
def random_values(budget: Budget, steps: int) -> np.ndarray:
    """Singular values (groups, values) after `steps` steps."""
    generator = budget.generator("random")
    n, count = budget.pick((32, 2), (64, 8))
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    gaussian = torch.randn(GROUPS, count, n, n, **options)
    spread = 10 ** (-2 * torch.rand(GROUPS, count, n, **options))
    even = torch.rand(GROUPS, count, n, **options)
    G = torch.cat([gaussian, *(with_singular_values(s, n, generator)[0] for s in (spread, even))], 1)
    return torch.linalg.svdvals(MuonQuintic(steps)(G)).cpu().numpy().reshape(GROUPS, -1)


@claim("phenomenon", SOURCE, unit="fraction")
@planted("the 2-cycle", points=two_cycle)
@planted("the fixed point 0.868", points=lambda: [FIXED_POINT])
@planted("three points of the four", points=lambda: four_cycle()[1:])
def ends_in_a_four_cycle(budget: Budget, points: Callable[[], list[float]] = four_cycle) -> Verdict:
    """S34: At least 99 % of the singular values of random matrices end on the attracting cycle of length 4.

    After 200 steps they are within 1e-3 of one of its four points, 0.6819, 0.7529, 1.0469, 1.1343."""
    distance = np.abs(random_values(budget, 200)[..., None] - np.array(points())).min(-1)
    return exceeds((distance < 1e-3).mean(-1), 0.99)


@claim("upper bound", "S34, read literally for Muon's iteration")
@planted("it converges to its fixed point", limit=FIXED_POINT)
@planted("it converges to zero", limit=0.0)
def converges_as_stated(budget: Budget, limit: float = 1.0) -> Verdict:
    """S34, read as: Muon's Newton-Schulz iteration converges to U V^T.

    After 5, 10, 20, 50 and 100 steps every singular value of random matrices is within 1e-2 of 1."""
    steps = (5, 10, 20, 50, 100)
    worst = [np.abs(random_values(budget, T) - limit).max() for T in steps]
    return bound_holds(worst, 1e-2).showing({"steps": steps, "error": worst})


@claim(
    "law",
    "S34; the docstring of torch.optim.Muon's iteration and of others",
    units={
        "measured_above": "fraction",
        "uniform_above": "fraction",
        "measured_in_band": "fraction",
        "uniform_in_band": "fraction",
    },
)
@planted("Uniform(0.7, 1.3)", low=0.7, high=1.3)
@planted("Uniform(0, 2)", low=0.0, high=2.0)
def uniform_as_stated(budget: Budget, low: float = 0.5, high: float = 1.5) -> Verdict:
    """S34, read as: Five steps of Muon's quintic give U S' V^T with S' ~ Uniform(0.5, 1.5).

    The shares of singular values above 1.2024 and in the band [0.6818, 1.1344] are those of that distribution, 30 % and
    45 %, within a quarter. In exact arithmetic the first is zero, for every matrix and every number of steps."""
    values = random_values(budget, 5)
    shares = [(values > LARGEST).mean(-1), ((values >= LOW) & (values <= HIGH)).mean(-1)]
    uniform = [(high - LARGEST) / (high - low), (HIGH - LOW) / (high - low)]
    evidence = {"measured_above": shares[0].mean(), "uniform_above": uniform[0]}
    evidence |= {"measured_in_band": shares[1].mean(), "uniform_in_band": uniform[1]}
    return mean_is(np.array(shares), uniform, 0.25).noting(**evidence)


@claim("upper bound", SOURCE)
@planted("nothing exceeds 1", limit=1.0)
@planted("nothing exceeds p(m)", limit=HIGH)
def never_exceeds_its_maximum(budget: Budget, limit: float = LARGEST) -> Verdict:
    """S34: No singular value ever exceeds M = 1.2024 after one or more steps of Muon's quintic, whatever the matrix.

    It cannot, as normalized ones are at most 1. This is run after 1, 2, 3, 5 and 10 steps, on random matrices, and the start
    0.5545 attains M after one step."""
    peak = torch.tensor([float(muon_quintic.critical_points()[0][0])], dtype=torch.float64)
    attained = float(torch.linalg.svdvals(MuonQuintic(1)(torch.diag_embed(two_values(peak)))).max())
    return bound_holds([attained, *(random_values(budget, T).max() for T in (1, 2, 3, 5, 10))], limit)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
