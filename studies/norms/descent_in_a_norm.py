r"""When is a step in another norm than l_2 the better one, as the dimension grows?

    x_{k+1} = x_k + (1/L) ||g||_* lmo(g):   l_inf (sign descent), l_2 (gradient descent), l_1 (greedy coordinate descent)

L is that of the norm, certified by the problem. A step lowers f by at least ||g||_*^2/(2 L). So l_inf has the better
guarantee where the gradient is dense and L_inf is not much larger than L_2, and only there:

    density = ||g||_1^2/||g||_2^2   in [1, d]      against      L_inf/L_2   in [1, d] on convex functions

    smooth max       f = tau log mean cosh(x/tau)               L_inf/L_2 = 2, dense gradients       l_inf wins by d
    spike            lam = (1, 1/d, ..., 1/d), dense start      L_inf/L_2 < 2, dense gradients       l_inf wins by d
    flat, one axis   lam = (1/4, 1, ..., 1), start e_1          L_inf/L_2 ~ d, density 1             l_2 wins by d
    flat, dense      lam = (1/4, 1, 1/4, 1, ...), dense start   L_inf/L_2 ~ 5d/8, density ~ d        neither

Steps are counted until the gap is 1e-4 of the initial one; "dense" starts have independent entries, uniform in size between
1/2 and 1. The bounds are 2 L R^2/(k + 4), with R the largest distance from the minimizer, in the norm, that the run met,
and (1 - mu/L)^k Delta for the quadratics.

Sources: J. Kelner, Y. T. Lee, L. Orecchia and A. Sidford (2014), arXiv:1304.2338; D. Carlson, V. Cevher and L. Carin
(2015); L. Balles, F. Pedregosa and N. Le Roux (2020), arXiv:2002.08056; J. Bernstein and L. Newhouse (2024),
arXiv:2409.20325.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.smooth_max import smooth_max
from ratewitness.solvers.norms.lmo import L1, L2, LINF, Norm
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.solver import CENSORED, hitting_times, iterates
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exponent_is, interval, mean_is, proved
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory import norm_descent

NORMS = {"l_inf": LINF, "l_2": L2, "l_1": L1}
GROUPS, TARGET, TAU = 10, 1e-4, 0.2
WINS_BY = {"smooth max": 1, "smooth max, random start": 1, "spike": 1, "flat, one axis": -1, "flat, dense": 0}


def shared(budget: Budget) -> Budget:
    """All claims measure on the same instances, and each instance once."""
    return budget.shared("descent in a norm")


def instance(name: str, d: int, budget: Budget) -> FiniteSum:
    """A problem of dimension d with its start (d,), or (GROUPS, d) where the start is random."""
    generator = budget.generator(name, d)
    ones = torch.ones(d, dtype=torch.float64, device=budget.device)
    size, sign = torch.rand(2, GROUPS, d, generator=generator, dtype=torch.float64, device=budget.device)
    dense = (0.5 + size / 2) * (sign - 0.5).sign()
    first, even = (torch.arange(d, device=budget.device) == 0), torch.arange(d, device=budget.device) % 2 == 0
    return {
        "smooth max": lambda: smooth_max(d, TAU, ones),
        "smooth max, random start": lambda: smooth_max(d, TAU, dense),
        "spike": lambda: quadratic(ones.where(first, 1 / d), dense),
        "flat, one axis": lambda: quadratic(ones.where(~first, 0.25), first.double()),
        "flat, dense": lambda: quadratic(ones.where(~even, 0.25), dense),
        "huber": lambda: huber_witness(d),
    }[name]()


def smoothness(problem: FiniteSum, norm: Norm) -> float:
    """L in the norm; on the line all norms are one."""
    euclidean = norm is L2 or problem.shape == (1,)
    return float(problem.constants.smoothness if euclidean else problem.constants.smoothness_in[norm.name])


@cache
def steps(budget: Budget, name: str, norm: str, d: int) -> np.ndarray:
    """Steps to the target (groups,), one group where the start is not random."""
    problem = instance(name, d, budget)
    solver = SteepestDescent(1 / smoothness(problem, NORMS[norm]), NORMS[norm])
    target = TARGET * problem.gap(problem.start)
    found = hitting_times(solver, Oracle.full(problem), problem.start, 80 * d + 400, problem.gap, target)
    return np.atleast_1d(found.cpu().numpy())


def dimensions(budget: Budget, name: str) -> list[int]:
    """Even numbers from 16 to 512 (quick), to 4096 or, where a run takes long, to 2048."""
    last = budget.pick(1024, 2048 if "random" in name else 4096)
    return (2 * (np.geomspace(budget.pick(32, 16), last, budget.pick(8, 12)) / 2).round()).astype(int).tolist()


def advantage(budget: Budget, name: str) -> np.ndarray:
    """Steps of l_2 over steps of l_inf, (dimensions, groups); nan where one is censored."""
    found = {n: np.stack([steps(budget, name, n, d) for d in dimensions(budget, name)]) for n in ("l_inf", "l_2")}
    return np.where((found["l_2"] < 1) | (found["l_inf"] < 1), np.nan, found["l_2"] / np.maximum(found["l_inf"], 1))


def advantage_grows_like(budget: Budget, exponents: dict[str, float], swapped: bool = False) -> Verdict:
    """The advantage of l_inf against d^exponent."""
    budget, verdicts, rows = shared(budget), {}, []
    for name, exponent in exponents.items():
        d, ratio = np.array(dimensions(budget, name)), advantage(budget, name) ** (-1 if swapped else 1)
        if exponent:
            verdicts[name] = exponent_is(1.0 / d, ratio, exponent, 0.15, budget.pick(1.5, 2.0))
        else:  # a constant has no rivals to beat: only the interval of the slope counts
            slopes = np.polyfit(np.log(d), np.log(ratio), 1)[0]
            judge = mean_is if len(slopes) > 1 else agrees  # one start: no sampling error, the slope itself
            verdicts[name] = judge(1 + slopes, 1.0, 0.15).noting(slope=slopes.mean(), ratio=ratio.mean())
        rows += [{"problem": name, "d": n, "ratio": r} for n, row in zip(d, ratio, strict=True) for r in row]
    return all_of(verdicts).showing(rows)


@claim(
    kind="exponent",
    source="S31; Kelner et al. (2014), arXiv:1304.2338; Balles, Pedregosa and Le Roux (2020), arXiv:2002.08056",
    planted={
        "the norms swapped": lambda budget: advantage_grows_like(budget, WINS_BY, swapped=True),
        "sqrt d where it wins": lambda budget: advantage_grows_like(budget, {**WINS_BY, "spike": 0.5}),
        "l_inf wins by d with dense gradients of a flat Hessian": lambda budget: advantage_grows_like(
            budget, {"flat, dense": 1}
        ),
        "neither wins along one axis": lambda budget: advantage_grows_like(budget, {"flat, one axis": 0}),
    },
)
def which_norm_wins(budget: Budget) -> Verdict:
    """S31, refined: Steps of gradient descent over steps of sign descent, to 1e-4 of the initial gap, grow like d on the
    smooth max (both starts) and on the quadratic with one large eigenvalue, fall like 1/d on the flat quadratic along one
    axis and like no power of d on the flat quadratic with dense start: exponents +-0.15 for d from 16 to 4096 (quick: 32 to
    1024, smooth max with random start to 2048). So goes L_2/L_inf times the density of the gradient."""
    return advantage_grows_like(budget, WINS_BY)


@cache
def scalar_counts(budget: Budget, swap: bool = False) -> pd.DataFrame:
    """Measured steps, those of the recursion in one variable and those that the bounds allow, on the two problems where both
    methods have such a recursion and no distance grows."""
    rows = []
    for name, norm in product(("smooth max", "flat, one axis"), ("l_inf", "l_2")):
        for d in dimensions(budget, name):
            problem, l_inf = instance(name, d, budget), (norm == "l_inf") != swap
            L = smoothness(problem, NORMS[norm])
            if name == "smooth max":
                predicted = _on_the_diagonal(1.0 if l_inf else 2 / d)
                R = NORMS[norm].value(problem.start)
                allowed = 2 * L * float(R**2 / (TARGET * problem.gap(problem.start))) - 4
            else:
                predicted = int(np.ceil(np.log(TARGET) / (2 * np.log1p(-0.25 / (d - 0.75 if l_inf else 1.0)))))
                allowed = np.log(TARGET) / np.log1p(-0.25 / L)
            rows.append([name, norm, d, steps(budget, name, norm, d)[0], predicted, int(np.ceil(allowed))])
    return pd.DataFrame(rows, columns=["problem", "norm", "d", "steps", "predicted", "allowed"])


def _on_the_diagonal(share: float) -> int:
    """t <- t - share tau tanh(t/tau) from 1, until tau log cosh(t/tau) is at the target."""
    t, k = 1.0, 0
    while np.log(np.cosh(t / TAU)) > TARGET * np.log(np.cosh(1 / TAU)):
        t, k = t - share * TAU * np.tanh(t / TAU), k + 1
    return k


def counts_agree(budget: Budget, swap: bool = False) -> Verdict:
    found = scalar_counts(shared(budget), swap)
    return equals_exactly(found["steps"], found["predicted"]).showing(found)


@claim(
    kind="exact",
    source="S31; symmetry",
    planted={"the norms swapped": lambda budget: counts_agree(budget, swap=True)},
)
def steps_on_the_witnesses(budget: Budget) -> Verdict:
    """S31, refined: On the smooth max from (1, ..., 1) sign descent needs the same number of steps for every d, that of
    t - tau tanh(t/tau), and gradient descent that of t - (2 tau/d) tanh(t/tau); on the flat quadratic along one axis they
    need ceil(log(1e-4)/(2 log(1 - 1/(4 L)))), L = d - 3/4 and 1. All integers equal."""
    verdict = counts_agree(budget)
    return verdict.noting(sign_descent_on_smooth_max=float(verdict.table["steps"][0]))


# name, dimensions, norms: short runs on which every step is watched; the Huber witness is on the line, its d a length
QUADRATICS = ("spike", "flat, one axis", "flat, dense")
WATCHED = [(name, d) for name in WINS_BY for d in (2, 16, 128)] + [("huber", 1), ("huber", 100)]


@cache
def watched(budget: Budget) -> pd.DataFrame:
    """One row per problem, norm, iteration and start: gap before and after, dual norm, norm and smallest entry of the
    gradient, constants, and the largest distance so far."""
    tables = []
    for (problem_name, d), (norm_name, norm) in product(WATCHED, NORMS.items()):
        f = instance(problem_name, d, budget)
        L, length = smoothness(f, norm), budget.pick(60, 400)
        path = iterates(SteepestDescent(1 / L, norm), Oracle.full(f), f.start)
        x = torch.stack([x for _, x in zip(range(length + 1), path, strict=False)]).reshape(length + 1, -1, *f.shape)
        distance = norm.value(x - f.minimizer.reshape(-1, *f.shape)).cummax(0).values
        gap = f.gap(x)
        k = torch.arange(length, device=x.device).unsqueeze(-1).expand_as(gap[:-1])
        mu = _strong_convexity(f, norm)
        g = f.grad(x[:-1])
        columns = {
            "k": k, "gap": gap[:-1], "after": gap[1:], "dual": norm.dual(g), "itself": norm.value(g), "R": distance[:-1],
            "Delta": gap[:1].expand_as(k), "least entry": g.abs().amin(-1),
        }  # fmt: skip
        rows = pd.DataFrame({key: value.flatten().cpu().numpy() for key, value in columns.items()})
        tables.append(rows.assign(problem=problem_name, d=d, norm=norm_name, L=L, mu=mu))
    return pd.concat(tables, ignore_index=True)


def _strong_convexity(f: FiniteSum, norm: Norm) -> float:
    """mu in the norm on diagonal quadratics, 0 elsewhere: the Hessian's least value over the unit sphere."""
    if not f.constants.strong_convexity:
        return 0.0
    if norm is not L1:
        return float(f.constants.strong_convexity)
    return float(1 / (1 / f.grad(torch.ones_like(f.start))).sum(-1).amax())


