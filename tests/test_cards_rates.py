"""The rates of a card: known methods beside their theory, and planted ones that must not get a number."""

import numpy as np
import pytest
import torch
from ratewitness.studies.cards import exact_rates, noisy_rates
from ratewitness.studies.cards.bench import SHIFT, Undecided, bench, tuned
from ratewitness.studies.cards.fleet import Fleet
from ratewitness.studies.cards.rates import RATES, rate
from ratewitness.studies.cards.subject import F64, normal, play, subject
from ratewitness.studies.claims import QUICK
from ratewitness.theory import adam_drift
from torch.optim import Optimizer

SHORT = (10.0, 30.0, 100.0, 300.0, 1000.0)  # kappas that take a second


class Planted(Optimizer):
    """Moves each parameter by `move` of it, its gradient and lr."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(self.move(p, p.grad, group["lr"]))


class Deaf(Planted):
    def move(self, p, g, lr):
        return -0.5 * g


class Ascends(Planted):
    def move(self, p, g, lr):
        return lr * g


class Shrinks(Planted):
    def move(self, p, g, lr):
        return -lr * p


class Knows(Planted):
    """Is at the minimizer, which no gradient has told it."""

    def move(self, p, g, lr):
        return SHIFT - p


class Normalized(Planted):
    def move(self, p, g, lr):
        return -lr * g / g.norm()


class Raises(Planted):
    def move(self, p, g, lr):
        if g.abs().max() > 10:
            raise OverflowError("too large for me")
        return -lr * g


class Early(Planted):
    """Reads lr when it is built, and never again."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.first = lr

    def move(self, p, g, lr):
        return -self.first * g


class NewMemory(Planted):
    """Gives parameters new memory instead of writing into their own."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p - group["lr"] * p.grad


class Averages(Planted):
    """Steps from train points, and is judged at their average in eval mode."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.training = True

    def move(self, p, g, lr):
        state = self.state[p]
        state["k"] = state.get("k", 0) + 1
        mean = state.setdefault("mean", torch.zeros_like(p))
        mean.add_((p - lr * g - mean) / state["k"])
        return -lr * g

    @torch.no_grad()
    def eval(self):
        for p, state in self.state.items():
            state["kept"] = p.clone()
            p.copy_(state["mean"])

    @torch.no_grad()
    def train(self):
        for p, state in self.state.items():
            if "kept" in state:
                p.copy_(state.pop("kept"))


def on(cls=torch.optim.SGD, entrywise=True, apart=True, **kwargs):
    return bench(subject(cls, kwargs), entrywise, apart, QUICK)


def undecided(name, place):
    fact = rate(name, place)
    assert fact.finding.startswith("not decided: ")
    assert fact.number is None
    return fact.finding


@pytest.mark.parametrize(("entrywise", "apart"), [(True, True), (False, True), (False, False), (True, False)])
@pytest.mark.parametrize("cls", [torch.optim.Adam, NewMemory])
def test_a_fleet_is_its_runs_alone(cls, entrywise, apart):
    examined, lrs, x0 = subject(cls), [0.01, 0.3], normal(2, 3, 5, seed=1)
    fleet = Fleet(examined, lrs, x0, 1, entrywise, apart)
    assert len(fleet.parameters) == (2 if entrywise else 6)
    assert len(fleet.optimizers) == (1 if apart else len(fleet.parameters))
    grads = [normal(2, 3, 5, seed=10 + k) for k in range(6)]
    for g in grads:
        fleet.step(lambda x, g=g: g)
    for i, lr in enumerate(lrs):
        for r in range(3):
            alone = play(examined, x0[i, r], [g[i, r] for g in grads], lr=lr)[-1]
            torch.testing.assert_close(fleet.read()[i, r], alone, rtol=1e-12, atol=1e-12)  # vector width may round


def test_a_fleet_of_norms_keeps_its_runs_apart():
    x0, g = normal(1, 2, 4, seed=1), normal(1, 2, 4, seed=2)
    own, shared = (Fleet(subject(Normalized), [0.1], x0, 1, entrywise, True) for entrywise in (False, True))
    for fleet in (own, shared):
        fleet.step(lambda x: g)
    torch.testing.assert_close((own.x - x0).norm(dim=-1), torch.full((1, 2), 0.1, dtype=F64))
    assert not torch.allclose(own.x, shared.x)


