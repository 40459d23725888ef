r"""How long are the first steps of RMSProp and Adam?

    RMSProp  a/sqrt(1 - beta2^k)      Adam without correction  a (1 - beta1^k)/sqrt(1 - beta2^k)      Adam  a

at equal gradients and epsilon 0, whatever their size; at k = 1 for any gradient. Averages that start at 0 are too small: the
one in the denominator makes RMSProp's first steps too long, and Adam's without correction where 1 - beta1 > sqrt(1 - beta2),
as for the betas 0.9 and 0.999; else the one in the numerator makes them too short.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; theory/moving_averages.py.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import iterates, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, proved
from ratewitness.studies.measuring.proofs import falsified
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory.moving_averages import first_step, head_start, head_start_integral, length

BETAS = torch.tensor([(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.99, 0.9)], dtype=torch.float64)  # beta1, beta2
SIZES = (1e-6, 1e-3, 1.0, 1e3, -1e6)
METHODS = {
    "Adam": lambda lr, beta1, beta2, eps=0.0: Adam(lr, beta1, beta2, eps),
    "Adam without correction": lambda lr, beta1, beta2, eps=0.0: Adam(lr, beta1, beta2, eps, bias_correction=False),
    "RMSProp": lambda lr, beta1, beta2, eps=0.0: RMSProp(lr, beta2, eps),
}
LENGTHS = {  # of step k over a
    "Adam": lambda beta1, beta2, k: 1.0 + 0.0 * beta2 * k,
    "Adam without correction": length,
    "RMSProp": lambda beta1, beta2, k: length(0.0, beta2, k),
}


def steps(method: str, gradients, count: int) -> np.ndarray:
    """Lengths in the direction of -g over a: (betas, gradients, count), for gradients (count or 1, gradients)."""
    beta1, beta2 = (beta.unsqueeze(-1) for beta in BETAS.unbind(-1))
    x0 = torch.zeros(len(BETAS), gradients.shape[-1], dtype=torch.float64)
    oracle = Stream(lambda k, x: gradients[min(k, len(gradients) - 1)])
    path = torch.stack(list(islice(iterates(METHODS[method](1.0, beta1, beta2), oracle, x0), count + 1)), -1)
    return (-path.diff(dim=-1) * gradients[0].sign().unsqueeze(-1)).numpy()


@cache
def at_equal_gradients(method: str, count: int) -> np.ndarray:
    return steps(method, torch.tensor([SIZES], dtype=torch.float64), count)


def lengths(budget: Budget, laws=LENGTHS) -> Verdict:
    """Of the first steps at equal gradients, and of the first one at any gradient, against `laws`."""
    count, verdicts, parts = budget.pick(300, 3000), {}, []
    k = np.arange(1, count + 1)
    beta1, beta2 = (beta.reshape(-1, 1, 1).numpy() for beta in BETAS.unbind(-1))
    anything = (6 * normal(budget.generator("sizes"), 1, 100)).exp() * normal(budget.generator("signs"), 1, 100).sign()
    for method, law in laws.items():
        measured = at_equal_gradients(method, count)
        verdicts[f"{method}, equal"] = agrees(measured, law(beta1, beta2, k))
        verdicts[f"{method}, first"] = agrees(steps(method, anything, 1), law(beta1, beta2, 1))
        parts.append(pd.DataFrame({"method": method, "k": k, "measured": measured[0, 2]}))
    return all_of(verdicts).showing(pd.concat(parts, ignore_index=True))


def with_law(method: str, law) -> dict:
    return LENGTHS | {method: law}


@claim(
    kind="exact",
    source="S24; theory/moving_averages.py",
    planted={
        "RMSProp starts with steps a": lambda budget: lengths(budget, with_law("RMSProp", LENGTHS["Adam"])),
        "so does Adam without correction": lambda budget: lengths(
            budget, with_law("Adam without correction", LENGTHS["Adam"])
        ),
        "beta1 and beta2 swapped": lambda budget: lengths(
            budget, with_law("Adam without correction", lambda beta1, beta2, k: length(beta2, beta1, k))
        ),
        "Adam corrected for one gradient more": lambda budget: lengths(
            budget, with_law("Adam", lambda beta1, beta2, k: length(beta1, beta2, k) / length(beta1, beta2, k + 1))
        ),
        **falsified(first_step, named="a first step corrected for two gradients"),
    },
)
def lengths_are_exact(budget: Budget) -> Verdict:
    """S24: At equal gradients of sizes 1e-6 to 1e6 step k has length a with Adam, (1 - beta1^k)/sqrt(1 - beta2^k) a without
    the correction and a/sqrt(1 - beta2^k) with RMSProp, to rounding, for k up to 3000 (quick: 300) and four pairs of betas;
    at k = 1 at any gradient (proved). RMSProp's first step is (1 - beta2)^{-1/2} times too long, 32 times for beta2 = 0.999,
    and Adam's without the correction (1 - beta1)(1 - beta2)^{-1/2} times, 3.2 times for betas 0.9 and 0.999."""
    measured = lengths(budget)
    verdict = all_of({"proof": proved(first_step), "runs": measured})
    return verdict.showing(measured.table)


