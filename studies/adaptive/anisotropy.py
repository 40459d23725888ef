r"""Does RMSProp suit anisotropic problems?

    f(x) = (1/2) sum_i lam_i z_i^2,   z = Q^T x in R^10,   lam log-spaced in [1/kappa, 1] and rounded to powers of two

along the axes (Q = I) or randomly rotated (Q of the Haar measure). The start has ||x_0|| = 1 and comparable distances along
the eigenvectors: random signs times uniform numbers in [1/2, 1], normalized. A run has *arrived* at the first k from which
100 iterates in a row have ||x_k|| <= 0.01: a single one may be met in flight, between two jumps.

What is exact. RMSProp, Adam, AdaGrad and sign descent with eps = 0 do not change if a coordinate of every gradient is
multiplied by c > 0. Along the axes the gradient is lam_i x_i: the iterates at any kappa *are* those at kappa = 1 from the
same start, in binary arithmetic bit for bit, as a factor 2^-j commutes with every operation. Rotated, scaling the diagonal
of the Hessian to 1 changes the condition number by a small factor only, typically 1.5, and no diagonal scaling does better
by more than a factor d (van der Sluis 1969): the slope of log steps in log kappa is expected to be gradient descent's. That
method with its best step 2/(1 + 1/kappa) has z_k = (I - a diag lam)^k z_0, which gives its steps without a run, about
(kappa/2) log 100. Heavy ball with theory's parameters needs about sqrt kappa times a logarithm: its double root at lam = 1
lets that mode grow like 2 k beta^(k/2) before it falls. Both are the same in all axes.

Tuning is equal: 13 steps over 4 decades around a centre for each method, constant and falling as (k + 1)^(-1/2), all as one
batch. For each kappa the candidate is chosen at which the last of 4 tuning seeds arrives first; other seeds, with starts and
rotations of their own, are judged. A choice on the edge of its grid makes a verdict inconclusive. A run that does not arrive
is never dropped: a slope with one is NaN, and inconclusive.

T. Tieleman and G. Hinton (2012); A. van der Sluis (1969), doi:10.1007/BF02165096; B. T. Polyak (1964).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.solvers.adagrad import AdaGrad, FullAdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import CENSORED, Solver, iterates, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, equals_exactly, exceeds, exponent_is, interval
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import DECADES, unless_on_edge
from torch import Tensor

D, TARGET, HOLD, POINTS, TUNING_SEEDS = 10, 0.01, 100, 13, 4
POWERS = (0.0, 0.5)  # of the decay of the step
METHODS = {  # the method without its step, and the centre of its grid
    "RMSProp": (lambda lr: RMSProp(lr, eps=0.0), 1e-1),
    "Adam": (lambda lr: Adam(lr, eps=0.0), 3e-2),
    "AdaGrad": (lambda lr: AdaGrad(lr, eps=0.0), 3e-1),
    "sign descent": (SignSGD, 1e-2),
    "full-matrix AdaGrad": (lambda lr: FullAdaGrad(lr, eps=0.0), 1e-1),
    "RMSProp, eps = 1e-6": (lambda lr: RMSProp(lr, eps=1e-6), 1e-1),
}
DIAGONAL = ("RMSProp", "Adam", "AdaGrad", "sign descent")
ALL = tuple(range(11))  # kappa = 4^j from 1 to about 10^6
LAW = 4  # slopes on rotated problems start at 4^4: before, arriving at all takes as long as kappa does


def rotated(budget: Budget) -> tuple[int, ...]:
    return budget.pick((4, 5), tuple(range(9)))


def eigenvalues(j: tuple[int, ...], device: str = "cpu") -> Tensor:
    """Spectra of condition number 4^j: (kappas, 1, D), powers of two from 1 down to 4^-j."""
    share = torch.arange(D, dtype=torch.float64, device=device) / (D - 1)
    return (2.0 ** -torch.round(2 * torch.tensor(j, device=device)[:, None] * share)).unsqueeze(1)


def starts(seeds: int, generator: torch.Generator) -> Tensor:
    """Unit vectors (seeds, 1, 1, D) with entries of comparable size."""
    size = torch.rand(seeds, 1, 1, D, generator=generator, dtype=torch.float64, device=generator.device)
    sign = 2 * torch.randint(2, size.shape, generator=generator, device=generator.device) - 1
    return torch.nn.functional.normalize(sign * (1 + size), dim=-1)


def problem(
    j: tuple[int, ...], copies: int, seeds: int, axes: str, generator: torch.Generator, stretched: bool = False
) -> FiniteSum:
    """Quadratics with starts (seeds, kappas, copies, D). stretched: distances lam_i^(-1/2) times as large."""
    lam, z = eigenvalues(j, generator.device), starts(seeds, generator)
    Q, z = None, z * lam.rsqrt() if stretched else z.expand(-1, len(j), -1, -1)
    if axes == "rotated":
        Q = torch.stack([random_rotation(D, generator) for _ in range(seeds)]).unsqueeze(1)
        z = z @ Q.mT
    return quadratic(lam, z.expand(-1, -1, copies, -1).clone(), Q)


def arrival_times(solver: Solver, f: FiniteSum, limit: int, stretched: bool = False) -> Tensor:
    """First k <= limit from which HOLD iterates lie within the target, else CENSORED: (seeds, kappas, copies).

    The run ends when for every kappa all seeds of one copy have arrived. Stretched starts have ||diag(lam)^(1/2) z_k|| in
    place of ||z_k||, the root of f(x_k)/f(x_0).
    """
    start, streak, times = f.initial_gap, 0, torch.full(f.start.shape[:-1], CENSORED, device=f.start.device)
    with torch.no_grad():
        for k, x in zip(range(limit + HOLD), iterates(solver, Oracle.full(f), f.start), strict=False):
            distance = (f.gap(x) / start).sqrt() if stretched else x.norm(dim=-1)
            streak = (streak + 1) * (distance <= TARGET)
            new = streak == HOLD
            if new.any():
                times = torch.where(new & (times == CENSORED), k - HOLD + 1, times)
                if (times != CENSORED).all(0).any(-1).all():
                    break
    return times


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Steps to the target of a method whose step was tuned for each kappa = 4^j."""

    j: np.ndarray  # (kappas,)
    times: np.ndarray  # (kappas, seeds), CENSORED where a run did not arrive
    edges: np.ndarray  # (kappas,), whether the chosen step is on an edge of its grid, or no candidate arrived
    limit: int

    def since(self, first: int) -> Arrivals:
        kept = self.j >= first
        return Arrivals(self.j[kept], self.times[kept], self.edges[kept], self.limit)

    @property
    def on_edge(self) -> bool:
        return bool(self.edges.any())

    @property
    def slopes(self) -> np.ndarray:
        """Least-squares slopes of log time against log kappa, one for each seed; NaN where a run did not arrive."""
        if (self.times == CENSORED).any():
            return np.full(self.times.shape[1], np.nan)
        return np.polyfit(self.j * math.log(4), np.log(self.times), 1)[0]

    def table(self, **labels: str) -> pd.DataFrame:
        """Geometric means over seeds with intervals; a run that did not arrive counts at the limit, as a lower bound."""
        mean, low, high = np.exp(interval(np.log(np.where(self.times == CENSORED, self.limit, self.times))))
        part = {"kappa": 4.0**self.j, "measured": mean, "low": low, "high": high, "on an edge": self.edges}
        return pd.DataFrame(labels | part | {"not arrived": (self.times == CENSORED).sum(1)})


