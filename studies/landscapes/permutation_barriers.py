r"""What does the straight line between two numberings of the same neurons cost, and does it vanish with the width?

    f = (1/h) sum_j a_j s(<w_j, .>):    loss at t over that of the zero function -> (2 t (1-t))^2 as h -> oo,  1/4 half-way

The end points are a network with h random neurons and a random renumbering of them, which computes the same; its loss is 0
at both, and the loss at t is the mean of (f_t - f)^2 over that of f^2. Linear: w normal in R^d, a = <w, v> + noise. ReLU: w
normal, a = <w, v>. The law and its hypotheses (neurons of mean 0) are in theory/mode_connectivity.py; a finite network is
below it or above it by a few per cent. These neurons are random and not trained: how barriers of trained networks (S46)
depend on the width is measured in `barriers_and_width`.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory import mode_connectivity as theory
from scipy.optimize import linear_sum_assignment

D, POINTS = 2, 200  # of the inputs
T = (0.1, 0.25, 0.5, 0.75, 0.9)
WIDTHS, WIDE = (64, 256, 1024, 4096), 4096
TOLERANCE = 0.1
PROVED = (theory.mixed_terms_vanish, theory.normal_neurons_shrink, theory.loss_of_a_permutation)


@measured
def losses(budget: Budget, kind: str, width: int, independent: bool = False, mean: float = 0.0) -> np.ndarray:
    """Relative losses (len(T), groups), every group a network and a renumbering (or another network) of it."""
    generator, groups = budget.generator("neurons", kind, width, independent, mean), budget.pick(10, 60)
    v, x = normal(generator, D), normal(generator, POINTS, D)
    v = v / v.norm()

    def neurons():
        w = normal(generator, groups, width, D) + mean
        noise = normal(generator, groups, width) if kind == "linear" else 0.0
        return w, w @ v + noise

    def answers(w, a):
        h = w @ x.T  # (groups, width, points)
        return (a.unsqueeze(-1) * (h.relu() if kind == "relu" else h)).mean(-2)

    w, a = neurons()
    if independent:
        other = neurons()
    else:
        order = torch.rand(groups, width, generator=generator, device=w.device).argsort(-1)
        other = w.gather(1, order.unsqueeze(-1).expand_as(w)), a.gather(1, order)
    own = answers(w, a)
    found = []
    for t in T:
        between = answers((1 - t) * w + t * other[0], (1 - t) * a + t * other[1])
        found.append((between - own).square().mean(-1) / own.square().mean(-1))
    return torch.stack(found).cpu().numpy()


@claim("proof", "S46; proofs in theory/mode_connectivity.py")
@falsified(*PROVED)
def law_is_proved(budget: Budget) -> Verdict:
    """S46, refined: Averaging two numberings of wide random neurons multiplies the function by t^2 + (1-t)^2 in the mean.

    For neurons with mean 0, linear or ReLU with normal w and a = <w, v>: mixed terms have mean 0, interpolated normal
    neurons shrink by s, s^2 = t^2 + (1-t)^2, and the loss relative to that of the zero function is (2t(1-t))^2.
    Machine-checked: these three identities of means; cited: the law of large numbers, by which the network tends to its mean
    as the width grows; in prose: nothing else."""
    return prove(*PROVED)


@claim("law", "S46; theory/mode_connectivity.py")
@planted("(t(1-t))^2 times 3", factor=0.75)
@planted("1/3 half-way", factor=4 / 3)
@planted("neurons with a common mean", mean=1.0)
def the_barrier_is_a_quarter(budget: Budget, factor: float = 1.0, mean: float = 0.0) -> Verdict:
    """S46, refined: The line between two networks of wide random neurons costs (2t(1-t))^2 of the null loss, 1/4 half-way.

    Linear and ReLU networks of 4096 neurons on R^2, at t = 0.1, 0.25, 0.5, 0.75, 0.9: the mean relative loss over 60
    networks (quick: 10), over (2t(1-t))^2, is 1 within 10 %, in 99 % intervals, whether the other end is a random
    renumbering of the first or an independent network of the same law (whose own loss is of order 1/4096)."""
    predicted = factor * theory.permuted_loss(np.array(T))
    cells = {
        f"{kind}, {end}": (kind, end == "independent")
        for kind in ("linear", "relu")
        for end in ("renumbered", "independent")
    }
    found = {name: losses(budget, kind, WIDE, independent, mean) for name, (kind, independent) in cells.items()}
    table = stacked({kind: rows(each, t=np.array(T), theory=predicted) for kind, each in found.items()}, "kind")
    return all_of({kind: mean_is(each, predicted, TOLERANCE) for kind, each in found.items()}).showing(table)


@claim("law", "S46; theory/mode_connectivity.py")
@planted("half a quarter at the largest width", factor=0.5)
@planted("neurons with a common mean", mean=1.0)
def it_does_not_vanish_with_the_width(budget: Budget, factor: float = 1.0, mean: float = 0.0) -> Verdict:
    """S46, refined: The barrier between two numberings of random ReLU neurons does not vanish as their number grows to 4096.

    Half-way, with 64, 256, 1024 and 4096 neurons: the mean relative loss over 60 networks (quick: 10) is 1/4 within 10 % at
    1024 and 4096, in 99 % intervals; the smaller widths are shown and not judged, as a finite width biases them."""
    found = np.stack([losses(budget, "relu", width, False, mean)[T.index(0.5)] for width in WIDTHS])
    table = rows(found, width=np.array(WIDTHS), theory=factor * 0.25)
    return mean_is(found[-2:], factor * 0.25, TOLERANCE).showing(table)


@claim("upper bound", "S46; matching of weights: Ainsworth et al. (2022), arXiv:2209.04836")
@planted("random orders", matched=False)
@planted("two neurons exchanged afterwards", exchanged=2)
def matching_removes_it(budget: Budget, matched: bool = True, exchanged: int = 0) -> Verdict:
    """S46, refined: After the best assignment of neurons the line between two numberings of a network costs nothing.

    20 ReLU networks of 256 neurons and a random renumbering of each: the assignment that maximizes the sum of <w_j, w'_j> +
    a_j a'_j gives the numbering back, and the relative loss half-way is at most 1e-20."""
    generator, worst = budget.generator("matching"), []
    v, x = normal(generator, D), normal(generator, POINTS, D)
    for _ in range(20):
        w = normal(generator, 256, D)
        neurons = torch.cat([w, (w @ v).unsqueeze(-1)], -1)
        other = neurons[torch.randperm(256, generator=generator, device=w.device)]
        if matched:
            other = other[torch.as_tensor(linear_sum_assignment((neurons @ other.T).cpu().numpy(), maximize=True)[1])]
        other[:exchanged] = other[:exchanged].flip(0)
        middle, own = ((each[:, :D] @ x.T).relu().T @ each[:, D] for each in ((neurons + other) / 2, neurons))
        worst.append(float((middle - own).square().mean() / own.square().mean()))
    return bound_holds(worst, np.full(20, 1e-20), -1.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    along = verdicts["the_barrier_is_a_quarter"].table
    widths = verdicts["it_does_not_vanish_with_the_width"].table.assign(kind="relu, renumbered")
    at = along["kind"].map({name: 0.018 * (j - 1.5) for j, name in enumerate(along["kind"].unique())})
    over = along.assign(t=along["t"] + at, law=along["theory"], theory=1.0 * along["theory"])
    label = "loss over null loss"
    shown = (
        Panel(over, "t", "$t$", "loss over the law", by="kind", unit="law", log="", title="4096 neurons"),
        Panel(widths, "width", "neurons", label, by="kind", log="x", title="$t = 1/2$", options={"ylim": (0.1, 0.35)}),
    )
    caption = (
        "First: the loss on the straight line between a random network and a renumbering of its neurons, or an independent "
        "network, relative to that of the zero function, over the law (2t(1-t))^2; points of one t are set apart. Second: "
        "the relative loss half-way, with the law 1/4. Means over networks with 99 % intervals."
    )
    looks = {
        "linear, renumbered": "C0o",
        "linear, independent": "C2^",
        "relu, renumbered": "C1s",
        "relu, independent": "C3D",
    }
    return {"barriers": panels(caption, looks, shown)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