def other_norm(found: pd.DataFrame, column: str) -> np.ndarray:
    """The column with l_inf and l_2 swapped, per problem and dimension."""
    known = found.groupby(["problem", "d", "norm"])[column].first()
    swap = {"l_inf": "l_2", "l_2": "l_inf", "l_1": "l_1"}
    return np.array([known[key] for key in zip(found["problem"], found["d"], found["norm"].map(swap), strict=True)])


def descends(budget: Budget, factor: float = 1.0, swap: bool = False, dual: str = "dual") -> Verdict:
    found = watched(shared(budget))
    L = other_norm(found, "L") if swap else found["L"].to_numpy()
    promised = -factor * norm_descent.decrease(dual=found[dual].to_numpy(), L=L)
    resolved = ~rounded_away(found)
    return bound_holds(promised[resolved], (found["gap"] - found["after"]).to_numpy()[resolved])


def rounded_away(found: pd.DataFrame) -> pd.Series:
    """Where a decrease is smaller than the rounding of the gap and says nothing; not where one of the two is nan."""
    return found["gap"] <= 1e-12 * found["Delta"]


def sign_descent_attains(budget: Budget, zeros: bool = False) -> Verdict:
    """The decrease is the promised one on the diagonal quadratics, where no entry of the gradient is zero or everywhere."""
    found = watched(shared(budget))
    found = found[(found["norm"] == "l_inf") & found["problem"].isin(QUADRATICS) & ~rounded_away(found)]
    found = found if zeros else found[~(found["least entry"] <= 0)]
    return agrees(found["gap"] - found["after"], -norm_descent.decrease(dual=found["dual"], L=found["L"]))


