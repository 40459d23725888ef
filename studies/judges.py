r"""How evidence becomes a verdict.

"supported" must be *earned*: NaN, an empty record, a censored run or a wide interval never reach it. Intervals are
two-sided Student-t intervals at 99 % over independent groups of replicates. Every judge returns a `Verdict` whose
evidence holds the numbers that decided it. Where something was sampled, `p` is the p-value of the word: of the one-sided
tests whose rejection supports the claim (or, if it is refuted, refutes it), the largest where all must reject, the smallest
times their number where one is enough. Over several hundred claims some 99 % intervals miss, and p says which words survive
that (studies/running/family.py).

    bound_holds      measured <= bound on every record above the floor; power = worst measured/bound
    lower_bound_holds  measured >= bound up to a stated statistical tolerance
    equals_exactly   integers equal integers
    agrees           numbers equal numbers up to a relative tolerance, without sampling error
    mean_is          an interval of measured/predicted inside 1 +- tolerance (an equivalence test)
    expectation_is   the same, for means whose standard errors are known exactly
    exponent_is      an interval of the log-log slope inside exponent +- tolerance, and the power law beats its rivals
    is_logarithmic   equally many steps per decade, early and late, and the logarithm beats the powers
    exceeds          an interval of an effect above a threshold that was stated before the run
    proved           a symbolic proof
    all_of           every one of several verdicts
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from ratewitness.studies.claims import Outcome, Verdict
from scipy import stats

CONFIDENCE = 0.99
MARGIN = 10.0  # a rival law is rejected when its AICc is worse by this much (odds of exp(5), about 150 to 1)
ROUNDING = 1e-9  # relative slack of an equality or bound in float64 after up to 1e6 operations


def interval(groups: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Mean and Student-t interval over independent groups (the last axis): (mean, low, high)."""
    groups = np.asarray(groups, dtype=float)
    count = groups.shape[-1]
    mean = groups.mean(-1)
    if count < 2:
        return mean, np.full_like(mean, -np.inf)[()], np.full_like(mean, np.inf)[()]
    half = stats.t.ppf((1 + confidence) / 2, count - 1) * groups.std(-1, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half


def _p_between(groups: ArrayLike, low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> np.ndarray:
    """p-values of the t-tests that say by rejecting: a mean over groups (*rows, groups) is between low and high (*rows)."""
    groups = np.asarray(groups, dtype=float)
    count = groups.shape[-1]
    if count < 2:
        return np.ones(groups.shape[:-1])
    error = groups.std(-1, ddof=1) / np.sqrt(count)
    above, below = groups.mean(-1) - low, high - groups.mean(-1)  # inf where there is no limit
    with np.errstate(divide="ignore", invalid="ignore"):  # groups that are all the same have no error
        t = np.minimum(above, below) / error
    return np.where(error > 0, stats.t.sf(t, count - 1), np.where(np.minimum(above, below) > 0, 0.0, 1.0))


def _p_of(outcome: Outcome, each_holds: ArrayLike, one_fails: ArrayLike) -> dict[str, float]:
    """The p-value of a word about several records, from those of its parts."""
    each_holds, one_fails = np.atleast_1d(each_holds), np.atleast_1d(one_fails)
    return {"p": float(min(1.0, one_fails.min() * one_fails.size) if outcome == "refuted" else each_holds.max())}


def _p_near(outcome: Outcome, groups: np.ndarray, value: float, tolerance: float) -> dict[str, float]:
    """Of an equivalence test: every mean is within the tolerance, or one is outside."""
    outside = np.minimum(_p_between(groups, low=value + tolerance), _p_between(groups, high=value - tolerance))
    return _p_of(outcome, _p_between(groups, value - tolerance, value + tolerance), outside)


def bound_holds(measured: ArrayLike, bound: ArrayLike, floor: ArrayLike = 0.0) -> Verdict:
    """measured <= bound on every record.

    measured: (records,) for a deterministic quantity, (records, groups) for an expectation seen through independent
    groups. Records at or below `floor` are left out. Supported if every record's upper limit is below the bound;
    refuted if a record's lower limit, at a level corrected for the number of records, is above it.
    """
    measured, bound = np.asarray(measured, dtype=float), np.asarray(bound, dtype=float)
    stochastic = measured.ndim == 2
    centre = measured.mean(-1) if stochastic else measured
    bound, floor = np.broadcast_to(bound, centre.shape), np.broadcast_to(floor, centre.shape)
    above = centre > floor
    evidence = {"records": float(above.sum()), "censored_by_floor": float((~above).sum())}
    # looked at before the floor, which would otherwise take an infinite record or floor out of sight
    spoiled = not np.isfinite(centre).all() or not np.isfinite(floor).all() or not np.isfinite(bound[above]).all()
    if spoiled or not above.any():
        return Verdict("inconclusive", {**evidence, "power": np.nan})
    low = high = centre[above]
    if stochastic:
        _, _, high = interval(measured[above])
        _, low, _ = interval(measured[above], 1 - (1 - CONFIDENCE) / above.sum())
    limit = bound[above] * (1 + ROUNDING)
    with np.errstate(divide="ignore"):  # a bound that underflowed to zero has power inf
        evidence["power"] = float((centre[above] / bound[above]).max())
        evidence["power_upper"] = float((high / bound[above]).max())
    outcome = _decide((high <= limit).all(), (low > limit).any())
    if stochastic:
        evidence |= _p_of(outcome, _p_between(measured[above], high=limit), _p_between(measured[above], low=limit))
    return Verdict(outcome, evidence)


def lower_bound_holds(measured: ArrayLike, bound: ArrayLike, tolerance: float) -> Verdict:
    """No record of an expectation (records, groups) lies below (1 - tolerance) bound (records,).

    The tolerance is statistical: a method that attains the bound cannot be told from one slightly below it. Supported
    if every lower limit is above; refuted if an upper limit, at a level corrected for the number of records, is below.
    `power` is the best measured/bound, near 1 where a method attains the bound.
    """
    ratio = np.asarray(measured, dtype=float) / np.asarray(bound, dtype=float)[:, None]
    if ratio.size == 0 or not np.isfinite(ratio).all():
        return Verdict("inconclusive", {"power": np.nan})
    mean, low, _ = interval(ratio)
    _, _, high = interval(ratio, 1 - (1 - CONFIDENCE) / len(ratio))
    evidence = {"power": float(mean.min()), "low": float(low.min()), "tolerance": tolerance}
    outcome = _decide((low >= 1 - tolerance).all(), (high < 1 - tolerance).any())
    p = _p_of(outcome, _p_between(ratio, low=1 - tolerance), _p_between(ratio, high=1 - tolerance))
    return Verdict(outcome, evidence | p)


def agrees(measured: ArrayLike, predicted: ArrayLike, tolerance: float = ROUNDING) -> Verdict:
    """|measured/predicted - 1| <= tolerance on every record, for numbers without sampling error."""
    ratio = np.asarray(measured, dtype=float) / np.asarray(predicted, dtype=float)
    if ratio.size == 0 or not np.isfinite(ratio).all():
        return Verdict("inconclusive", {"worst_error": np.nan})
    error = float(np.abs(ratio - 1).max())
    evidence = {"worst_error": error, "tolerance": tolerance, "compared": float(ratio.size)}
    return Verdict("supported" if error <= tolerance else "refuted", evidence)


def equals_exactly(measured: ArrayLike, predicted: ArrayLike) -> Verdict:
    """Integer hitting times equal predicted integers; a censored time (negative, NaN) or none at all is inconclusive."""
    measured, predicted = np.asarray(measured), np.asarray(predicted)
    censored = int((~(measured >= 0)).sum())  # NaN as well
    wrong = int((measured != predicted)[measured >= 0].sum())
    evidence = {"compared": float(measured.size), "wrong": float(wrong), "censored": float(censored)}
    return Verdict(_decide(measured.size > 0 and wrong == censored == 0, wrong > 0), evidence)


def mean_is(groups: ArrayLike, predicted: ArrayLike, tolerance: float) -> Verdict:
    """E[measured] = predicted up to a relative tolerance, for every row of groups (..., groups).

    Supported if every interval of the ratio lies inside 1 +- tolerance; refuted if one, at a level corrected for their
    number, lies outside.
    """
    ratio = np.asarray(groups, dtype=float) / np.asarray(predicted, dtype=float)[..., None]
    if ratio.size == 0 or not np.isfinite(ratio).all():
        return Verdict("inconclusive", {"ratio": np.nan})
    mean, low, high = map(np.atleast_1d, interval(ratio))
    worst = np.abs(mean - 1).argmax()
    inside = (low >= 1 - tolerance) & (high <= 1 + tolerance)
    _, least, most = interval(ratio, 1 - (1 - CONFIDENCE) / mean.size)
    outside = (least > 1 + tolerance) | (most < 1 - tolerance)
    evidence = {"ratio": mean.flat[worst], "low": low.min(), "high": high.max(), "tolerance": tolerance}
    outcome = _decide(inside.all(), outside.any())
    return Verdict(outcome, {k: float(v) for k, v in evidence.items()} | _p_near(outcome, ratio, 1, tolerance))


def expectation_is(means: ArrayLike, errors: ArrayLike, predicted: ArrayLike, tolerance: float) -> Verdict:
    """E[measured] = predicted up to a relative tolerance, from means and their exact standard errors, all of one shape.

    For heavy tails, where a sample's own deviation is too small as a rule. Supported if every normal interval of the ratio
    lies inside 1 +- tolerance; refuted if one, at a level corrected for their number, lies outside. `worst_z` is the largest
    distance from the prediction in standard errors.
    """
    means, errors, predicted = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in (means, errors, predicted)))
    ratio, error = means / predicted, errors / np.abs(predicted)
    if ratio.size == 0 or not (np.isfinite(ratio) & np.isfinite(error) & (error > 0)).all():
        return Verdict("inconclusive", {"ratio": np.nan})
    half, wide = (stats.norm.ppf(1 - (1 - CONFIDENCE) / (2 * count)) * error for count in (1, ratio.size))
    inside = np.abs(ratio - 1) + half <= tolerance
    outside = np.abs(ratio - 1) - wide > tolerance
    z = np.abs(ratio - 1) / error
    evidence = {"ratio": ratio.flat[np.abs(ratio - 1).argmax()], "low": (ratio - half).min(), "high": (ratio + half).max()}
    evidence |= {"tolerance": tolerance, "worst_z": z.max(), "compared": ratio.size}
    outcome, beyond = _decide(inside.all(), outside.any()), (np.abs(ratio - 1) - tolerance) / error
    p = _p_of(outcome, stats.norm.cdf(beyond), stats.norm.sf(beyond))
    return Verdict(outcome, {k: float(v) for k, v in evidence.items()} | p)


