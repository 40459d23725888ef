"""`run` and `hitting_times` against plain Python loops over scripted iterates."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.solvers.solver import CENSORED, dot, hitting_times, log_spaced, run


@dataclass(frozen=True, eq=False)
class Scripted:
    """x_k = script[k]; each step makes one gradient query and two value queries."""

    script: torch.Tensor

    def init(self, x):
        return 0

    def step(self, x, k, oracle):
        oracle.calls += 1
        oracle.component_gradients += 7
        oracle.values += 2
        return self.script[k + 1], k + 1


def counters():
    return SimpleNamespace(calls=0, component_gradients=0, values=0)


numbers = st.one_of(st.sampled_from([0.0, 1.0, 2.0, float("nan")]), st.floats(-3, 3))


@st.composite
def scripts(draw):
    steps, batch = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    rows = st.lists(st.lists(numbers, min_size=batch, max_size=batch), min_size=steps + 1, max_size=steps + 1)
    return torch.tensor(draw(rows), dtype=torch.float64)


def watched(column, over):
    """The sequence that is compared with the threshold, from its definition."""
    if over == "last":
        return list(column)
    reduce = np.min if over == "min" else np.mean  # both hand a NaN on
    return [reduce(column[: k + 1]) for k in range(len(column))]


@settings(max_examples=150, deadline=None)
@given(scripts(), st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.sampled_from(["last", "min", "mean"]))
def test_hitting_times_are_those_of_a_plain_loop(script, thresholds, over):
    oracle = counters()
    limit = len(script) - 1
    eps = torch.tensor(thresholds, dtype=torch.float64)[:, None]
    # a running mean that rounding could put on either side of a threshold decides nothing
    means = np.array([watched(column, over) for column in script.T.numpy()])
    if over == "mean" and (np.abs(means[None] - eps[:, :, None].numpy()) < 1e-12).any():
        return
    times = hitting_times(Scripted(script), oracle, script[0], limit, lambda x: x, eps, over)
    for e, threshold in enumerate(thresholds):
        for g in range(script.shape[1]):
            expected = next((k for k in range(limit + 1) if means[g][k] <= threshold), CENSORED)
            assert times[e, g] == expected
    # the run stops at the last hit, or goes on to the limit when one is missing
    assert oracle.calls == (limit if (times == CENSORED).any() else times.max())


def test_nan_never_hits():
    script = torch.tensor([[1.0, float("nan")], [float("nan")] * 2, [0.0, float("nan")]], dtype=torch.float64)
    assert hitting_times(Scripted(script), counters(), script[0], 2, lambda x: x, torch.tensor(0.5)).tolist() == [2, -1]
    # a minimum or a mean that has seen a NaN stays one
    for over in ("min", "mean"):
        times = hitting_times(Scripted(script), counters(), script[0], 2, lambda x: x, torch.tensor(0.5), over)
        assert times.tolist() == [CENSORED, CENSORED]


def test_start_below_the_threshold_costs_nothing():
    script, oracle = torch.zeros(5, 3, dtype=torch.float64), counters()
    assert hitting_times(Scripted(script), oracle, script[0], 4, lambda x: x, torch.tensor(0.0)).tolist() == [0, 0, 0]
    assert oracle.calls == 0


def test_thresholds_broadcast_per_replicate():
    script = torch.arange(10, 0, -1, dtype=torch.float64)[:, None].expand(10, 2)
    eps = torch.tensor([[9.0, 5.0], [3.0, 0.0]])
    times = hitting_times(Scripted(script), counters(), script[0], 9, lambda x: x, eps)
    assert times.tolist() == [[1, 5], [7, CENSORED]]


@settings(max_examples=150, deadline=None)
@given(scripts(), st.sampled_from(["last", "min", "mean"]), st.data())
def test_records_are_those_of_a_plain_loop(script, over, data):
    steps = len(script) - 1
    at = data.draw(st.none() | st.lists(st.integers(0, steps), min_size=1, max_size=6))
    trace = run(Scripted(script), counters(), script[0], steps, lambda x: 2 * x, at, over)
    assert trace.steps == (log_spaced(steps) if at is None else sorted(set(at)))
    for g, column in enumerate((2 * script).T.numpy()):
        expected = [watched(column, over)[k] for k in trace.steps]
        np.testing.assert_allclose(trace.values[:, g].numpy(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(trace.x, script[-1], equal_nan=True, rtol=0, atol=0)
    assert trace.calls == trace.steps
    assert trace.component_gradients == [7 * k for k in trace.steps]
    assert trace.value_queries == [2 * k for k in trace.steps]


def test_run_makes_exactly_the_asked_steps():
    script, oracle = torch.zeros(9, 1, dtype=torch.float64), counters()
    run(Scripted(script), oracle, script[0], 8, lambda x: x, at=[2])
    assert oracle.calls == 8
    assert run(Scripted(script), counters(), script[0], 0, lambda x: x).steps == [0]


def test_run_builds_no_graph():
    script = torch.zeros(3, 1, dtype=torch.float64)
    measured = []
    x0 = script[0].clone().requires_grad_()
    run(Scripted(script), counters(), x0, 2, lambda x: measured.append((x * x0).requires_grad) or x.detach())
    assert measured == [False] * 3


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_log_spaced_spans_the_run(steps):
    at = log_spaced(steps)
    assert at[0] == 0
    assert at[-1] == steps
    assert at == sorted(set(at))
    assert all(isinstance(k, int) for k in at)
    assert len(at) <= 2 + 20 * max(1, np.log10(max(steps, 1)))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_dot_sums_over_one_point(ndim):
    a, b = torch.randn(2, 2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = (a.flatten(-ndim) * b.flatten(-ndim)).sum(-1)
    result = dot(a, b, ndim)
    assert result.shape == (*a.shape[:-ndim], *[1] * ndim)
    torch.testing.assert_close(result.reshape(expected.shape), expected)