@cache
def measured(method: str, axes: str, j: tuple[int, ...], budget: Budget, stretched: bool = False) -> Arrivals:
    """Tuned and tested within 20 000 steps; rotated within 20 times what gradient descent needs at the largest kappa."""
    (build, centre), device = METHODS[method], budget.device
    limit = 20_000 if axes == "along" else max(1000, math.ceil(10 * 4 ** max(j) * math.log(1 / TARGET)))
    grid = centre * torch.logspace(-DECADES / 2, DECADES / 2, POINTS, dtype=torch.float64, device=device)
    power = torch.tensor(POWERS, dtype=torch.float64, device=device).repeat_interleave(POINTS).unsqueeze(-1)
    # from a stretched start the longest axis has the length sqrt kappa and the shortest 1: the centre stands between
    stretch = eigenvalues(j, device).amin(-1, keepdim=True) ** (-0.25 * stretched)
    scale = stretch * grid.repeat(len(POWERS)).unsqueeze(-1)  # (kappas, candidates, 1)
    f = problem(j, len(power), TUNING_SEEDS, axes, budget.generator("tuning", axes, stretched), stretched)
    times = arrival_times(build(InversePower(scale, power)), f, limit, stretched)
    slowest = torch.where(times == CENSORED, limit + 1, times).amax(0)
    chosen, place = slowest.argmin(-1), slowest.argmin(-1) % POINTS
    edges = (slowest.amin(-1) > limit) | (place == 0) | (place == POINTS - 1)
    best = chosen.reshape(-1, 1, 1)
    f = problem(j, 1, budget.pick(6, 16), axes, budget.generator("test", axes, stretched), stretched)
    lr = InversePower(scale.take_along_dim(best, 1), power[chosen].unsqueeze(-1))
    times = arrival_times(build(lr), f, limit, stretched)[..., 0]
    return Arrivals(np.array(j), times.T.cpu().numpy(), edges.cpu().numpy(), limit)


