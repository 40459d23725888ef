r"""Does AdaGrad's epsilon avoid divisions by zero and steps that are too large?

    x_{k+1} = x_k - lr g_k/(eps + sum_{j<=k} g_j^2)^{1/2},    first step lr |g|/(eps + g^2)^{1/2}, outside lr |g|/(eps + |g|)

No step is longer than lr in a coordinate, whatever eps, as g_k^2 <= sum g_j^2: epsilon is not what bounds a step. It
decides which gradients count as small: below sqrt eps (outside the root: below eps) the first step shrinks in proportion to
the gradient, while above it the step is lr whether the gradient is 1e-2 or 1e6. With eps = 1e-6 inside the root that is
1e-3, and a loss whose gradients are smaller throughout is not trained by AdaGrad but by SGD with the step lr/sqrt eps.

The last gap is that of s times the rotated quadratic of `studies/adaptive/rotated_family.py`, after N = 1000 steps ||x_0 -
x*||_inf/sqrt 2, with Gaussian noise xi, E ||xi||^2 = 9 s^2/N; all eps see the same noise.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import Solver, iterates, run
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exceeds, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.studies.measuring.tuning import Paired
from torch import Tensor

EPSILONS = (1e-300, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
SOURCE = "S20; Duchi, Hazan and Singer (2011)"
N, BY_DEFAULT, LEAST = 1_000, EPSILONS.index(1e-6), EPSILONS.index(1e-16)


def along_eps(ndim: int, device: str) -> Tensor:
    return torch.tensor(EPSILONS, dtype=torch.float64, device=device).reshape(-1, *[1] * (ndim - 1))


def longest_steps(budget: Budget, build=AdaGrad) -> np.ndarray:
    """The longest step over lr in a coordinate, over gradients of sizes 1e-12 to 1e6 mixed at random: (eps, groups)."""
    generator, eps = budget.generator("streams"), along_eps(4, budget.device)
    shape = (budget.pick(100, 1_000), 1, 10, 20, 5)
    size = 10 ** (18 * torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device) - 12)
    g = size * normal(generator, *shape)
    x = torch.zeros(len(eps), *shape[2:], dtype=torch.float64, device=generator.device)
    longest, solver = torch.zeros_like(x), build(1.0, eps=eps)
    state, oracle = solver.init(x), Stream(lambda t, x: g[t].expand(x.shape))
    for _ in range(len(g)):
        after, state = solver.step(torch.zeros_like(x), state, oracle)
        longest = torch.maximum(longest, after.abs())
    return longest.amax((-1, -2)).cpu().numpy()


def without_epsilon(budget: Budget, eps: float) -> Verdict:
    found = longest_steps(budget)[EPSILONS.index(eps)]
    return exceeds(found, 1 + 1e-9)


@claim(
    kind="phenomenon",
    source=SOURCE,
    planted={"with eps = 1e-6 they are": lambda budget: without_epsilon(budget, 1e-6)},
)
def too_large_as_stated(budget: Budget) -> Verdict:
    """S20, as stated (epsilon avoids steps that are too large): Without it (eps = 1e-300) AdaGrad takes a step longer than
    lr in some coordinate, on random gradients of sizes between 1e-12 and 1e6."""
    return without_epsilon(budget, 1e-300)


def bounded(budget: Budget, build=AdaGrad, share: float = 1.0) -> Verdict:
    found = longest_steps(budget, build).max(-1)
    return bound_holds(found, np.full(len(found), share)).showing({"eps": EPSILONS, "longest step": found})


@claim(
    kind="upper bound",
    source=SOURCE,
    planted={
        "RMSProp": lambda budget: bounded(budget, lambda lr, eps: RMSProp(lr, beta2=0.9, eps=eps)),
        "half of lr": lambda budget: bounded(budget, share=0.5),
    },
)
def no_step_exceeds_lr(budget: Budget) -> Verdict:
    """S20, refined: No step of AdaGrad is longer than lr in a coordinate, for any eps from 1e-300 to 1, on random gradients
    of sizes between 1e-12 and 1e6: the sum in the denominator holds the present gradient."""
    return bounded(budget)


def at_zero(budget: Budget, of_torch_without: int = 1) -> Verdict:
    """A gradient (0, 1): how many coordinates are nan, or stay where they are, and whether a step is refused."""
    g = torch.tensor([0.0, 1.0], dtype=torch.float64, device=budget.device)

    def first(solver: Solver) -> Tensor:
        steps = iterates(solver, Stream(lambda t, x: g), torch.zeros_like(g))
        return [next(steps), next(steps)][1]

    def of_torch(eps):
        x = torch.nn.Parameter(torch.zeros_like(g))
        x.grad = g
        torch.optim.Adagrad([x], lr=1.0, eps=eps).step()
        return x.detach()

    try:
        refused = int(first(AdaGrad(1.0, eps=0.0)).isnan().any()) - 1
    except ValueError:
        refused = 1
    measured = {
        "torch, eps = 0: nan": int(of_torch(0.0).isnan().sum()),
        "eps = 0: refused": refused,
        "torch, eps = 1e-6: unmoved": int((of_torch(1e-6) == 0).sum()),
        "eps = 1e-6: unmoved": int((first(AdaGrad(1.0, eps=1e-6)) == 0).sum()),
        "eps = 1e-6: nan": int(first(AdaGrad(1.0, eps=1e-6)).isnan().sum()),
    }
    return equals_exactly(list(measured.values()), [of_torch_without, 1, 1, 1, 0]).showing(
        {"case": list(measured), "coordinates": list(measured.values())}
    )


@claim(
    kind="exact",
    source=SOURCE,
    planted={"torch with eps = 0 leaves it where it is": lambda budget: at_zero(budget, 0)},
)
def division_by_zero(budget: Budget) -> Verdict:
    """S20: A coordinate whose gradients have all been 0 stays exactly where it is with eps = 1e-6, inside the root or
    outside; with eps = 0 its step is 0/0, nan in torch and refused here."""
    return at_zero(budget)


def first_steps(budget: Budget, inside: bool, law: str) -> pd.DataFrame:
    g = torch.logspace(-12, 6, 37, dtype=torch.float64, device=budget.device)
    eps = along_eps(2, budget.device)
    steps = iterates(
        AdaGrad(1.0, eps=eps, eps_inside=inside), Stream(lambda t, x: g.expand(x.shape)), g.new_zeros(len(eps), 37)
    )
    measured = -[next(steps), next(steps)][1].cpu().numpy()
    size, floor = g.cpu().numpy(), eps.cpu().numpy()
    predicted = {
        "inside": 1 / np.sqrt(1 + floor / size**2),
        "outside": 1 / (1 + floor / size),
        "always lr": np.ones_like(measured),
        "SGD": np.broadcast_to(size / np.sqrt(floor), measured.shape),
    }[law]
    columns = {"eps": floor, "gradient": size, "measured": measured, "predicted": predicted}
    return pd.DataFrame({name: np.broadcast_to(part, measured.shape).ravel() for name, part in columns.items()})


def first_step(budget: Budget, laws: tuple[str, str] = ("inside", "outside")) -> Verdict:
    tables = {
        place: first_steps(budget, place == "inside", law) for place, law in zip(("inside", "outside"), laws, strict=True)
    }
    verdicts = {place: agrees(table["measured"], table["predicted"], 1e-12) for place, table in tables.items()}
    at_root = tables["inside"].query("eps == 1e-6").set_index("gradient")["measured"]
    return (
        all_of(verdicts)
        .noting(tiny=at_root.iloc[0], at_the_root=at_root.iloc[18])
        .showing(pd.concat([table.assign(place=place) for place, table in tables.items()]))
    )


@claim(
    kind="exact",
    source=SOURCE,
    planted={
        "the places exchanged": lambda budget: first_step(budget, ("outside", "inside")),
        "always lr": lambda budget: first_step(budget, ("always lr", "always lr")),
        "in proportion to the gradient": lambda budget: first_step(budget, ("SGD", "outside")),
    },
)
def first_step_law(budget: Budget) -> Verdict:
    """S20, refined: The first step is lr |g|/(eps + g^2)^{1/2} with eps inside the root and lr |g|/(eps + |g|) outside, to
    1e-12, for gradients of 1e-12 to 1e6 and eps of 1e-300 to 1: with eps = 1e-6 inside, a gradient of 1e-3 moves its
    coordinate by lr/sqrt 2, and one of 1e-12 by 1e-9 lr, where eps = 1e-300 would move it by lr."""
    return first_step(budget)


@cache
def last_gaps(s: float, budget: Budget) -> np.ndarray:
    """Last gap over that of eps = 1e-16 on s times the quadratic: (eps, groups of seeds)."""
    problem, sigma = rotated_family(budget, s), 3 * s / N**0.5
    x0, eps = problem.starts(len(EPSILONS), budget.pick(100, 1_000)), along_eps(3, budget.device)
    oracle = Paired(Oracle.gaussian(problem, sigma, budget.generator("noise")))
    trace = run(AdaGrad(problem.start.abs().max().item() / 2**0.5, eps=eps), oracle, x0, N, problem.gap, at=[N])
    gap = trace.values[-1].cpu().numpy().reshape(len(EPSILONS), 10, -1).mean(-1)
    return gap / gap[LEAST]


def harmless(budget: Budget, scales: tuple[float, ...], eps: int = BY_DEFAULT) -> Verdict:
    found = np.stack([last_gaps(s, budget.shared("adagrad_epsilon"))[eps] for s in scales])
    return bound_holds(found, np.full(len(found), 2.0))


@claim(
    kind="phenomenon",
    source=SOURCE,
    planted={"eps = 1": lambda budget: harmless(budget, (1.0, 1e-7), EPSILONS.index(1.0))},
)
def harmless_as_stated(budget: Budget) -> Verdict:
    """S20, as stated (epsilon = 1e-6 only avoids what would go wrong): For a loss times 1, 1e-2, 1e-4 and 1e-7 the last gap
    with eps = 1e-6 is at most twice that with eps = 1e-16."""
    return harmless(budget, (1.0, 1e-2, 1e-4, 1e-7))


def scale_decides(budget: Budget, small: float = 1e-7, flat: int = BY_DEFAULT) -> Verdict:
    shared = budget.shared("adagrad_epsilon")
    large, tiny = last_gaps(1.0, shared), last_gaps(small, shared)
    rows = []
    for s, found in ((1.0, large), (small, tiny)):
        for eps, row in zip(EPSILONS, found, strict=True):
            mean, low, high = interval(row)
            rows.append({"s": s, "eps": eps, "measured": mean, "low": low, "high": high})
    return all_of(
        {
            "s = 1, eps up to 1e-6": mean_is(large[LEAST + 1 : flat + 1], np.ones(flat - LEAST), 0.01),
            f"s = {small:g}, eps = 1e-6": exceeds(tiny[BY_DEFAULT], 5.0),
        }
    ).showing(rows)


@claim(
    kind="phenomenon",
    source=SOURCE,
    planted={
        "at scale 1 as well": lambda budget: scale_decides(budget, small=1.0),
        "up to eps = 1": lambda budget: scale_decides(budget, flat=EPSILONS.index(1.0)),
    },
)
def scale_decides_what_epsilon_does(budget: Budget) -> Verdict:
    """S20, refined: At the step D/sqrt 2 the last gap is the same within 1 % for eps from 1e-16 to 1e-6 where the sums of
    squares are far above 1e-6 (s = 1); where they stay below (s = 1e-7), eps = 1e-6 makes it at least 5 times that of eps =
    1e-16."""
    return scale_decides(budget)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "Left: AdaGrad's first step against the size of the gradient, eps inside the root (filled) and outside (open); "
        "lines: the laws. Right: last gap over that of eps = 1e-16, with 99 % intervals, for a loss of scale 1 "
        "and one of 1e-7."
    )
    steps = verdicts["first_step_law"].table
    for k, eps in enumerate((1e-10, 1e-6, 1e-2)):
        for place, face in (("inside", f"C{k}"), ("outside", "none")):
            part = steps[(steps["eps"] == eps) & (steps["place"] == place)]
            label = f"eps = {eps:g}" if place == "inside" else None
            left.plot(part["gradient"], part["predicted"], color=f"C{k}", lw=0.8)
            left.plot(part["gradient"], part["measured"], "osv"[k], mec=f"C{k}", mfc=face, ms=4, label=label)
    left.set(xscale="log", yscale="log", ylim=(1e-10, 5), xlabel="size of the gradient |g|", ylabel="first step / lr")
    left.legend(frameon=False, fontsize=8)
    table = verdicts["scale_decides_what_epsilon_does"].table.query("eps > 1e-300")
    for marker, (s, part) in zip("os", table.groupby("s", sort=False), strict=True):
        right.errorbar(part["eps"], part["measured"], whiskers(part), marker=marker, ms=4, lw=0.8, label=f"s = {s:g}")
    right.axvline(1e-6, color="k", ls="--", lw=0.8)
    right.set(xscale="log", yscale="log", xlabel="eps", ylabel="last gap / that of eps = 1e-16")
    right.legend(frameon=False, fontsize=8)
    return {"epsilon": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
