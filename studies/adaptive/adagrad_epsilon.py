r"""Does AdaGrad's epsilon avoid divisions by zero and steps that are too large?

    x_{k+1} = x_k - lr g_k/(eps + sum_{j<=k} g_j^2)^{1/2},    first step lr |g|/(eps + g^2)^{1/2}, outside lr |g|/(eps + |g|)

No step is longer than lr in a coordinate, whatever eps, as g_k^2 <= sum g_j^2 (theory/adagrad.py): epsilon bounds no step,
but it decides which gradients count as small. Without it a tiny gradient makes a full step, which is what "too large" can
mean: below sqrt eps (outside the root: below eps) the first step shrinks in proportion to
the gradient, while above it the step is lr whether the gradient is 1e-2 or 1e6. With eps = 1e-6 inside the root that is
1e-3. What follows for a loss whose gradients are smaller throughout: `epsilon_and_scale`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.solver import Solver, iterates
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream
from ratewitness.theory import adagrad
from torch import Tensor

EPSILONS = (1e-300, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
SOURCE = "S20; Duchi, Hazan and Singer (2011)"


def along_eps(ndim: int, device: str) -> Tensor:
    return torch.tensor(EPSILONS, dtype=torch.float64, device=device).reshape(-1, *[1] * (ndim - 1))


@claim("proof", f"{SOURCE}; theory/adagrad.py")
@falsified(adagrad.longest_step)
def no_step_exceeds_lr(budget: Budget) -> Verdict:
    """S20, refined: No step of AdaGrad is longer than lr in a coordinate, for any epsilon.

    For every gradient and all before it, with any eps >= 0 inside the root: the sum in the denominator holds the present
    square, of which a moving average holds only 1 - beta2. Read as steps longer than lr, there are none to be avoided."""
    return prove(adagrad.longest_step)


@claim("exact", SOURCE, units={"default_of_torch": "epsilon"})
@planted("torch with eps = 0 leaves it where it is", of_torch_without=0)
def division_by_zero(budget: Budget, of_torch_without: int = 1) -> Verdict:
    """S20, as stated: With eps = 1e-6 a coordinate whose gradients have all been 0 stays where it is; with eps = 0 its step
    is 0/0.

    Epsilon avoids a division by zero. The coordinate stays exactly where it is, with eps inside the root or outside; 0/0
    is nan in torch and refused here. Counted of the two coordinates of a gradient (0, 1): those that are nan, or unmoved,
    and whether a step is refused. "Usually 1e-6" is a habit: the evidence has torch's default."""
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
    usual = inspect.signature(torch.optim.Adagrad).parameters["eps"].default
    return equals_exactly(table["coordinates"], [of_torch_without, 1, 1, 1, 0]).noting(default_of_torch=usual).showing(table)


def first_steps(budget: Budget, place: str, law: str, factor: float = 1.0) -> pd.DataFrame:
    """The first step over lr for gradients of 1e-12 to 1e6, with eps inside or outside the root, beside a law."""
    g, eps = torch.logspace(-12, 6, 37, dtype=torch.float64, device=budget.device), along_eps(2, budget.device)
    solver, x0 = AdaGrad(1.0, eps=eps, eps_inside=place == "inside"), g.new_zeros(len(eps), len(g))
    steps = iterates(solver, Stream(lambda t, x: g.expand(x.shape)), x0)
    found = -[next(steps), next(steps)][1].cpu().numpy()
    size, floor = g.cpu().numpy(), factor * eps.cpu().numpy()
    theory = {
        "inside": 1 / np.sqrt(1 + floor / size**2),
        "outside": 1 / (1 + floor / size),
        "always lr": 1.0,
        "SGD": size / np.sqrt(floor),
    }[law]
    columns = {"eps": floor, "gradient": size, "measured": found, "theory": theory}
    return pd.DataFrame({name: np.broadcast_to(part, found.shape).ravel() for name, part in columns.items()})


@claim("exact", SOURCE, units={"tiny": "ratio", "at_the_root": "ratio"})
@planted("the places exchanged", inside="outside", outside="inside")
@planted("always lr", inside="always lr", outside="always lr")
@planted("in proportion to the gradient", inside="SGD")
@planted("twice the epsilon", factor=2.0)
def first_step_law(budget: Budget, inside: str = "inside", outside: str = "outside", factor: float = 1.0) -> Verdict:
    """S20, as stated: Epsilon avoids the full step lr of a tiny gradient: with eps inside the root AdaGrad's first step is
    lr |g|/(eps + g^2)^{1/2}.

    Too large a step is read as one that a tiny gradient does not merit. Outside the root it is lr |g|/(eps + |g|). To
    1e-12, for gradients of 1e-12 to 1e6 and eps of 1e-300 to 1: with eps = 1e-6 inside, a gradient of 1e-3 moves its
    coordinate by lr/sqrt 2, and one of 1e-12 by 1e-9 lr, where eps = 1e-300 would move it by lr."""
    laws = {"inside": inside, "outside": outside}
    tables = {place: first_steps(budget, place, law, factor) for place, law in laws.items()}
    verdicts = {place: agrees(table["measured"], table["theory"], 1e-12) for place, table in tables.items()}
    at_root = tables["inside"].query(f"eps == {factor * 1e-6}")["measured"]
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