@claim(
    kind="lower bound",
    source="S31; theory/norm_descent.py",
    planted={
        "twice the decrease": lambda budget: descends(budget, 2.0),
        "1 % more than the decrease": lambda budget: descends(budget, 1.01),
        "the constants of l_inf and l_2 swapped": lambda budget: descends(budget, swap=True),
        "every norm its own dual": lambda budget: descends(budget, dual="itself"),
        "attained with zeros in the gradient as well": lambda budget: sign_descent_attains(budget, zeros=True),
    },
)
def every_step_descends(budget: Budget) -> Verdict:
    """S31: Steepest descent in l_inf, l_2 and l_1, with step 1/L of the norm, lowers f by at least ||g||_*^2/(2 L) in each
    step, on every problem of this study and d = 2, 16, 128, and on the Huber witnesses. Attained by sign descent in every
    step on a diagonal quadratic from a point where no entry of the gradient is zero (within 1e-9 relative)."""
    return all_of({"bound": descends(budget), "attained": sign_descent_attains(budget)})


def stays_below(budget: Budget, factor: float = 1.0, swap: str = "", from_step: int = 0) -> Verdict:
    """Both bounds; swap: "R" or "L", taken from the other of l_inf and l_2."""
    found = watched(shared(budget))
    found = found[(found["k"] >= from_step) & ~rounded_away(found)]
    used = {column: found[column].to_numpy() for column in ("L", "mu", "Delta")} | {"R": found["R"].to_numpy()}
    if swap:
        used[swap] = other_norm(found, swap)
    k, gap = found["k"].to_numpy(), found["gap"].to_numpy()
    strongly = ~(used["mu"] <= 0)
    convex = norm_descent.convex(L=used["L"], R=used["R"], N=k)
    linear = norm_descent.strongly_convex(**{key: used[key][strongly] for key in ("L", "mu", "Delta")}, N=k[strongly])
    verdicts = {"convex": bound_holds(gap, factor * convex), "linear": bound_holds(gap[strongly], factor * linear)}
    later = k >= 10
    return all_of(verdicts).noting(convex_power_from_step_10=float((gap / convex)[later].max()))