def test_a_fleet_is_read_in_eval_mode_and_scaled_from_its_first_lr():
    fleet = Fleet(subject(Averages), [0.1, 1.0], torch.zeros(2, 1, 1, dtype=F64), 1, True, True)
    for factor in (1.0, 0.5):
        fleet.scale(factor)
        fleet.step(torch.ones_like)
    torch.testing.assert_close(fleet.x.flatten(), torch.tensor([-0.15, -1.5], dtype=F64))
    torch.testing.assert_close(fleet.read().flatten(), torch.tensor([-0.125, -1.25], dtype=F64))


def test_closures_are_asked_at_the_points_where_they_are_called():
    fleet = Fleet(subject(torch.optim.LBFGS), [1.0], torch.ones(1, 2, 3, dtype=F64), 1, False, False)
    fleet.step(lambda x: x - SHIFT, lambda x: (x - SHIFT).square().sum(-1) / 2)
    torch.testing.assert_close(fleet.x, torch.full((1, 2, 3), SHIFT, dtype=F64))  # one closure would leave it at 2


def test_gradients_a_step_are_counted():
    assert on(torch.optim.SGD).asks == 1
    assert on(torch.optim.LBFGS, False, False, max_iter=4).asks == 4


def test_lr_is_obeyed_or_not():
    assert [on(cls).obeys for cls in (torch.optim.SGD, Early, Deaf)] == ["later", "argument", "no"]
    fleet = on(Early).fleet(np.array([0.1, 1.0]), torch.zeros(1, 1, 1, dtype=F64), (1,))
    fleet.step(torch.ones_like)
    torch.testing.assert_close(fleet.x.flatten(), SHIFT - torch.tensor([0.1, 1.0], dtype=F64))


def test_gradient_descent_has_its_exponents():
    place = on()
    assert exact_rates.conditioning(place, SHORT).number == pytest.approx(1, abs=0.05)
    assert exact_rates.convex(place).number == pytest.approx(1, abs=0.05)
    accuracy = rate("accuracy", place)
    assert "log(1/eps)" in accuracy.finding
    assert accuracy.number == pytest.approx(1, abs=0.1)
    decade = np.polyfit(np.log10(1 / np.array(accuracy.series["eps"])), accuracy.series["steps"], 1)[0]
    assert decade == pytest.approx(57.6, rel=0.1)  # neighbouring lr differ by 14 %


def test_a_fixed_momentum_has_not_the_exponent_of_a_tuned_one():
    assert rate("conditioning", on(momentum=0.9)).number == pytest.approx(1, abs=0.1)
    assert "flatter" in undecided("conditioning", on(momentum=0.99))


def test_the_stability_limit_is_two_over_L():
    for place, limit in ((on(), 2.0), (on(momentum=0.9), 3.8)):
        fact = rate("stability", place)
        assert fact.series["lr"] == pytest.approx([limit, limit / 100], rel=0.02)  # momentum: 600 steps see 3.79
        assert fact.number == pytest.approx(1, abs=0.01)
    assert rate("stability", on(Normalized)).number == pytest.approx(0, abs=0.01)


def test_adam_drifts_where_its_theory_says():
    fact = rate("drift", on(torch.optim.Adam))
    found = dict(zip(fact.series["n"], fact.series["drift"], strict=True))
    predicted = {n: adam_drift.drift(adam_drift.spike(n, int(n)), 0.9, 0.999) for n in found}
    assert [n for n in found if found[n] > 0] == [n for n in found if predicted[n] < 0]
    assert fact.number == min(n for n in found if predicted[n] < 0)


@pytest.mark.parametrize("place", [on(), on(torch.optim.Adam, amsgrad=True)])
def test_who_goes_to_the_right_end(place):
    fact = rate("drift", place)
    assert fact.number is None
    assert fact.finding.startswith("right end at all n")


