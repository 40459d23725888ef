"""What the study of bounds on every problem says about the user's own data."""

import numpy as np
import pandas as pd
import pytest
from ratewitness.studies.claims import Verdict
from ratewitness.studies.rates import bounds_on_every_problem as study
from ratewitness.studies.rates.measured_over_bound import family

CELLS = ("gd_pl", "gd_convex", "gd_nonconvex", "sgd_pl", "sgd_convex", "sgd_nonconvex")


def verdicts(sigma: float, own: tuple[str, ...]) -> dict[str, Verdict]:
    """A catalogue of one problem, and two records of the user's data in some of the cells."""
    constants = {"L": 2.0, "mu": 0.5, "sigma": sigma, "n": 60, "d": 4}
    one = {"problem": "parabola", "at": 1.0, "records": 1, "N": 9, "power": 0.5, "low": 0.4, "high": 0.6, "last": 0.1}
    first = one | {"problem": "file a.csv", "N": 3, "power": 0.3, "last": 0.3}
    rows = {cell: [one, first, first | {"N": 5, "power": 0.2, "last": 0.2}] if cell in own else [one] for cell in CELLS}
    return {cell: Verdict("supported", {}, pd.DataFrame(found).assign(**constants)) for cell, found in rows.items()}


def test_nothing_is_said_without_own_data():
    found = verdicts(1.0, ())
    assert study.on_data(found) == study.on_data({}) == []
    assert {*study.figures(found)} == {"gd", "sgd"}


@pytest.mark.parametrize(("sigma", "reason"), [(np.inf, "no uniform variance"), (0.0, "it has no noise")])
def test_own_data_are_measured_where_they_meet_the_hypotheses(sigma, reason):
    found = verdicts(sigma, CELLS[:3])
    constants, *lines = study.on_data(found)
    assert constants.startswith("a.csv: n = 60, d = 4 ")
    assert "L = 2, mu = 0.5, " in constants
    assert len(lines) == len(CELLS)
    assert all("at most 0.3 of the bound, at h = 1 and k = 3; 0.2 at the last record, k = 5" in line for line in lines[:3])
    assert all("skipped" in line and reason in line for line in lines[3:])
    figure = study.figures(found)["own_data"]
    assert [ax.get_title() for ax in figure.axes] == ["GD"]


def test_a_sampled_ratio_is_said_with_its_interval():
    lines = study.on_data(verdicts(1.0, CELLS))
    assert all("at most 0.3 [0.4, 0.6] of the bound, at k = 3" in line for line in lines[4:])


def test_every_record_of_own_data_stands_in_the_table():
    records = pd.DataFrame({"problem": ["a", "a", "file b.csv", "file b.csv"], "at": 1.0, "N": [1, 2, 1, 2], "bound": 1.0})
    records = records.assign(measured=[0.5, 0.2, 0.4, 0.3], L=1.0, mu=1.0, sigma=1.0, n=2, d=1)
    verdict = study.judged(records)
    assert verdict.table["power"].tolist() == [0.5, 0.4, 0.3]
    assert verdict.table["last"].tolist() == [0.2, 0.4, 0.3]
    assert verdict.evidence["power"] == 0.5
    assert verdict.evidence["power_at_end"] == 0.3


def test_families_are_told_by_name():
    names = {"file sine.csv": "own data", "Huber of slope 1": "Huber", "worst parabola": "quadratics", "new": "others"}
    assert {name: family(name) for name in names} == names
