r"""Which of Muon and AdamW is ahead on binary logistic regression once the steps of both are tuned?

    log of AdamW's gap over Muon's, and the ratio of training accuracies, after 15 epochs

with constant steps, tuned on equal grids for every draw of rows. The set-up is in `studies/norms/circulated_runs.py`; the
runs, with figures and table, stand in `muon_untuned` beside those with the steps in circulation.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

import numpy as np
from ratewitness.studies.claims import Budget, Verdict, claim, planted, revised
from ratewitness.studies.judges import exceeds, mean_is
from ratewitness.studies.measuring.tuning import unless_on_edge
from ratewitness.studies.norms.circulated_runs import AGAIN, DRAWN_AGAIN, found, tuned


@claim("constant", "S36; equal tuning", units={"AdamW": "accuracy", "Muon": "accuracy"})
@revised(1, DRAWN_AGAIN)
@planted("AdamW stays a percentage point behind", ratio=0.99)
@planted("AdamW is a percentage point ahead", ratio=1.01)
def tuned_they_are_equally_accurate(budget: Budget, ratio: float = 1.0) -> Verdict:
    """S36, refined: On logistic regression with Gaussian rows, both tuned, the training accuracies of Muon and AdamW
    agree within half a per cent.

    After 15 epochs, tuned on every draw of rows, in the mean over draws."""
    adamw, muon = (found(budget, name, "tuned")[1][-1] for name in ("AdamW", "Muon"))
    verdict = mean_is(adamw / muon, ratio, 0.005).noting(AdamW=adamw.mean(), Muon=muon.mean())
    return unless_on_edge(verdict, *tuned(budget, "Muon"), *tuned(budget, "AdamW"))


@claim("phenomenon", "S36; equal tuning", unit="ln ratio")
@revised(1, DRAWN_AGAIN)
@planted("AdamW on other minibatches in the place of Muon", first=("AdamW", "tuned", AGAIN))
def tuned_muon_is_ahead(budget: Budget, first: tuple[str, ...] = ("Muon", "tuned")) -> Verdict:
    """S36, read as: On logistic regression with Gaussian rows, both tuned, Muon's training loss gap is at least 1.1
    times smaller than AdamW's.

    After 15 epochs, tuned on every draw of rows, in the geometric mean over draws."""
    effect = np.log(found(budget, "AdamW", "tuned")[0][-1] / found(budget, *first)[0][-1])
    verdict = exceeds(effect, float(np.log(1.1))).noting(ratio=float(np.exp(effect.mean())))
    return unless_on_edge(verdict, *tuned(budget, "Muon"), *tuned(budget, "AdamW"))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