def exponent_is(
    eps: ArrayLike, times: ArrayLike, exponent: float, tolerance: float, decades: float = 2.0, points: int = 8
) -> Verdict:
    """times ~ eps^-exponent, from hitting times (E, groups) at accuracies eps (E,); (E,) or one group: deterministic.

    Each group gives a least-squares slope of log time against log 1/eps; the interval over groups must lie inside
    exponent +- tolerance, over at least `points` accuracies and `decades` decades, without censored runs, and the power
    law must beat its rivals (the other laws of `LAWS`) by MARGIN. Refuted if the interval lies outside, or a rival beats the
    power by MARGIN. The interval is about the slope over this range, to which an exponent is a limit. A deterministic record
    has no sampling error and no interval: its local slopes, those of the whole and of its two halves, must lie inside.
    """
    eps, times, evidence = _hitting_times(eps, times)
    evidence["expected"] = float(exponent)
    if not _enough(eps, evidence, decades, points):
        return Verdict("inconclusive", {**evidence, "slope": np.nan})
    x, y = np.log(1 / eps), np.log(times)
    slopes = np.polyfit(x, y, 1)[0]
    curvature = np.polyfit(x, y, 2)[0]
    sampled = times.shape[1] > 1
    if sampled:
        slope, low, high = interval(slopes)
    else:
        order, half = np.argsort(x), len(x) // 2
        parts = [np.polyfit(x[part], y[part], 1)[0, 0] for part in (order[:half], order[half:])]
        slope, low, high = slopes[0], min(slopes[0], *parts), max(slopes[0], *parts)
    scale, power = (eps, exponent) if exponent > 0 else (1 / eps, -exponent)  # rivals go the same way as the law
    margin = rivals_rejected(scale, times, "law", {"law": _power(power), **LAWS})
    ends = ("low", "high") if sampled else ("least_local", "greatest_local")
    evidence |= {"slope": slope, ends[0]: low, ends[1]: high, "curvature": curvature.mean(), "rival_margin": margin}
    inside = low >= exponent - tolerance and high <= exponent + tolerance
    outside = low > exponent + tolerance or high < exponent - tolerance
    outcome = _decide(inside and margin >= MARGIN, outside or margin <= -MARGIN)
    if sampled and not (outcome == "refuted" and not outside):  # a rival law is no matter of the sample
        evidence |= _p_near(outcome, slopes, exponent, tolerance)
    return Verdict(outcome, {k: float(v) for k, v in evidence.items()})


