r"""Where should Muon beat AdamW on logistic regression, and where not?

What theory says before the run. G = U S V^T of d by K has the polar factor U V^T = (G G^T)^{-1/2} G if d <= K, and
G (G^T G)^{-1/2} if d >= K. With fewer features than classes Muon whitens the features, in whatever basis they are given;
with more it whitens the classes only, and features of very different variance stay what they were. Adam scales each entry
by itself: it undoes different variances where the features are uncorrelated, and not in a rotated basis. So with
variances from 1 to 1/1000 (rotated: the same rows times a random rotation)

    tall, axes      d > K, uncorrelated features                AdamW
    tall, rotated   the same, rotated                           AdamW loses its lead; Muon takes the same path as before
    wide, rotated   d < K                                       Muon
    digits          real data, d > K                            no prediction

The set-up, equal tuning included, is in `studies/norms/logreg_runs.py`; figures and table of the runs: `muon_logreg`.

Sources: K. Jordan et al. (2024); J. Bernstein and L. Newhouse (2024), arXiv:2409.20325.
"""

from __future__ import annotations

from collections.abc import Mapping

from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of
from ratewitness.studies.measuring.tuning import unless_on_edge
from ratewitness.studies.norms.logreg_runs import AGAIN, EXACT, ahead, final

RIVAL = {"AdamW": EXACT, EXACT: "AdamW"}


@claim("phenomenon", "S36; geometry of the polar factor, in studies/norms/muon_geometry.py", unit="ln ratio")
@planted("the other way round", tall=EXACT, wide="AdamW")
@planted("Muon on both", tall=EXACT)
@planted("each against itself on other minibatches", rival={each: each for each in RIVAL}, stage=AGAIN)
def geometry_decides(budget: Budget, tall="AdamW", wide=EXACT, rival: Mapping = RIVAL, stage="test") -> Verdict:
    """S36, refined: AdamW is ahead where uncorrelated features outnumber the classes, and Muon where rotated features are
    fewer than these.

    With features of variances 1 to 1/1000 and both methods tuned in every group, AdamW ends with a gap at least 1.1 times
    smaller than exact Muon's where there are more features than classes and they are uncorrelated, and Muon with one at
    least 1.1 times smaller than AdamW's where there are fewer features than classes (16 and 32), in a rotated basis; in the
    geometric mean over groups, after 200 (quick: 80) steps with minibatches of 128."""
    verdicts = {}
    for name, best in {"tall, axes": tall, "wide, rotated": wide}.items():
        verdicts[name] = ahead(final(budget, name, best), final(budget, name, rival[best], stage))
    return all_of(verdicts)


def blind(budget: Budget, method: str) -> Verdict:
    """Whether a method has the same gaps in both bases."""
    axes, rotated = (final(budget, name, method) for name in ("tall, axes", "tall, rotated"))
    return unless_on_edge(agrees(rotated.gap[1:].ravel(), axes.gap[1:].ravel(), 1e-6), *axes.tuned, *rotated.tuned)


@claim("exact", "S36; U V^T of Q G is Q times that of G for orthogonal Q")
@planted("AdamW does not see it either", lambda budget: blind(budget, "AdamW"))
def muon_does_not_see_a_rotation(budget: Budget) -> Verdict:
    """S36, refined: Muon has the same gaps whether the features are given along their principal axes or rotated.

    On more features than classes and the same minibatches the gaps agree at every record of every group up to 1e-6, with the
    singular value decomposition and with the quintic."""
    return all_of({method: blind(budget, method) for method in (EXACT, "Muon, quintic")})


@claim("phenomenon", "S36; Adam's scaling is by coordinates", unit="ln ratio")
@planted("so does Muon", method=EXACT)
def adamw_needs_the_axes(budget: Budget, method: str = "AdamW") -> Verdict:
    """S36, refined: Rotating uncorrelated features of very different variances makes AdamW's training loss gap larger.

    For features of variances 1 to 1/1000, more of them than classes, it is at least 1.1 times larger after 200 (quick: 80)
    steps with minibatches of 128, tuned before and after in every group, in the geometric mean over groups."""
    return ahead(final(budget, "tall, axes", method), final(budget, "tall, rotated", method))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