@claim(
    kind="upper bound",
    source="S31; Kelner et al. (2014), arXiv:1304.2338; theory/norm_descent.py",
    planted={
        "bound halved": lambda budget: stays_below(budget, 0.5),
        "a quarter of the bound after the start": lambda budget: stays_below(budget, 0.25, from_step=1),
        "R of the other norm": lambda budget: stays_below(budget, swap="R"),
        "L of the other norm": lambda budget: stays_below(budget, swap="L"),
    },
)
def bounds_hold(budget: Budget) -> Verdict:
    """S31: In each of the three norms, with L, mu and R of the norm, the gap stays below 2 L R^2/(k + 4), and below
    (1 - mu/L)^k Delta on the quadratics. Attained at k = 0 (by Delta = L R^2/2 on a quadratic); later the Huber witness
    comes within a factor (8k + 4)/(k + 4), and an instance that attains the bound is not known to us."""
    return stays_below(budget).showing(steps_in_every_norm(shared(budget)))


@claim(
    kind="proof",
    source="S31; theory/norm_descent.py",
    planted={
        "a step of twice the length": lambda budget: proved(lambda: norm_descent.decrease_of_a_step(factor=2)),
        "1/delta from delta - delta/c": lambda budget: proved(lambda: norm_descent.convex_recursion(power=1)),
        "rate 1 - 2 mu/L": lambda budget: proved(lambda: norm_descent.strongly_convex_minimum(factor=2)),
    },
)
def bounds_are_proved(budget: Budget) -> Verdict:
    """S31: The algebra of three bounds in any norm. With a gradient L-Lipschitz from the norm to its dual: the model of f
    falls by ||g||_*^2/(2 L) in the step of size 1/L. With f convex as well and R >= ||x_k - x*|| for all k <= N: N steps of
    delta - delta^2/(2 L R^2) from at most L R^2/2 leave at most 2 L R^2/(N + 4). With f mu-strongly convex in the norm:
    ||g||_*^2 >= 2 mu delta, hence the rate 1 - mu/L. That these hypotheses give the model and the recursions is argued in
    words in theory/norm_descent.py."""
    proofs = (norm_descent.decrease_of_a_step, norm_descent.convex_recursion, norm_descent.strongly_convex_minimum)
    return all_of({proof.__name__: proved(proof) for proof in proofs})


