"""Five small plots of a card: scale and epsilon, memory, forgetting, kappa, drift; each only where it was measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ratewitness.studies.cards.card import Card
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.measuring.drawing import canvas

LEAST = 1e-12


def figures(found: Card) -> dict[str, Figure]:
    """One figure with a panel for all that can be drawn, two in a row; none where nothing can."""
    measured = {fact.name: fact for fact in found.facts if fact.series}
    drawn = [(draw, [measured[name] for name in names if name in measured]) for draw, names in PLOTS]
    drawn = [(draw, facts) for draw, facts in drawn if facts]
    if not drawn:
        return {}
    rows = [2] * (len(drawn) // 2) + [1] * (len(drawn) % 2)
    made, axes = canvas(f"{found.spec}: what it does", *rows)
    for ax, (draw, facts) in zip(axes, drawn, strict=True):
        draw(ax, *facts)
        ax.legend(frameon=False, fontsize="small")
    return {"card": made}


def scale(ax: Axes, fact: Fact) -> None:
    series = {name: np.asarray(values) for name, values in fact.series.items()}
    for name, style in (("first", "o-"), ("twelfth", "s--")):
        positive = series[name] > 0
        ax.loglog(series["sizes"][positive], series[name][positive], style, markersize=3, label=f"{name} step")
    ax.set(xlabel="size of the gradient", ylabel="length of the step", title="scale and epsilon")


def memory(ax: Axes, *facts: Fact) -> None:
    for fact, style in zip(facts, ("o-", "s--"), strict=False):
        lags, weights = (np.asarray(fact.series[name]) for name in ("lags", "weights"))
        label = fact.name.removeprefix("memory of ")
        ax.loglog(lags + 1, np.maximum(np.abs(weights), LEAST), style, markersize=3, label=label)
    ax.set(xlabel="age of a gradient, in steps", ylabel="its weight", title="memory")


def forgetting(ax: Axes, fact: Fact) -> None:
    ratio = np.asarray(fact.series["ratio"])
    ax.semilogy(fact.series["steps"], np.maximum(ratio, LEAST), label="measured")
    ax.axhline(1.0, linestyle=":", color="gray", label="without the loud past")
    ax.set(xlabel="steps after gradients fell by 1000", ylabel="length of the step, relative", title="forgetting")


def conditioning(ax: Axes, fact: Fact) -> None:
    kappa, steps = (np.asarray(fact.series[name]) for name in ("kappa", "steps"))
    ax.loglog(kappa, steps, "o-", label="measured")
    for power, style, name in ((1.0, "--", "kappa"), (0.5, ":", "sqrt(kappa)")):
        ax.loglog(kappa, steps[0] * (kappa / kappa[0]) ** power, style, color="gray", label=name)
    ax.set(xlabel="condition number", ylabel="steps", title="rotated quadratics")


def drift(ax: Axes, fact: Fact) -> None:
    n, kept = (np.asarray(fact.series[name]) for name in ("n", "drift"))
    ax.semilogx(n, kept, "o-", label="measured")
    ax.axhline(0.0, linestyle=":", color="gray", label="above: the wrong end")
    ax.set_yscale("symlog", linthresh=1e-3)
    ax.set(xlabel="n, gradients (n, -1, ..., -1)", ylabel="drift a period, of its way", title="drift")


PLOTS: tuple[tuple[Callable, tuple[str, ...]], ...] = (
    (scale, ("epsilon",)),
    (memory, ("memory of directions", "memory of sizes")),
    (forgetting, ("forgetting",)),
    (conditioning, ("conditioning",)),
    (drift, ("drift",)),
)