def is_logarithmic(eps: ArrayLike, times: ArrayLike, tolerance: float, decades: float = 2.0, points: int = 8) -> Verdict:
    """times ~ a + b log(1/eps), from hitting times as in `exponent_is`.

    A group's late slope, over the finer half of the accuracies, divided by its early slope (in steps per decade) must
    have its interval inside 1 +- tolerance: for (log 1/eps)^2 or a small power the late slope is larger. The logarithm
    must also beat the powers of LAWS by MARGIN. Refuted if the interval lies outside, or a power beats the logarithm.
    """
    eps, times, evidence = _hitting_times(eps, times)
    if not _enough(eps, evidence, decades, points):
        return Verdict("inconclusive", {**evidence, "late_over_early": np.nan})
    order, half = np.argsort(-eps), len(eps) // 2
    early, late = (np.polyfit(np.log(1 / eps[part]), times[part], 1)[0] for part in (order[: half + 1], order[half:]))
    ratio = late / early
    mean, low, high = interval(ratio) if len(ratio) > 1 else (ratio[0],) * 3
    margin = rivals_rejected(eps, times, "log(1/eps)", LAWS)
    evidence |= {"late_over_early": float(mean), "rival_margin": margin}
    inside = low >= 1 - tolerance and high <= 1 + tolerance
    outside = low > 1 + tolerance or high < 1 - tolerance
    outcome = _decide(inside and margin >= MARGIN, outside or margin <= -MARGIN)
    if len(ratio) > 1:
        evidence |= {"low": float(low), "high": float(high)}
        evidence |= {} if outcome == "refuted" and not outside else _p_near(outcome, ratio, 1, tolerance)
    return Verdict(outcome, evidence)


