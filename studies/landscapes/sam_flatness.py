r"""Does SAM end in flatter minima than SGD?

    lambda_max(Hessian),  the top eigenvalue        max_{||e|| <= 0.4} L(w + e) - L(w),  the rise

of the training loss L, without any penalty, where tuned runs end of SAM, of SGD, of SGD in twice the epochs (as many
gradients) and of SGD with l2 regularization: networks of 3466 weights on 500 digits (`sam_runs`), with clean labels and with
a fifth of them wrong. The choice of settings looks at the validation error only. A factor is that of geometric means over
the seeds, which are paired, and must be reached against every control. The rise is the largest that gradient ascent finds
from three points, a lower bound; the eigenvalue is that of Lanczos' method, with a residual of at most 0.001 of it. Both
depend on the coordinates: a rescaling of the weights that leaves the network as it is changes them. On clean labels the
curvature of the cross-entropy falls with the loss itself: at equal loss see `sam_at_equal_loss`. Errors: `sam_error`.

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
    """S44, as stated: On digits, a fifth of the labels wrong, SAM ends in a wider minimum: at most half the top Hessian
    eigenvalue of every control.

    Controls are SGD, SGD in twice the epochs and SGD with l2 regularization. Over 12 (quick: 2) seeds, which are splits and
    starts of one data set, and of which each tunes each method for itself by validation error, the 99 % interval of the
    ratio to each control is above 2, in the geometric mean. The sentence has pictures of a sharp minimum of SGD and a wide
    one of SAM, for a network that is larger."""
    return flatter(budget, method, "eigenvalue", "noisy", 2.0).showing(ends(budget))


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_rise_with_wrong_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, read as: On digits with a fifth of labels wrong the loss rises at most half as much around SAM's ends as around
    any control's.

    The rise is the largest loss found within 0.4 of the end, by 20 steps of projected ascent from 3 points, minus the loss
    there. Over 12 (quick: 2) seeds, which are splits and starts of one data set, and of which each tunes each method for
    itself by validation error, the 99 % interval of the ratio is above 2 for SGD, SGD in twice the epochs and SGD with l2
    regularization, in the geometric mean."""
    return flatter(budget, method, "rise", "noisy", 2.0)


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_eigenvalue_on_clean_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, read as: On digits with clean labels SAM ends with a smaller top Hessian eigenvalue than every control.

    Over 12 (quick: 2) seeds, which are splits and starts of one data set, and of which each tunes each method for itself by
    validation error, the 99 % interval of the ratio is above 1 for SGD, SGD in twice the epochs and SGD with l2
    regularization, in the geometric mean."""
    return flatter(budget, method, "eigenvalue", "clean", 1.0)


@claim("phenomenon", SOURCE, unit="ln ratio")
@revised(1, AGAIN)
@null_controls
def smaller_rise_on_clean_labels(budget: Budget, method: str = "SAM") -> Verdict:
    """S44, read as: On digits with clean labels the loss rises less around SAM's ends than around those of any control.

    Rises are those of `smaller_rise_with_wrong_labels`. Over 12 (quick: 2) seeds, which are splits and starts of one data
    set, and of which each tunes each method for itself by validation error, the 99 % interval of the ratio is above 1 for
    SGD, SGD in twice the epochs and SGD with l2 regularization, in the geometric mean."""
    return flatter(budget, method, "rise", "clean", 1.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Where tuned runs end: the top eigenvalue of the Hessian of the training loss, and the largest rise of that loss "
        "found within a distance of 0.4. Geometric means over the seeds with 99 % intervals."
    )
    return {"flatness": draw_ends(caption, verdicts["smaller_eigenvalue_with_wrong_labels"].table)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