@cache
def distance_ahead(rates: tuple[float, ...]) -> np.ndarray:
    """What RMSProp's steps at equal gradients exceed as many steps of length a by in all, for beta2 = 1 - rates."""
    beta2, count = 1 - torch.tensor(rates, dtype=torch.float64), int(20 / min(rates))
    one = torch.ones_like(beta2)
    path = iterates(RMSProp(1.0, beta2, eps=0.0), Stream(lambda k, x: one), torch.zeros_like(one))
    return (-next(islice(path, count, None)) - count).numpy()


def ahead(budget: Budget, share: float) -> Verdict:
    rates = budget.pick((0.5, 0.1, 0.01), (0.5, 0.1, 0.01, 1e-3, 1e-4))
    return bound_holds(distance_ahead(rates), share * head_start(beta2=1 - np.array(rates)))


@claim(
    kind="upper bound",
    source="S24; theory/moving_averages.py",
    planted={
        "half the bound": lambda budget: ahead(budget, 0.5),
        **falsified(head_start_integral, named="an integral of log 2"),
    },
)
def head_start_of_rmsprop(budget: Budget) -> Verdict:
    """S24: At equal gradients RMSProp's steps together exceed as many steps of length a by less than 2 log 2/log(1/beta2) a,
    1386 a for beta2 = 0.999: beta2 from 0.5 to 0.9999 (quick: 0.99), for which `power`, the largest share of the bound that
    is attained, nears 1."""
    return all_of({"proof": proved(head_start_integral), "runs": ahead(budget, 1.0)})


def paths(count: int) -> dict[str, np.ndarray]:
    """x_k for k <= count on x^2/2 from x_0 = 1 with step 0.01, betas 0.9 and 0.999."""
    one = torch.ones(1, dtype=torch.float64)
    problem, at = quadratic(one, one), range(count + 1)
    return {
        name: run(build(0.01, 0.9, 0.999), Oracle.full(problem), one, count, lambda x: x[0], at).values.numpy()
        for name, build in METHODS.items()
    }


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "The first steps of RMSProp and Adam with betas 0.9 and 0.999. Left: lengths at equal gradients (points: runs, "
        "lines: formulas). Right: the way to the minimizer of x^2/2 from 1 with step a = 0.01."
    )
    table, k = verdicts["lengths_are_exact"].table, np.geomspace(1, 300, 200)
    for j, (method, part) in enumerate(table.groupby("method", sort=False)):
        part = part[part["k"].isin({1, 2, 3, 5, 8, 13, 20, 35, 60, 100, 180, 300})]
        axes[0].plot(part["k"], part["measured"], "os^"[j], color=f"C{j}", ms=4, label=method)
        axes[0].plot(k, LENGTHS[method](0.9, 0.999, k), lw=0.8, color=f"C{j}")
    for j, path in enumerate(paths(400).values()):
        axes[1].plot(path, color=f"C{j}", ls=("-", "--", "-.")[j])
    axes[0].set(xscale="log", yscale="log", xlabel="step k", ylabel="length / a")
    axes[1].set(xlabel="steps", ylabel="$x_k$")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return {"lengths": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