def found(method: str, axes: str, j: tuple[int, ...], budget: Budget, stretched: bool = False) -> Arrivals:
    return measured(method, axes, j, budget.shared("anisotropy"), stretched)


def slope_below(threshold: float, **seen: Arrivals) -> Verdict:
    verdict = all_of({axes: exceeds(threshold - arrivals.slopes, 0.0) for axes, arrivals in seen.items()})
    slopes = {f"{axes}.slope": float(arrivals.slopes.mean()) for axes, arrivals in seen.items()}
    return unless_on_edge(verdict, *seen.values()).noting(**slopes)


def both(method: str, budget: Budget) -> pd.DataFrame:
    along, turned = found(method, "along", ALL, budget), found(method, "rotated", rotated(budget), budget)
    tables = [along.table(method=method, axes="along"), turned.table(method=method, axes="rotated")]
    return pd.concat(tables, ignore_index=True)


def suits(budget: Budget, method: str, turned: tuple[int, ...]) -> Verdict:
    along, turned = found(method, "along", ALL, budget), found(method, "rotated", turned, budget)
    return slope_below(0.5, along=along, rotated=turned.since(LAW))


@claim(
    kind="phenomenon",
    source="S22; Tieleman and Hinton (2012)",
    planted={"AdaGrad does": lambda budget: suits(budget, "AdaGrad", (4, 5))},
)
def suits_as_stated(budget: Budget) -> Verdict:
    """S22, as stated (RMSProp suits anisotropic problems, whatever their axes): The steps that tuned RMSProp needs grow with
    the condition number kappa with a slope below 1/2, which is what heavy ball pays in any axes up to a logarithm, along the
    axes (kappa from 1 to 4^10) and randomly rotated (kappa from 4^4 to 4^8, quick 4^5)."""
    return suits(budget, "RMSProp", rotated(budget)).showing(both("RMSProp", budget))


def same_as_isotropic(budget: Budget, methods: tuple[str, ...], axes: str = "along") -> Verdict:
    """How many numbers of the iterates differ from those at kappa = 1, over all records, seeds, kappas and steps."""
    parts = {}
    for method in methods:
        build, centre = METHODS[method]
        power = torch.tensor([[0.0], [0.0], [0.5]], dtype=torch.float64, device=budget.device)
        lr = centre * torch.tensor([[0.1], [1.0], [1.0]], dtype=torch.float64, device=budget.device)
        f = problem(ALL, 3, budget.pick(6, 16), axes, budget.generator("identity"))
        x = run(build(InversePower(lr, power)), Oracle.full(f), f.start, 100, lambda x: x, at=range(0, 101, 10)).values
        differ = (x != x[:, :, :1]).sum((0, 1, 3, 4)).cpu().numpy()
        parts[method] = equals_exactly(differ, np.zeros_like(differ)).noting(differ=float(differ.sum()), of=float(x.numel()))
    return all_of(parts)