def test_classes_are_learnt_at_the_pace_of_their_frequency_or_all_at_once():
    assert rate("frequencies", on()).number == pytest.approx(1, abs=0.05)
    assert rate("frequencies", on(torch.optim.Adam)).number == pytest.approx(0, abs=0.05)


def test_the_noise_floor_has_its_exponents():
    sgd, adam = (rate("noise floor", on(cls)) for cls in (torch.optim.SGD, torch.optim.Adam))
    assert sgd.number == pytest.approx(1, abs=0.1)
    assert adam.number == pytest.approx(1, abs=0.1)
    assert sgd.series["floor"] == pytest.approx([lr / (2 * (2 - lr)) for lr in sgd.series["lr"]], rel=0.1)  # 200 runs
    in_sigma = [np.polyfit(np.log(f.series["sigma"]), np.log(f.series["floor in sigma"]), 1)[0] for f in (sgd, adam)]
    assert in_sigma == pytest.approx([2, 1], abs=0.1)


def test_gradient_descent_in_noise():
    fact = rate("noise, strongly convex", on())
    assert fact.number == pytest.approx(0.93, abs=0.03)  # 1 in the limit
    assert max(fact.series["efficiency"]) < 1
    assert fact.series["efficiency"][1] == pytest.approx(0.746, abs=0.01)
    assert rate("noise, convex", on()).number == pytest.approx(0.5, abs=0.05)


def test_nobody_is_above_the_bayes_bound():
    with pytest.raises(noisy_rates.AboveBayes, match="Bayes bound"):
        rate("noise, strongly convex", on(Knows))


def test_an_lr_that_is_ignored_is_not_tuned():
    place = on(Deaf)
    assert "no lr" in undecided("stability", place)
    assert "no lr" in undecided("range of lr", place)
    assert "no lr" in undecided("noise floor", place)
    assert "log(1/eps)" in rate("accuracy", place).finding  # at its own step 0.5


def test_who_diverges_gets_no_number():
    for name in ("accuracy", "stability", "noise, strongly convex"):
        undecided(name, on(Ascends))
    with pytest.raises(Undecided):
        exact_rates.conditioning(on(Ascends), SHORT[:3])


def test_who_shrinks_does_not_profit():
    for name in ("accuracy", "range of lr", "noise, strongly convex", "noise, convex"):
        undecided(name, on(Shrinks))


def test_what_an_optimizer_raises_is_told():
    assert "a step raises OverflowError: too large for me" in undecided("drift", on(Raises))


def test_a_rate_ends_with_its_time():
    with pytest.raises(Undecided, match=r"too slow, .* us a step"):
        exact_rates.drift(on().within(1e-3))


def test_a_best_lr_at_the_edge_is_followed_and_then_flagged():
    def bowl(best):
        return lambda lrs: (1 + 4 * np.log10(lrs / best) ** 2).reshape(-1, 1, 1)

    grid = np.logspace(-2, 0, 7)
    assert not tuned(bowl(0.1), grid).on_edge.any()
    followed, lost = tuned(bowl(30.0), grid), tuned(bowl(1e9), grid)
    assert followed.lr[0] == pytest.approx(30, rel=0.1)
    assert not followed.on_edge.any()
    assert lost.on_edge.all()
    with pytest.raises(Undecided, match="edge of its grid"):
        lost.reached()
    with pytest.raises(Undecided, match="0 of 1"):
        tuned(lambda lrs: np.full((len(lrs), 1, 2), np.nan), grid).reached()
    width, cut = tuned(bowl(0.1), grid).width()
    assert width == pytest.approx(1, abs=0.1)  # half a decade to each side
    assert not cut


def test_every_rate_is_a_fact_of_its_part(monkeypatch):
    monkeypatch.setattr("ratewitness.studies.cards.rates.SECONDS", (1e-3, 1e-3))
    place = bench(subject(torch.optim.SGD), True, True, QUICK)
    found = [rate(name, place) for name in RATES]
    assert [fact.name for fact in found] == list(RATES)
    assert all(fact.part == "rates" and "too slow" in fact.finding for fact in found)
