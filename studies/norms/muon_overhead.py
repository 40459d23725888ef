r"""How many products of matrices does Muon add to a gradient of a transformer?

    operations of T iterations / operations of a gradient  <=  T m/B,      m the width, B the characters in a batch

For m rows and n >= m columns an iteration of the quintic takes 4 n m^2 + 2 m^3 <= 6 n m^2 operations, the gradient 6 n m B.
Counted in the code that runs, on the hidden matrices of the character transformer of `studies/norms/transformer_runs.py`;
milliseconds, of the machine at hand, stand in the table only.

Source: K. Jordan et al. (2024), kellerjordan.github.io/posts/muon.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ratewitness.problems.oracle import Oracle
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.timing import seconds
from ratewitness.studies.norms.transformer_runs import ITERATIONS, NETWORK, counted, method, reading

BATCHES = (1, 4, 16, 32, 64)  # windows


def of_a_step(budget: Budget, rule: str, windows: int) -> float:
    """The least seconds of three steps."""
    problem, _ = reading(budget)
    oracle, solver = Oracle.minibatch(problem, windows, budget.generator("time")), method(rule, 1e-3, 100)
    state = solver.init(problem.start)
    solver.step(problem.start, state, oracle)  # the first allocates memory
    return min(seconds(lambda: solver.step(problem.start, state, oracle)) for _ in range(3))


@claim("cost", "S37; Jordan et al. (2024), kellerjordan.github.io/posts/muon, overhead T m/B")
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
    taken = {rule: [of_a_step(budget, rule, windows) for windows in BATCHES] for rule in ("AdamW", "Muon")}
    return verdict.showing(found.assign(**taken))


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