@cache
def single_steps(budget: Budget) -> pd.DataFrame:
    """One step of both methods from the same random points of random diagonal quadratics."""
    generator, tables = budget.generator("single steps"), []
    count = budget.pick(2_000, 20_000)
    for d, spread, sparsity in product((2, 8, 64), (0.0, 2.0, 6.0), (0.0, 1.0, 3.0)):
        draws = torch.randn(2, count, d, generator=generator, dtype=torch.float64, device=generator.device)
        tables.append(both_steps((spread * draws[0]).exp(), (sparsity * draws[1] - 0.5 * spread * draws[0]).exp()))
    return pd.concat(tables, ignore_index=True)


def both_steps(lam: torch.Tensor, x: torch.Tensor) -> pd.DataFrame:
    """One row for each quadratic of eigenvalues lam (count, d) with its point x: what both steps gain, and what decides."""
    f = quadratic(lam, x)
    g, before = f.grad(f.start), f.gap(f.start)
    columns = {"density": g.abs().sum(-1) ** 2 / g.square().sum(-1), "least entry": g.abs().amin(-1)}
    columns["peak"] = g.square().sum(-1) / g.abs().amax(-1) ** 2  # in place of density, were the dual norm l_inf
    columns["ratio"] = f.constants.smoothness_in["linf"] / f.constants.smoothness
    for name, norm, L in (("l_inf", LINF, f.constants.smoothness_in["linf"]), ("l_2", L2, f.constants.smoothness)):
        after, _ = SteepestDescent(1 / L.unsqueeze(-1), norm).step(f.start, 0, Oracle.full(f))
        columns[name] = (before - f.gap(after)) / before
    return pd.DataFrame({key: value.cpu().numpy() for key, value in columns.items()})


