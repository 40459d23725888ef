r"""Do the frequencies of classes explain where Adam helps? Tuned methods on bigram tables.

    frequencies of contexts r_i and of labels, each Zipf's or equal: which of the two matters?

What a gain is, and how methods are tuned, stands in `gain_of_adam`; grids lie around 1/L for gradient descent and around a
change of a score by 0.1 for Adam and sign descent. Other settings: `learnt_by_heart`, `frequent_words`.

What theory says beforehand (`theory/class_imbalance.py`, `frequency_laws`): the row of a context of frequency r_i moves at
the pace r_i with gradient descent, and at one free of r_i with Adam, so that the frequencies of contexts must matter. On
frequencies of labels where rows are shared or contexts equally frequent it is silent.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.problems.data import bigram as pairs
from ratewitness.problems.data.bigram import balanced, divergences, zipf
from ratewitness.studies.adaptive.gain_of_adam import (
    KUNSTNER,
    LOOKS,
    METHODS,
    PAIRS,
    SIGN,
    Setting,
    descended,
    gains,
    gains_panel,
    larger,
    least,
    octaves,
)
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted, revised
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

FREQUENCIES = {"Zipf": zipf, "equal": balanced}
AGAIN = "again"  # other tables of the same frequencies
CELLS = (("Zipf", "Zipf"), ("Zipf", "equal"), ("equal", "Zipf"), ("equal", "equal"))  # of contexts, of labels
PACE = KUNSTNER + "; the pace r_i of theory/class_imbalance.py"
SOME = PAIRS[:1]  # without momentum
WHY = (
    "drawn again: `the_sign_is_enough` was inconclusive with 5 tables, and supported with 8, of which 5 were the same; all "
    "claims share the tables"
)


@measured("class_imbalance, revision 1")
def bigram(budget: Budget, contexts: str, labels: str, *again: str) -> Setting:
    c = budget.pick(48, 100)
    marginals = (FREQUENCIES[name](c) for name in (contexts, labels))
    P = pairs.random_table(*marginals, budget.generator("tables", *again), budget.pick(4, 8))
    problem, groups, steps = pairs.population_softmax(P), octaves(c, budget.device), budget.pick(100, 200)

    def losses(x):
        return (P.sum(-1) * divergences(P, x)) @ groups

    return Setting(problem, problem.start, losses, steps, steps, (1 / problem.constants.smoothness.reshape(-1, 1, 1), 0.1))


def contexts(budget: Budget, treated: str, control: str, compared=PAIRS) -> Verdict:
    """The gains are twice as large with these frequencies of the contexts as with others, for either frequencies of the
    labels. Where both are the same, the first are those of other tables."""
    again = [AGAIN] if treated == control else []
    cells = {names: ((treated, names, *again), (control, names)) for names in FREQUENCIES}
    return all_of({f"labels {names}": larger(budget, bigram, *pair, 2.0, compared) for names, pair in cells.items()})


@claim("phenomenon", KUNSTNER, unit="ln ratio")
@revised(1, WHY)
@planted("equally frequent labels of other tables", treated="equal")
@planted("frequencies swapped", treated="equal", control="Zipf")
def frequencies_of_labels_as_stated(budget: Budget, treated: str = "Zipf", control: str = "equal") -> Verdict:
    """S28, read as: On bigram tables Adam gains at least twice as much with Zipf's frequencies of labels as with equal
    ones.

    Heavy-tailed class frequencies are why Adam helps, read for one-hot contexts, whose rows share nothing: on bigram
    tables of 100 (quick: 48) contexts and labels, N = 200 (quick: 100), the gain of Adam is at least twice as large with
    Zipf's frequencies of the labels as with equal ones, for either frequencies of the contexts, with momentum on both
    sides and with none: geometric means over tables."""
    again = [AGAIN] if treated == control else []
    cells = {names: ((names, treated, *again), (names, control)) for names in FREQUENCIES}
    verdict = all_of({f"contexts {names}": larger(budget, bigram, *pair, 2.0) for names, pair in cells.items()})
    return verdict.showing(gains(budget, bigram, CELLS))


@claim("phenomenon", PACE, unit="ln ratio")
@revised(1, WHY)
@planted("equally frequent contexts of other tables", treated="equal")
@planted("frequencies swapped", treated="equal", control="Zipf")
def frequencies_of_contexts_and_momentum(budget: Budget, treated: str = "Zipf", control: str = "equal") -> Verdict:
    """S28, refined: On bigram tables, both with and without momentum, Adam gains at least twice as much with Zipf's
    contexts as with equally frequent ones.

    Frequencies of contexts matter, and momentum does not explain it: on bigram tables of 100 (quick: 48) contexts and
    labels the gain of Adam is at least twice as large with Zipf's frequencies of the contexts as with equal ones, for
    either frequencies of the labels, with momentum on both sides and with none: geometric means over tables."""
    return contexts(budget, treated, control)


@claim("phenomenon", PACE, unit="ln ratio")
@revised(1, WHY)
@planted("equally frequent contexts of other tables", treated="equal")
@planted("of labels in place of contexts", lambda budget: larger(budget, bigram, *CELLS[2:], 2.0, SOME))
def frequencies_of_contexts_matter(budget: Budget, treated: str = "Zipf", control: str = "equal") -> Verdict:
    """S28, refined: On bigram tables, without momentum only, Adam gains at least twice as much with Zipf's contexts as
    with equally frequent ones.

    On bigram tables of 100 (quick: 48) contexts and labels Adam without momentum needs fewer steps than gradient descent
    without, by a factor, its gain, that is at least twice as large with Zipf's frequencies of the contexts as with equal
    ones, for either frequencies of the labels."""
    return contexts(budget, treated, control, SOME)


@claim("phenomenon", KUNSTNER + "; sign flow in theory/class_imbalance.py", unit="ln ratio")
@revised(1, WHY)
@planted("equally frequent contexts of other tables", treated="equal")
def the_sign_is_enough(budget: Budget, treated: str = "Zipf", control: str = "equal") -> Verdict:
    """S28, refined: On bigram tables sign descent too gains at least twice as much with Zipf's contexts as with equally
    frequent ones.

    On bigram tables of 100 (quick: 48) contexts and labels the gain of tuned sign descent over gradient descent is at
    least twice as large with Zipf's frequencies of the contexts as with equal ones, for either frequencies of the
    labels."""
    return contexts(budget, treated, control, SIGN)


def left(budget: Budget, frequencies: str, method: str) -> np.ndarray:
    """The share of its loss that every octave of contexts has left after N steps: (tables, octaves)."""
    losses = descended(budget, bigram, (frequencies, "equal"), method)
    return least(budget, losses, len(losses) - 1) / losses[0, 0]


@claim("phenomenon", PACE, unit="ln ratio")
@revised(1, WHY)
@planted("with Adam as well", lagging=("Adam", "Adam, no momentum"), level=())
@planted("where contexts are equally frequent", frequencies="equal")
def rare_contexts_lag(
    budget: Budget, frequencies: str = "Zipf", lagging=("GD", "GD, momentum"), level=("Adam, no momentum", "Adam")
) -> Verdict:
    """S28, refined: With gradient descent rare contexts of bigram tables lag at least three times behind frequent ones,
    with Adam less than twice.

    On the tables with Zipf's frequencies of contexts and equal ones of labels, the rarest contexts (ranks from 64 on;
    quick: 32) have after N steps with gradient descent at least three times as large a share of their loss left as ranks
    4 to 7, with momentum and without; with Adam, either way, less than twice as large a share. Geometric means over
    tables, each method at the step that is best for the whole loss. Ranks 1 to 3 would not say how far a method has
    come: the best step of gradient descent is at the edge of their stability."""
    shares = {method: np.log(left(budget, frequencies, method)) for method in METHODS}
    lags = {method: share[:, -1] - share[:, 2] for method, share in shares.items()}
    behind = {method: exceeds(lags[method], np.log(3)) for method in lagging}
    verdict = all_of(behind | {method: exceeds(-lags[method], -np.log(2)) for method in level})
    ranks = 2.0 ** np.arange(shares["GD"].shape[1])
    return verdict.showing(stacked({m: rows(np.exp(share).T, geometric=True, rank=ranks) for m, share in shares.items()}))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    two = (
        "Gain of Adam on bigram tables by the frequencies of contexts and of labels: how many times as many steps gradient "
        "descent needs, with momentum on both sides and with none. Geometric means with 99 % intervals over tables."
    )
    lags = (
        "Share of its loss that each octave of contexts has left after all steps, from the most frequent to the rarest, "
        "Zipf's frequencies of contexts and equal ones of labels: every method at its best step. Geometric means with 99 % "
        "intervals over tables (points set apart)."
    )
    gained, lagging = (verdicts[name].table for name in ("frequencies_of_labels_as_stated", "rare_contexts_lag"))
    looks = dict(zip(METHODS, ("C0o-", "C2s-", "C1v-", "C3^-", "C4D-"), strict=True))
    panel = Panel(lagging, "rank", "least rank of the octave of contexts", "share of the loss left", apart=1.05)
    return {
        "gains": panels(two, LOOKS, [gains_panel(gained, "contexts (above) and labels (below)")]),
        "lags": panels(lags, looks, [panel]),
    }


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