@claim(
    kind="exact",
    source="S22; invariance to diagonal scaling, proved in the docstring",
    planted={
        "with eps = 1e-6 as well": lambda budget: same_as_isotropic(budget, ("RMSProp, eps = 1e-6",)),
        "rotated as well": lambda budget: same_as_isotropic(budget, ("RMSProp",), "rotated"),
    },
)
def exactly_free_of_kappa_along_the_axes(budget: Budget) -> Verdict:
    """S22, refined: Along the axes the condition number plays no part: with eps = 0 the iterates of RMSProp, Adam, AdaGrad
    and sign descent from one start, 100 of them with each of three schedules of the step (and above the range where numbers
    underflow), are bit for bit the same for all kappa = 4^0, ..., 4^10."""
    tables = [found(method, "along", ALL, budget).table(method=method, axes="along") for method in DIAGONAL]
    return same_as_isotropic(budget, DIAGONAL).showing(pd.concat(tables, ignore_index=True))


def stretched_slope(budget: Budget, sign: float) -> Verdict:
    """sign * (slope - 1/4) above 0, from stretched starts."""
    seen = found("RMSProp", "along", budget.pick((4, 5, 6), (4, 5, 6, 7, 8)), budget, stretched=True)
    verdict = exceeds(sign * (seen.slopes - 0.25), 0.0).noting(slope=float(seen.slopes.mean()))
    return unless_on_edge(verdict, seen).showing(seen.table(method="RMSProp", axes="along, stretched start"))


@claim(
    kind="phenomenon",
    source="S22; the start of the invariance",
    planted={"free of kappa from there as well": lambda budget: stretched_slope(budget, -1.0)},
)
def not_free_from_a_stretched_start(budget: Budget) -> Verdict:
    """S22, refined: The freedom is one of starts with comparable distances: from starts of equal energies lam_i z_i^2, whose
    distances span a factor sqrt kappa, the tuned steps until f(x_k) <= 10^-4 f(x_0) grow with a slope above 1/4 (expected
    1/2: steps of one size walk the longest distance and end as short as the shortest asks), kappa from 4^4 to 4^8 (quick
    4^6) along the axes."""
    return stretched_slope(budget, 1.0)


def slope_above(budget: Budget, threshold: float, methods: tuple[str, ...], j: tuple[int, ...]) -> Verdict:
    seen = {method: found(method, "rotated", j, budget).since(LAW) for method in methods}
    verdict = all_of({method: exceeds(arrivals.slopes, threshold) for method, arrivals in seen.items()})
    return unless_on_edge(verdict, *seen.values())


@claim(
    kind="exponent",
    source="S22; van der Sluis (1969) for fixed scalings",
    planted={
        "a slope above gradient descent's": lambda budget: slope_above(budget, 1.25, ("RMSProp",), rotated(budget)),
        "full-matrix AdaGrad has it as well": lambda budget: slope_above(budget, 0.75, ("full-matrix AdaGrad",), (4, 5)),
    },
)
def nearly_the_exponent_of_gradient_descent_rotated(budget: Budget) -> Verdict:
    """S22, refined: In random axes RMSProp and AdaGrad, with tuned steps, constant or falling as (k + 1)^(-1/2), have no
    exponent below 3/4, where gradient descent has 1: the slope of log steps in log kappa is above 3/4 for both, kappa from
    4^4 to 4^8 (quick 4^5)."""
    tables = [found(method, "rotated", rotated(budget), budget).table(method=method) for method in ("RMSProp", "AdaGrad")]
    others = {"Adam": rotated(budget), "sign descent": budget.pick((2,), (0, 1, 2, 3, 4))}  # shown, not judged
    tables += [found(method, "rotated", j, budget).table(method=method) for method, j in others.items()]
    table = pd.concat(tables, ignore_index=True).assign(axes="rotated")
    return slope_above(budget, 0.75, ("RMSProp", "AdaGrad"), rotated(budget)).showing(table)