def many_zeros(budget: Budget) -> pd.DataFrame:
    """One large eigenvalue, 10^4 tiny ones with small entries of g, and 125 large ones where g is zero: density 120 is below
    L_inf/L_2 = 126, and yet sign descent gains more."""
    parts = ((1, 1.0, 1.0), (10_000, 1e-9, 1e-3), (125, 1.0, 0.0))  # count, eigenvalue, entry of g
    lam, g = (
        torch.cat([torch.full((part[0],), part[j], dtype=torch.float64, device=budget.device) for part in parts])
        for j in (1, 2)
    )
    return both_steps(lam.unsqueeze(0), (g / lam).unsqueeze(0))


def decided(
    budget: Budget, by: str = "density", low: float = 1.0, high: float = 2.0, sign: int = 1, zeros: bool = False
) -> Verdict:
    """Which step gains more, where by/ratio is outside [low, high]."""
    found = many_zeros(budget) if zeros else single_steps(shared(budget))
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        return Verdict("inconclusive", {"not_finite": float((~finite).sum())})
    quotient = found[by] / found["ratio"]
    sure = (quotient < low * (1 - 1e-9)) | (quotient > high * (1 + 1e-9))
    l_inf_gains = (found["l_inf"] > found["l_2"]).astype(int)[sure]
    predicted = ((quotient > high) if sign > 0 else (quotient < low)).astype(int)[sure]
    verdict = equals_exactly(l_inf_gains, predicted)
    counted = {"l_inf_gains": l_inf_gains.sum(), "undecided": (~sure).sum(), "with_zeros": (found["least entry"] == 0).sum()}
    return verdict.noting(**{name: float(count) for name, count in counted.items()}).showing(found)


@claim(
    kind="exact",
    source="S31; Balles, Pedregosa and Le Roux (2020), arXiv:2002.08056; theory/norm_descent.py",
    planted={
        "the norms swapped": lambda budget: decided(budget, sign=-1),
        "already where density > L_inf/L_2": lambda budget: decided(budget, high=1.0),
        "still where density < 2 L_inf/L_2": lambda budget: decided(budget, low=2.0),
        "||g||_2^2/||g||_inf^2 in place of ||g||_1^2/||g||_2^2": lambda budget: decided(budget, by="peak"),
        "less also where entries of g are zero": lambda budget: decided(budget, zeros=True),
    },
)
def density_decides_a_step(budget: Budget) -> Verdict:
    """S31, refined: From the same point of a diagonal quadratic a step of sign descent lowers f more than one of gradient
    descent if ||g||_1^2/||g||_2^2 > 2 L_inf/L_2, and less if ||g||_1^2/||g||_2^2 < L_inf/L_2 and no entry of g is zero: no
    exception among random spectra and points without zeros, d = 2, 8, 64. Both limits are needed: between them either may
    gain more."""
    return decided(budget)


def never_more_steps(budget: Budget, better: str, worse: str) -> Verdict:
    """`better` needs at most as many steps as `worse`, on every problem."""
    few, many = (np.concatenate([steps(shared(budget), f, norm, 64) for f in WINS_BY]) for norm in (better, worse))
    if (few == CENSORED).any() or (many == CENSORED).any():
        return Verdict("inconclusive", {"censored": float((few == CENSORED).sum() + (many == CENSORED).sum())})
    return bound_holds(few, many)


@claim(
    kind="upper bound",
    source="S31; as stated",
    planted={"the Euclidean step is the better one": lambda budget: never_more_steps(budget, "l_2", "l_inf")},
)
def as_stated(budget: Budget) -> Verdict:
    """S31, as stated without hypothesis, that the non-Euclidean step is the better one: on every problem of this study, d =
    64, sign descent needs no more steps to 1e-4 of the initial gap than gradient descent."""
    return never_more_steps(budget, "l_inf", "l_2")


