r"""Does AdaGrad's epsilon avoid divisions by zero and steps that are too large?

    x_{k+1} = x_k - lr g_k/(eps + sum_{j<=k} g_j^2)^{1/2},    first step lr |g|/(eps + g^2)^{1/2}, outside lr |g|/(eps + |g|)

No step is longer than lr in a coordinate, whatever eps, as g_k^2 <= sum g_j^2: epsilon is not what bounds a step. It
decides which gradients count as small: below sqrt eps (outside the root: below eps) the first step shrinks in proportion to
the gradient, while above it the step is lr whether the gradient is 1e-2 or 1e6. With eps = 1e-6 inside the root that is
1e-3. What follows for a loss whose gradients are smaller throughout: `epsilon_and_scale`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import Solver, iterates
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exceeds
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.streams import Stream, normal
from torch import Tensor

EPSILONS = (1e-300, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
SOURCE = "S20; Duchi, Hazan and Singer (2011)"


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


@claim("phenomenon", SOURCE)
@planted("with eps = 1e-6 they are", eps=1e-6)
def too_large_as_stated(budget: Budget, eps: float = 1e-300) -> Verdict:
    """S20, read as: Without epsilon AdaGrad takes steps longer than lr.

    The sentence says what epsilon is for, to avoid division by zero or too large steps. Read as: without it (eps =
    1e-300) AdaGrad takes a step longer than lr in some coordinate, on random gradients of sizes between 1e-12 and 1e6."""
    return exceeds(longest_steps(budget)[EPSILONS.index(eps)], 1 + 1e-9)


@claim("upper bound", SOURCE)
@planted("RMSProp", build=partial(RMSProp, beta2=0.9))
@planted("half of lr", share=0.5)
def no_step_exceeds_lr(budget: Budget, build=AdaGrad, share: float = 1.0) -> Verdict:
    """S20, refined: No step of AdaGrad is longer than lr in a coordinate, for any epsilon.

    For any eps from 1e-300 to 1, on random gradients of sizes between 1e-12 and 1e6: the sum in the denominator holds
    the present gradient."""
    found = longest_steps(budget, build).max(-1)
    return bound_holds(found, np.full(len(found), share)).showing({"eps": EPSILONS, "longest step": found})


@claim("exact", SOURCE)
@planted("torch with eps = 0 leaves it where it is", of_torch_without=0)
def division_by_zero(budget: Budget, of_torch_without: int = 1) -> Verdict:
    """S20: A coordinate whose gradients have all been 0 stays where it is with eps = 1e-6; with eps = 0 its step is 0/0.

    It stays exactly where it is, with eps inside the root or outside; 0/0 is nan in torch and refused here. Counted of
    the two coordinates of a gradient (0, 1): those that are nan, or unmoved, and whether a step is refused."""
    g = torch.tensor([0.0, 1.0], dtype=torch.float64, device=budget.device)

    def first(solver: Solver) -> Tensor:
        steps = iterates(solver, Stream(lambda t, x: g), torch.zeros_like(g))
        return [next(steps), next(steps)][1]

    def of_torch(eps: float) -> Tensor:
        x = torch.nn.Parameter(torch.zeros_like(g))
        x.grad = g
        torch.optim.Adagrad([x], lr=1.0, eps=eps).step()
        return x.detach()

    try:
        refused = int(first(AdaGrad(1.0, eps=0.0)).isnan().any()) - 1
    except ValueError:
        refused = 1
    found = {
        "torch, eps = 0: nan": int(of_torch(0.0).isnan().sum()),
        "eps = 0: refused": refused,
        "torch, eps = 1e-6: unmoved": int((of_torch(1e-6) == 0).sum()),
        "eps = 1e-6: unmoved": int((first(AdaGrad(1.0, eps=1e-6)) == 0).sum()),
        "eps = 1e-6: nan": int(first(AdaGrad(1.0, eps=1e-6)).isnan().sum()),
    }
    table = {"case": list(found), "coordinates": list(found.values())}
    return equals_exactly(table["coordinates"], [of_torch_without, 1, 1, 1, 0]).showing(table)


def first_steps(budget: Budget, place: str, law: str) -> pd.DataFrame:
    """The first step over lr for gradients of 1e-12 to 1e6, with eps inside or outside the root, beside a law."""
    g, eps = torch.logspace(-12, 6, 37, dtype=torch.float64, device=budget.device), along_eps(2, budget.device)
    solver, x0 = AdaGrad(1.0, eps=eps, eps_inside=place == "inside"), g.new_zeros(len(eps), len(g))
    steps = iterates(solver, Stream(lambda t, x: g.expand(x.shape)), x0)
    found = -[next(steps), next(steps)][1].cpu().numpy()
    size, floor = g.cpu().numpy(), eps.cpu().numpy()
    theory = {
        "inside": 1 / np.sqrt(1 + floor / size**2),
        "outside": 1 / (1 + floor / size),
        "always lr": 1.0,
        "SGD": size / np.sqrt(floor),
    }[law]
    columns = {"eps": floor, "gradient": size, "measured": found, "theory": theory}
    return pd.DataFrame({name: np.broadcast_to(part, found.shape).ravel() for name, part in columns.items()})


@claim("exact", SOURCE)
@planted("the places exchanged", inside="outside", outside="inside")
@planted("always lr", inside="always lr", outside="always lr")
@planted("in proportion to the gradient", inside="SGD")
def first_step_law(budget: Budget, inside: str = "inside", outside: str = "outside") -> Verdict:
    """S20, refined: AdaGrad's first step is lr |g|/(eps + g^2)^{1/2} with eps inside the root, lr |g|/(eps + |g|) with
    it outside.

    To 1e-12, for gradients of 1e-12 to 1e6 and eps of 1e-300 to 1: with eps = 1e-6 inside, a gradient of 1e-3 moves its
    coordinate by lr/sqrt 2, and one of 1e-12 by 1e-9 lr, where eps = 1e-300 would move it by lr."""
    laws = {"inside": inside, "outside": outside}
    tables = {place: first_steps(budget, place, law) for place, law in laws.items()}
    verdicts = {place: agrees(table["measured"], table["theory"], 1e-12) for place, table in tables.items()}
    at_root = tables["inside"].query("eps == 1e-6")["measured"]
    return all_of(verdicts).noting(tiny=at_root.iloc[0], at_the_root=at_root.iloc[18]).showing(stacked(tables, "place"))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    shown = {1e-10: r"$\varepsilon = 10^{-10}$", 1e-6: r"$\varepsilon = 10^{-6}$", 1e-2: r"$\varepsilon = 10^{-2}$"}
    table = verdicts["first_step_law"].table.query("eps in @shown.keys()")
    table = table.assign(method=table["eps"].map(shown) + ", " + table["place"])
    looks = {f"{name}, inside": f"C{k}{'osv'[k]}" for k, name in enumerate(shown.values())}
    looks |= {f"{name}, outside": f"C{k}{'osv'[k]} open" for k, name in enumerate(shown.values())}
    caption = (
        r"AdaGrad's first step against the size of the gradient, $\varepsilon$ inside the root (filled) and outside (open); "
        "lines: the laws."
    )
    panel = Panel(table, "gradient", "size of the gradient $|g|$", "first step / lr")
    figure = panels(caption, looks, [panel], legend="none", height=3.6)
    legend_below(figure, 2)
    return {"epsilon": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