def full_matrix(budget: Budget, method: str, j: tuple[int, ...]) -> Verdict:
    return slope_below(0.25, along=found(method, "along", j, budget), rotated=found(method, "rotated", j, budget))


@claim(
    kind="phenomenon",
    source="S22; Duchi, Hazan and Singer (2011)",
    planted={"diagonal AdaGrad is": lambda budget: full_matrix(budget, "AdaGrad", (0, 2, 4))},
)
def full_matrix_is_free_of_axes(budget: Budget) -> Verdict:
    """S22, contrast: What the diagonal lacks is the rotation: the steps that tuned full-matrix AdaGrad needs grow with a
    slope below 1/4 along the axes and randomly rotated, kappa from 1 to 4^10."""
    j, method = budget.pick((0, 5, 10), (0, 2, 4, 6, 8, 10)), "full-matrix AdaGrad"
    tables = [found(method, axes, j, budget).table(method=method, axes=axes) for axes in ("along", "rotated")]
    return full_matrix(budget, method, j).showing(pd.concat(tables, ignore_index=True))


def slower_by_ten(budget: Budget, method: str) -> Verdict:
    seen = found(method, "along", (0, budget.pick(7, 8)), budget)
    ratio = np.log(np.where(seen.times == CENSORED, np.nan, seen.times)[1] / seen.times[0])
    verdict = exceeds(ratio, math.log(10)).noting(ratio=float(np.exp(ratio.mean())))
    return unless_on_edge(verdict, seen).showing(seen.table(method=method, axes="along"))


@claim(
    kind="phenomenon",
    source="S22; the epsilon inside the root",
    planted={"eps = 0 as well": lambda budget: slower_by_ten(budget, "RMSProp")},
)
def epsilon_ends_the_freedom(budget: Budget) -> Verdict:
    """S22, refined: With eps = 1e-6 inside the root RMSProp is gradient descent with step 1000 lr wherever gradients are far
    below 1e-3: along the axes it needs at least ten times as many steps at kappa = 4^8 (quick 4^7) as at kappa = 1, in the
    geometric mean, its step tuned for both."""
    return slower_by_ten(budget, "RMSProp, eps = 1e-6")


def exact_steps(j: tuple[int, ...], z: Tensor) -> np.ndarray:
    """The first k with ||(I - a diag lam)^k z|| <= TARGET, a = 2/(1 + 1/kappa), by bisection: (kappas, seeds)."""
    lam = eigenvalues(j, z.device)
    factor = 1 - 2 / (1 + lam.amin(-1, keepdim=True)) * lam  # (kappas, 1, D)
    z = z[:, 0, 0]  # (seeds, D)
    low = torch.zeros(len(j), len(z), dtype=torch.float64, device=z.device)
    high = torch.ceil(10 / lam.amin(-1)).expand_as(low)  # more than the worst (kappa/2) log 100 and 1
    while (high - low > 1).any():
        middle = ((low + high) / 2).floor()
        inside = (factor ** middle.unsqueeze(-1) * z).norm(dim=-1) <= TARGET
        low, high = torch.where(inside, low, middle), torch.where(inside, middle, high)
    return high.cpu().numpy()


def classical(method: str, j: tuple[int, ...], budget: Budget) -> np.ndarray:
    """Steps (kappas, seeds) with theory's parameters in random axes."""
    budget = budget.shared("anisotropy")
    f = problem(j, 1, budget.pick(6, 16), "rotated", budget.generator("classical"))
    mu = eigenvalues(j, budget.device).amin(-1, keepdim=True)
    solver = HeavyBall.for_quadratic(mu, 1.0) if method == "heavy ball" else GradientDescent(2 / (1 + mu))
    return arrival_times(solver, f, 20 * 4 ** max(j))[..., 0].T.cpu().numpy()