@cache
def steps_in_every_norm(budget: Budget, d: int = 32) -> pd.DataFrame:
    """Steps to the target in each norm, and what the bounds allow with the R of the run; means over random starts."""
    rows = []
    for name, (norm_name, norm) in product(WINS_BY, NORMS.items()):
        f = instance(name, d, budget)
        L, mu, target = smoothness(f, norm), _strong_convexity(f, norm), TARGET * f.gap(f.start)
        R = torch.zeros_like(target)
        count = torch.zeros_like(target)
        for x in iterates(SteepestDescent(1 / L, norm), Oracle.full(f), f.start):
            R = torch.maximum(R, norm.value(x))  # the minimizer is 0
            above = f.gap(x) > target
            count += above
            if not above.any():
                break
        convex = float((2 * L * R**2 / target - 4).mean())
        linear = np.log(TARGET) / np.log1p(-mu / L) if mu else np.nan
        rows.append([name, norm_name, L, float(count.mean()), convex, linear])
    return pd.DataFrame(rows, columns=["problem", "norm", "L", "steps", "convex", "linear"])


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["bounds_hold"].table
    titles = {
        "L": "$L$", "steps": "steps measured", "convex": r"allowed by $2LR^2/(k+4)$",
        "linear": r"allowed by $(1-\mu/L)^k\Delta$",
    }  # fmt: skip
    shown = {column: found[column].map(lambda number: f"{number:.4g}" if number == number else "--") for column in titles}
    return {"steps-32": found.assign(**shown).rename(columns=titles)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ((winner, single), (wins, loses)) = plt.subplots(2, 2, figsize=(7.2, 6.4), layout="constrained")
    figure.set_label(
        "Steps of gradient descent over steps of sign descent as the dimension grows (points: mean over starts with 99 % "
        "intervals; lines: d, 1/d and 1). What one step gains, from random points of random quadratics; between the lines "
        "either may gain more. Below: steps on the two witnesses, measured (points), the recursion in one variable (lines) "
        "and what the bound allows (dotted)."
    )
    found = verdicts["which_norm_wins"].table
    for j, (name, group) in enumerate(found.groupby("problem", sort=False)):
        d, ratio = group["d"].unique(), np.stack(group.groupby("d")["ratio"].apply(np.array))
        points = pd.DataFrame(dict(zip(("measured", "low", "high"), interval(ratio), strict=True)))
        bars = whiskers(points) if ratio.shape[1] > 1 else None  # one start: no sampling error
        winner.errorbar(d, points["measured"], bars, fmt="os^vD"[j], ms=3.5, color=f"C{j}", label=name)
        winner.plot(d, ratio[-1].mean() * (d / d[-1]) ** WINS_BY[name], color=f"C{j}", lw=0.8)
    winner.set(xlabel="dimension d", ylabel="steps of l_2 / steps of l_inf", title="steps to 1e-4 of the gap")
    winner.set_ylim(bottom=1e-6)  # room for the legend
    shown = verdicts["density_decides_a_step"].table.iloc[:: max(1, len(verdicts["density_decides_a_step"].table) // 3000)]
    single.scatter(shown["density"] / shown["ratio"], shown["l_inf"] / shown["l_2"], s=2, color="C0", rasterized=True)
    for at in (1, 2):
        single.axvline(at, color="k", lw=0.8)
    single.axhline(1, color="0.6", lw=0.8)
    single.set(xlabel="density / (L_inf / L_2)", ylabel="gain of l_inf / gain of l_2", title="one step")
    counts = verdicts["steps_on_the_witnesses"].table
    for ax, name in ((wins, "smooth max"), (loses, "flat, one axis")):
        for j, (norm, group) in enumerate(counts[counts["problem"] == name].groupby("norm", sort=False)):
            ax.plot(group["d"], group["allowed"], ":", color=f"C{j}")
            ax.plot(group["d"], group["predicted"], color=f"C{j}", lw=1)
            ax.plot(group["d"], group["steps"], "os"[j], ms=4, color=f"C{j}", label=norm)
        ax.set(xlabel="dimension d", ylabel="steps", title=name)
    for ax in (winner, single, wins, loses):
        ax.set(xscale="log", yscale="log")
        ax.xaxis.set_minor_formatter("")  # over less than two decades matplotlib would label every minor tick
    for ax in (winner, wins, loses):
        ax.legend(frameon=False, fontsize=7, loc="lower left" if ax is winner else "best")
    return {"winners": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
