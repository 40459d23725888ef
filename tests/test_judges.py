"""Every judge says each of its words, earns "supported", and is calibrated on simulated data of known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.studies.claims import Verdict
from ratewitness.studies.judges import (
    LAWS,
    agrees,
    all_of,
    bound_holds,
    equals_exactly,
    exceeds,
    exponent_is,
    interval,
    is_logarithmic,
    lower_bound_holds,
    mean_is,
    proved,
    rivals_rejected,
)
from scipy import stats

EPS = np.logspace(-1, -3.2, 10)
NAN = float("nan")


def noisy_times(exponent, groups=10, spread=0.02, seed=0, sets=None):
    """Hitting times eps^-exponent with independent log-normal group noise."""
    rng = np.random.default_rng(seed)
    shape = (len(EPS), groups) if sets is None else (sets, len(EPS), groups)
    return EPS[:, None] ** -exponent * np.exp(spread * rng.standard_normal(shape))


def test_bound_holds_says_each_word():
    assert bound_holds([0.5, 0.9], [1.0, 1.0]).outcome == "supported"
    assert bound_holds([0.5, 1.1], [1.0, 1.0]).outcome == "refuted"
    assert bound_holds([], []).outcome == "inconclusive"
    assert bound_holds([0.5, NAN], [1.0, 1.0]).outcome == "inconclusive"
    assert bound_holds([0.5], [NAN]).outcome == "inconclusive"
    assert bound_holds([0.5, np.inf], [1.0, np.inf], floor=np.inf).outcome == "inconclusive"
    assert bound_holds([0.5, np.inf], [1.0, 1.0]).outcome == "inconclusive"
    assert bound_holds([0.5, 0.1], [1.0, 0.0]).outcome == "refuted"  # a bound that underflowed
    assert bound_holds([1e-20], [1e-30], floor=1e-16).outcome == "inconclusive"  # only rounding was left


def test_bound_holds_uses_intervals_for_expectations():
    rng = np.random.default_rng(0)
    groups = 1 + 0.1 * rng.standard_normal((3, 10))
    assert bound_holds(groups, [2.0] * 3).outcome == "supported"
    assert bound_holds(groups, [0.5] * 3).outcome == "refuted"
    assert bound_holds(groups, groups.mean(1)).outcome == "inconclusive"
    assert bound_holds(groups[:, :1], [2.0] * 3).outcome == "inconclusive"  # one group has no interval


def test_bound_holds_reports_its_power():
    assert bound_holds([0.5, 0.9], [1.0, 1.0]).evidence["power"] == pytest.approx(0.9)


def test_lower_bound_holds_says_each_word():
    groups = 1 + 0.01 * np.random.default_rng(0).standard_normal((2, 10))
    assert lower_bound_holds(groups, [1.0, 0.5], 0.05).outcome == "supported"
    assert lower_bound_holds(groups, [1.5, 0.5], 0.05).outcome == "refuted"
    assert lower_bound_holds(groups, [1.02, 0.5], 0.02).outcome == "inconclusive"
    assert lower_bound_holds(groups * NAN, [1.0, 1.0], 0.05).outcome == "inconclusive"


def test_equals_exactly_says_each_word():
    assert equals_exactly([3, 4], [3, 4]).outcome == "supported"
    assert equals_exactly([3, 5], [3, 4]).outcome == "refuted"
    assert equals_exactly([3, -1], [3, 4]).outcome == "inconclusive"
    assert equals_exactly([], []).outcome == "inconclusive"
    assert equals_exactly([3, NAN], [3, 4]).outcome == "inconclusive"


def test_agrees_says_each_word():
    assert agrees([1.0], [1.0 + 1e-12]).outcome == "supported"
    assert agrees([1.0], [1.1]).outcome == "refuted"
    assert agrees([NAN], [1.0]).outcome == agrees([], []).outcome == "inconclusive"


def test_mean_is_says_each_word():
    groups = 1 + 0.01 * np.random.default_rng(0).standard_normal((1, 10))
    assert mean_is(groups, [1.0], 0.05).outcome == "supported"
    assert mean_is(groups, [1.5], 0.05).outcome == "refuted"
    assert mean_is(groups, [1.05], 0.05).outcome == "inconclusive"
    assert mean_is(groups[:, :1], [1.0], 0.05).outcome == "inconclusive"
    assert mean_is(groups * NAN, [1.0], 0.05).outcome == "inconclusive"


def test_exponent_is_says_each_word():
    times = noisy_times(1.0)
    assert exponent_is(EPS, times, 1.0, 0.05).outcome == "supported"
    assert exponent_is(EPS, times, 1.5, 0.05).outcome == "refuted"
    assert exponent_is(EPS, noisy_times(1.0, spread=1.0), 1.0, 0.05).outcome == "inconclusive"
    assert exponent_is(EPS, noisy_times(1.05), 1.0, 0.05).outcome == "inconclusive"


@pytest.mark.parametrize("spoiled", [-1, 0, NAN])
def test_exponent_is_never_supports_a_spoiled_record(spoiled):
    times = noisy_times(1.0)
    times[-1, 3] = spoiled
    assert exponent_is(EPS, times, 1.0, 0.05).outcome == "inconclusive"
    assert is_logarithmic(EPS, times, 0.2).outcome == "inconclusive"


def test_exponent_is_needs_points_and_decades():
    times = noisy_times(1.0)
    assert exponent_is(EPS[:7], times[:7], 1.0, 0.05, decades=1.0).outcome == "inconclusive"
    assert exponent_is(EPS, times, 1.0, 0.05, decades=3.0).outcome == "inconclusive"


def test_exponent_is_does_not_take_a_logarithm_for_a_small_power():
    times = (20 * np.log(1 / EPS))[:, None] * np.ones(10)
    slope = exponent_is(EPS, times, 0.3, 0.2).evidence["slope"]
    assert exponent_is(EPS, times, round(slope, 2), 0.2).outcome != "supported"


def test_exponent_is_judges_the_local_slopes_of_a_deterministic_record():
    times = EPS**-1.0 * (1 + 0.3 * np.linspace(0, 1, len(EPS)) ** 2)
    evidence = exponent_is(EPS, times, 1.0, 0.05).evidence
    assert evidence["least_local"] < evidence["slope"] < evidence["greatest_local"]
    assert not {"low", "high", "p"} & {*evidence}  # nothing was sampled


def test_exponent_is_refutes_where_a_rival_law_is_better_by_the_margin():
    times = (20 * np.log(1 / EPS))[:, None] * np.ones(10)
    slope = np.polyfit(np.log(1 / EPS), np.log(times[:, 0]), 1)[0]
    verdict = exponent_is(EPS, times, slope, 0.3)
    assert (verdict.outcome, "p" in verdict.evidence) == ("refuted", False)


X = np.log(1 / EPS)
SHAPES = {
    "log": 50 * X + 30,
    "log^2": 10 * X**2,
    "log^3": 5 * X**3,
    "eps^-0.1": 100 * EPS**-0.1,
    "eps^-0.2": 100 * EPS**-0.2,
    "1/eps": 4 / EPS,
    "1/eps^2": 3 / EPS**2,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_is_logarithmic_takes_nothing_else_for_a_logarithm(shape):
    """Over 2.2 decades eps^-0.05 would still pass: its late slope is 1.13 times the early one."""
    noisy = SHAPES[shape][:, None] * np.exp(0.002 * np.random.default_rng(0).standard_normal((len(EPS), 10)))
    for times in (np.ceil(SHAPES[shape]), noisy):
        assert is_logarithmic(EPS, times, 0.15).outcome == ("supported" if shape == "log" else "refuted")


def test_is_logarithmic_can_be_undecided():
    noisy = SHAPES["log"][:, None] * np.exp(0.1 * np.random.default_rng(0).standard_normal((len(EPS), 10)))
    assert is_logarithmic(EPS, noisy, 0.15).outcome == "inconclusive"
    assert is_logarithmic(EPS[:5], noisy[:5], 0.15).outcome == "inconclusive"


def best_multiple(shape, mean):
    """c shape with the least sum of (1 - c shape/mean)^2, and its one free parameter."""
    ratio = shape / mean
    return shape * ratio.sum() / (ratio**2).sum(), 1


FITS = {
    "log(1/eps)": lambda mean: (np.polyval(np.polyfit(X, mean, 1, w=1 / mean), X), 2),
    "1/eps": lambda mean: best_multiple(1 / EPS, mean),
    "1/eps^2": lambda mean: best_multiple(1 / EPS**2, mean),
}


@pytest.mark.parametrize("law", LAWS)
def test_rivals_are_weighed_by_the_likelihood_corrected_for_small_samples(law):
    """Akaike's criterion of Hurvich and Tsai (1989) from scipy's likelihood of the relative residuals."""
    times = SHAPES["log"][:, None] * np.exp(0.1 * np.random.default_rng(0).standard_normal((len(EPS), 10)))

    def criterion(fitted, free):
        residual, free = 1 - fitted / times.mean(1), free + 1
        likelihood = stats.norm.logpdf(residual, scale=np.sqrt((residual**2).mean())).sum()
        return 2 * free - 2 * likelihood + 2 * free * (free + 1) / (len(EPS) - free - 1)

    found = {name: criterion(*fit(times.mean(1))) for name, fit in FITS.items()}
    expected = min(value for name, value in found.items() if name != law) - found[law]
    assert rivals_rejected(EPS, times, law, LAWS) == pytest.approx(expected)


@pytest.mark.parametrize("exponent", [-1.0, -2.0])
def test_a_growing_power_is_compared_with_growing_rivals(exponent):
    data = EPS**-exponent * np.ones((10, 1))
    verdict = exponent_is(EPS, data.T, exponent, 0.05)
    assert verdict.outcome == "supported"
    constant_rate = exponent_is(EPS, (0.1 + 0.02 * np.log(EPS))[:, None] * np.ones(10), exponent, 5.0)
    assert constant_rate.outcome != "supported", "a logarithm of the variable is a rival as well"


def test_exceeds_says_each_word():
    effects = 1 + 0.1 * np.random.default_rng(0).standard_normal(10)
    assert exceeds(effects, 0.5).outcome == "supported"
    assert exceeds(effects, 1.5).outcome == "refuted"
    assert exceeds(effects, effects.mean()).outcome == "inconclusive"
    assert exceeds([], 0.0).outcome == exceeds([NAN], 0.0).outcome == exceeds([2.0], 0.0).outcome == "inconclusive"


def test_proved_says_each_word():
    assert proved(lambda: True).outcome == "proved"
    assert proved(lambda: False).outcome == proved(lambda: None).outcome == "refuted"


def test_all_of_takes_the_worst():
    words = ["proved", "supported", "inconclusive", "refuted"]
    for i, worst in enumerate(words):
        assert all_of({w: Verdict(w, {}) for w in words[: i + 1]}).outcome == worst
    assert all_of({}).outcome == "inconclusive"


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_interval_contains_its_mean(values):
    mean, low, high = interval(values)
    assert low <= mean + 1e-9 * (1 + abs(mean))
    assert high >= mean - 1e-9 * (1 + abs(mean))


SAMPLED = {
    "exceeds": lambda x, shift: exceeds(x, shift),
    "mean_is": lambda x, shift: mean_is(x[None], [1 - shift], 0.2),
    "bound_holds": lambda x, shift: bound_holds(x[None], [1 - shift]),
    "lower_bound_holds": lambda x, shift: lower_bound_holds(x[None], [1 + shift], 0.0),
}


@pytest.mark.parametrize("judge", SAMPLED)
@given(shift=st.floats(-0.9, 0.9), seed=st.integers(0, 99))
def test_a_word_is_said_exactly_where_its_p_value_is_below_half_a_hundredth(judge, shift, seed):
    groups = 1 + 0.3 * np.random.default_rng(seed).standard_normal(8)
    verdict = SAMPLED[judge](groups, shift)
    assert (verdict.evidence["p"] <= 0.005) == (verdict.outcome != "inconclusive")


@pytest.mark.parametrize("judge", [mean_is, lower_bound_holds])
def test_one_of_many_true_rows_seldom_refutes(judge):
    """Each of 50 true rows lies on its border; alone at 99 % one of them would be beyond it in 40 % of all runs."""
    rng = np.random.default_rng(0)
    rows = 0.9 + 0.05 * rng.standard_normal((300, 50, 8))
    refuted = np.mean([judge(groups, np.ones(50), 0.1).outcome == "refuted" for groups in rows])
    assert refuted <= 0.03  # at most 1/2 %, and 3.5 binomial standard deviations


def test_a_p_value_is_that_of_scipy():
    groups = 1 + 0.3 * np.random.default_rng(0).standard_normal(8)
    for threshold, alternative in ((0.5, "greater"), (1.5, "less")):
        expected = stats.ttest_1samp(groups, threshold, alternative=alternative).pvalue
        assert exceeds(groups, threshold).evidence["p"] == pytest.approx(expected)
    rows = np.stack([groups, groups + 0.01])
    worst = max(stats.ttest_1samp(row, 1.7, alternative="less").pvalue for row in rows)
    assert bound_holds(rows, [1.7] * 2).evidence["p"] == pytest.approx(worst)
    least = min(stats.ttest_1samp(row, 0.3, alternative="greater").pvalue for row in rows)
    assert bound_holds(rows, [0.3] * 2).evidence["p"] == pytest.approx(2 * least)  # two looks
    assert mean_is(groups[None], [5.0], 0.1).evidence["p"] == pytest.approx(
        stats.ttest_1samp(groups / 5, 0.9, alternative="less").pvalue
    )


def test_all_of_puts_what_decided_first_and_takes_the_weakest_p_value():
    sure, less = exceeds([1.0, 1.01, 0.99, 1.0], 0.0), exceeds([1.0, 1.3, 0.7, 1.0], 0.0)
    no = exceeds([1.0, 1.01, 0.99], 2.0)
    both = all_of({"sure": sure, "less": less, "exact": equals_exactly([1], [1])})
    assert both.evidence["p"] == less.evidence["p"] > sure.evidence["p"]
    assert [*both.evidence][1].startswith("less.")
    refuted = all_of({"sure": sure, "no": no})
    assert refuted.evidence["p"] == pytest.approx(2 * no.evidence["p"])
    assert [*refuted.evidence][1].startswith("no.")
    # what is certain has no p-value
    assert "p" not in all_of({"exact": equals_exactly([1], [2]), "sure": sure}).evidence
    assert "p" not in all_of({"exact": equals_exactly([1], [1])}).evidence


def calibration(sets):
    """How often the 99 % interval covers the slope, and how often exponents off by 0.25 are called supported."""
    data = noisy_times(1.0, spread=0.05, seed=1, sets=sets)
    verdicts = [exponent_is(EPS, times, 1.0, 0.05) for times in data]
    covered = np.mean([v.evidence["low"] <= 1.0 <= v.evidence["high"] for v in verdicts])
    false = np.mean([exponent_is(EPS, times, 1.25, 0.05).outcome == "supported" for times in data])
    wide = noisy_times(1.0, spread=0.5, seed=2, sets=sets)  # so noisy that the interval decides nothing
    lucky = np.mean([exponent_is(EPS, times, 1.25, 0.05).outcome == "supported" for times in wide])
    return covered, max(false, lucky)


def test_the_exponent_judge_is_calibrated():
    covered, false = calibration(300)
    # 99 % of 300 with a binomial standard deviation of 0.6 %
    assert 0.97 <= covered <= 1.0
    assert false < 0.01


@pytest.mark.slow
def test_the_exponent_judge_is_calibrated_on_2000_data_sets():
    covered, false = calibration(2000)
    assert 0.98 <= covered <= 0.998
    assert false < 0.01


def test_mean_is_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    limits = [interval(rng.standard_normal(8)) for _ in range(3000)]
    assert 0.983 <= np.mean([low <= 0 <= high for _, low, high in limits]) <= 0.996  # 99 % +- 3.5 standard deviations