def law(budget: Budget, method: str, exponent: float) -> Verdict:
    j = ALL[2:]
    z = starts(budget.pick(6, 16), budget.shared("anisotropy").generator("classical"))
    times = exact_steps(j, z) if method == "gradient descent" else classical(method, j, budget)
    part = Arrivals(np.array(j), times, np.zeros(len(j), bool), 0).table(method=method)
    return exponent_is(4.0 ** -np.array(j), times, exponent, 0.1 if method == "heavy ball" else 0.05).showing(part)


@claim(
    kind="exponent",
    source="S22; Polyak (1964); closed form in the docstring",
    planted={
        "gradient descent like heavy ball": lambda budget: law(budget, "gradient descent", 0.5),
        "heavy ball like gradient descent": lambda budget: law(budget, "heavy ball", 1.0),
    },
)
def slopes_of_theory(budget: Budget) -> Verdict:
    """S22, contrast: In random axes gradient descent with the step 2/(L + mu) needs kappa^1 steps and heavy ball with
    theory's parameters kappa^(1/2) times a logarithm, within 0.05 and 0.1 in the exponent, kappa from 16 to 4^10; those of
    gradient descent are taken from its closed form, which its runs meet exactly up to kappa = 4^5."""
    j = ALL[:6]
    z = starts(budget.pick(6, 16), budget.shared("anisotropy").generator("classical"))
    exact = equals_exactly(classical("gradient descent", j, budget), exact_steps(j, z))
    laws = {method: law(budget, method, p) for method, p in {"gradient descent": 1.0, "heavy ball": 0.5}.items()}
    table = pd.concat([verdict.table for verdict in laws.values()], ignore_index=True)
    return all_of({"closed form": exact, **laws}).showing(table)


LOOKS = dict(zip((*DIAGONAL, "full-matrix AdaGrad"), "osv^D", strict=True))


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 4.0), sharey=True, layout="constrained")
    figure.set_label(
        "Steps until ||x_k|| stays below ||x_0||/100 on quadratics in R^10 against the condition number: along the axes and "
        "randomly rotated. Steps are tuned for each condition number, eps = 0 but for the crosses; geometric means over "
        "seeds with 99 % intervals. Open markers are lower bounds: some runs did not arrive, and count at the limit. Lines: "
        "gradient descent and heavy ball with theory's parameters, the same in all axes."
    )
    judged = ("suits_as_stated", "exactly_free_of_kappa_along_the_axes", "nearly_the_exponent_of_gradient_descent_rotated")
    tables = [verdicts[name].table for name in (*judged, "full_matrix_is_free_of_axes")]
    runs = pd.concat(tables, ignore_index=True).drop_duplicates(["method", "axes", "kappa"])
    contrast = verdicts["slopes_of_theory"].table
    for ax, where, title in zip(axes, ("along", "rotated"), ("along the axes", "randomly rotated"), strict=True):
        for style, (method, part) in zip(("-", "--"), contrast.groupby("method", sort=False), strict=True):
            ax.plot(part["kappa"], part["measured"], "k" + style, lw=1, label=method)
        for i, (method, marker) in enumerate(LOOKS.items()):
            part = runs[(runs["method"] == method) & (runs["axes"] == where)].sort_values("kappa")
            there, censored = part[part["not arrived"] == 0], part[part["not arrived"] > 0]
            look = {"color": f"C{i}", "marker": marker, "ms": 4, "lw": 0.8}
            ax.errorbar(there["kappa"], there["measured"], whiskers(there), label=method, **look)
            ax.plot(censored["kappa"], censored["measured"], mfc="w", **look | {"lw": 0})
        ax.set(xscale="log", yscale="log", xlabel=r"condition number $\kappa$", title=title)
    spoiled = verdicts["epsilon_ends_the_freedom"].table
    axes[0].plot(spoiled["kappa"], spoiled["measured"], "x", color="C0", label="RMSProp, eps = 1e-6")
    axes[0].set(ylabel="steps to the target")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
