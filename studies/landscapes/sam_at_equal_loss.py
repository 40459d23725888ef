r"""Is SAM's loss flatter than SGD's at the same training loss?

    lambda_max(Hessian)  and  max_{||e|| <= 0.4} L(w + e) - L(w)        at the first record with L(w) <= L*

The training loss L and its curvature fall together, and methods end at different losses, so that a flatter end may be an
earlier one. Here the tuned runs of `sam_flatness` are compared where they first reach the loss L* that all four methods
reach: for each seed the largest of their least losses, by records of every second epoch of SGD. What is stopped early here
was tuned to be judged at its end. Measures and intervals are those of `sam_flatness`.

Source: P. Foret, A. Kleiner, H. Mobahi and B. Neyshabur (2021), arXiv:2010.01412.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, revised
from ratewitness.studies.landscapes.sam_measures import AGAIN, SOURCE, draw_ends, ends, flatter, null_controls


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_eigenvalue_with_wrong_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, refined: On digits at equal training loss, a fifth of the labels wrong, SAM has at most half of every
    control's top Hessian eigenvalue.

    Over 12 (quick: 2) seeds, which are splits and starts of one data set, and of which each tunes each method for itself by
    validation error at the end, the 99 % interval of the ratio at the loss that all methods reach is above 2 for SGD, SGD in
    twice the epochs and SGD with l2 regularization, in the geometric mean."""
    return flatter(budget, method, "eigenvalue", "noisy", 2.0, equal=True).showing(ends(budget, equal=True))


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_rise_with_wrong_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, refined: On digits at equal training loss, a fifth of the labels wrong, SAM's loss rises at most half as much
    nearby as any other.

    As in `smaller_eigenvalue_with_wrong_labels`, on the same splits and starts of one data set, with the largest rise of
    the loss found within 0.4."""
    return flatter(budget, method, "rise", "noisy", 2.0, equal=True)


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_eigenvalue_on_clean_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, refined: On digits at equal training loss, clean labels, every control has 1.25 times SAM's top Hessian
    eigenvalue, or more.

    As in `smaller_eigenvalue_with_wrong_labels`, on the same splits and starts of one data set, on clean labels and with
    1.25 in place of 2. On seeds that were drawn before the ratio to SGD in twice the epochs was 2.0 with the interval [1.1,
    3.8]: that did not decide."""
    return flatter(budget, method, "eigenvalue", "clean", 1.25, equal=True)


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_rise_on_clean_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, refined: On digits at equal training loss, clean labels, every control's loss rises 1.25 times as much nearby
    as SAM's, or more.

    As in `smaller_eigenvalue_with_wrong_labels`, on the same splits and starts of one data set, with the largest rise of
    the loss found within 0.4, on clean labels and with 1.25 in place of 2."""
    return flatter(budget, method, "rise", "clean", 1.25, equal=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "At the training loss that all methods reach: the top eigenvalue of the Hessian of that loss, and its largest rise "
        "found within a distance of 0.4. Geometric means over the seeds with 99 % intervals."
    )
    return {"equal_loss": draw_ends(caption, verdicts["smaller_eigenvalue_with_wrong_labels"].table)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
