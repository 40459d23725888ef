r"""How many products of matrices does Muon add to a gradient of a transformer?

    operations of T iterations / operations of a gradient  <=  T m/B,      m the width, B the characters in a batch

For m rows and n >= m columns an iteration of the quintic takes 4 n m^2 + 2 m^3 <= 6 n m^2 operations, the gradient 6 n m B.
Counted in the code that runs, on the hidden matrices of the character transformer of `studies/norms/transformer_runs.py`;
milliseconds, of the machine that provenance.json names, stand in the table only.

Source: K. Jordan et al. (2024), kellerjordan.github.io/posts/muon.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from ratewitness.problems.oracle import Oracle
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.timing import race
from ratewitness.studies.norms.transformer_runs import ITERATIONS, NETWORK, counted, method, reading

BATCHES = (1, 4, 16, 32, 64)  # windows


def of_a_step(budget: Budget) -> pd.DataFrame:
    """Median seconds of a step over rounds in which both methods take turns: columns AdamW and Muon, rows BATCHES."""
    problem, _ = reading(budget)

    def calls(k: int, windows: int) -> dict:
        oracle = Oracle.minibatch(problem, windows, budget.generator("time"))
        solvers = {rule: method(rule, 1e-3, 100) for rule in ("AdamW", "Muon")}
        states = {rule: solver.init(problem.start) for rule, solver in solvers.items()}
        return {rule: partial(solvers[rule].step, problem.start, states[rule], oracle) for rule in solvers}

    cells = {(windows,): partial(calls, windows=windows) for windows in BATCHES}
    small = {cell: partial(calls, windows=1) for cell in cells}  # the first step of all loads and allocates
    found = race(cells, ("windows",), lambda cell: 1, small)
    return found.pivot_table(index="windows", columns="method", values="seconds", aggfunc="median").reset_index(drop=True)


@claim(
    "cost", "S37; Jordan et al. (2024), kellerjordan.github.io/posts/muon, overhead T m/B", units={"share_at_32": "fraction"}
)
@planted("only 3 iterations to pay for", iterations=3)
def costs_few_products(budget: Budget, iterations: int = ITERATIONS) -> Verdict:
    """S37: Five iterations of Muon's quintic take at most 5 m/B times the operations of a gradient, m the width of a
    transformer and B the characters in a batch.

    Operations are those in products of matrices, on all hidden matrices of the character transformer, m = 64 and B = 64 to
    4096; at 32 windows of 64 they are 15.6 %. In theory, for m rows and n >= m columns, an iteration takes 4 n m^2 + 2 m^3
    <= 6 n m^2 operations, and the gradient 6 n m B. They are counted in the code that runs, attention itself left out of the
    gradient's count."""
    found = pd.DataFrame([counted(windows) for windows in BATCHES])
    found["characters"] = np.array(BATCHES) * NETWORK.context
    found["bound"] = iterations * NETWORK.width / found["characters"]
    verdict = bound_holds(found["share"], found["bound"]).noting(share_at_32=float(found["share"][BATCHES.index(32)]))
    return verdict.showing(pd.concat([found, of_a_step(budget)], axis=1))


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["costs_few_products"].table
    shown = {
        "characters in a batch $B$": found["characters"],
        "operations of the gradient": found["gradient"],
        "of the orthogonalization": found["orthogonalization"],
        "ratio": found["share"].round(4),
        "$5m/B$": found["bound"].round(4),
        "AdamW, ms a step here": (1e3 * found["AdamW"]).round(1),
        "Muon, ms a step here": (1e3 * found["Muon"]).round(1),
    }
    return {"cost": pd.DataFrame(shown)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