def _hitting_times(eps: ArrayLike, times: ArrayLike) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Accuracies (E,), times (E, groups) and how many of these are missing."""
    eps = np.asarray(eps, dtype=float)
    times = np.asarray(times, dtype=float).reshape(len(eps), -1)
    missing = ~(np.isfinite(times) & (times > 0))
    return eps, times, {"points": float(len(eps)), "censored": float(missing.sum())}


def _enough(eps: np.ndarray, evidence: Mapping[str, float], decades: float, points: int) -> bool:
    """Whether a law can be read off: no censored time, and accuracies that are many and wide enough."""
    return evidence["censored"] == 0 and len(eps) >= points and np.ptp(np.log10(eps)) >= decades * (1 - ROUNDING)


def _power(exponent: float) -> Callable:
    return lambda eps: np.stack([eps**-exponent])


# Each law: the regressors of the hitting time as a function of eps. The logarithmic law has a free offset log(Delta).
LAWS: dict[str, Callable] = {
    "log(1/eps)": lambda eps: np.stack([np.log(1 / eps), np.ones_like(eps)]),
    "1/eps": _power(1.0),
    "1/eps^2": _power(2.0),
}


def rivals_rejected(eps: np.ndarray, times: np.ndarray, law: str, laws: Mapping[str, Callable]) -> float:
    """AICc of the best rival minus AICc of `law`: how firmly the rivals are rejected.

    The laws are fitted by least squares of relative errors to the group means of times (E, groups). Residuals below
    what rounding causes say nothing, and count as that.
    """
    mean = times.mean(1)
    # rounding a time up to an integer; any other measure is as exact as float64
    floor = (1 / (12 * mean**2)).sum() if (times == times.round()).all() else len(eps) * ROUNDING**2
    candidates = {name: regressors(eps) for name, regressors in laws.items()}
    mine = candidates.pop(law)
    rivals = [c for c in candidates.values() if c.shape != mine.shape or not np.allclose(c, mine)]
    return float(min(_aicc(c, mean, floor) for c in rivals) - _aicc(mine, mean, floor))


def _aicc(regressors: np.ndarray, times: np.ndarray, floor: float) -> float:
    weighted = (regressors / times).T
    residual = 1 - weighted @ np.linalg.lstsq(weighted, np.ones(len(times)), rcond=None)[0]
    count, free = len(times), len(regressors) + 1  # the residual variance is fitted as well
    correction = 2 * free * (free + 1) / (count - free - 1)
    return count * np.log(max((residual**2).sum(), floor) / count) + 2 * free + correction


def exceeds(effects: ArrayLike, threshold: float) -> Verdict:
    """The mean effect over independent groups or seeds lies above a threshold stated before the run."""
    effects = np.asarray(effects, dtype=float)
    if effects.size == 0 or not np.isfinite(effects).all():
        return Verdict("inconclusive", {"effect": np.nan, "threshold": float(threshold)})
    mean, low, high = interval(effects)
    evidence = {"effect": float(mean), "low": float(low), "high": float(high), "threshold": float(threshold)}
    outcome = _decide(low > threshold, high < threshold)
    above, below = _p_between(effects, low=threshold), _p_between(effects, high=threshold)
    return Verdict(outcome, evidence | _p_of(outcome, above, below))


def proved(proof: Callable[[], bool]) -> Verdict:
    """A symbolic identity: proved if the proof returns True, refuted if it returns False."""
    return Verdict("proved" if proof() is True else "refuted", {})


def all_of(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Every one of them: refuted if one is, else inconclusive if one is (or there is none), else supported.

    What decided stands first in the evidence: the parts of the worst word, and of these the least certain one.
    """
    severity = ("refuted", "inconclusive", "supported", "proved")
    outcome = next((word for word in severity if any(v.outcome == word for v in verdicts.values())), "inconclusive")
    p = {name: v.evidence.get("p", 0.0) for name, v in verdicts.items()}
    first = sorted(verdicts, key=lambda name: (severity.index(verdicts[name].outcome), -p[name]))
    evidence = {f"{name}.{key}": value for name in first for key, value in verdicts[name].evidence.items()}
    if outcome == "refuted":
        refuting = [name for name in verdicts if verdicts[name].outcome == "refuted"]
        sampled = sum("p" in v.evidence for v in verdicts.values())
        p_of_all = min(1.0, min(p[name] for name in refuting) * sampled)
        certain = not all("p" in verdicts[name].evidence for name in refuting)
    else:
        p_of_all, certain = max(p.values(), default=0.0), not any("p" in v.evidence for v in verdicts.values())
    return Verdict(outcome, evidence if certain else {"p": p_of_all} | evidence)


def _decide(earned: bool, contradicted: bool) -> Outcome:
    return "supported" if earned else "refuted" if contradicted else "inconclusive"
