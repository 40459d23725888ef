"""Optimizers of the wild as solvers: parameters that see each other, memory anywhere, closures, train and eval modes."""

import copy
import functools
import math
import pickle

import pytest
import pytorch_optimizer as wild
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.schedule_free import ScheduleFree
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import run
from scripted import Scripted, gradients, path, walk
from torch import nn


def lookahead(params, lr, k=3):
    return wild.Lookahead(torch.optim.SGD(params, lr, momentum=0.9), k=k)


def schedule_free_around_adam(params, lr):
    return wild.ScheduleFreeWrapper(torch.optim.Adam(params, lr), momentum=0.7)


def two_deep(params, lr):
    return wild.Lookahead(schedule_free_around_adam(params, lr), k=2)


class Counting(torch.optim.SGD):
    """One that divides by the number of its steps, which it counts in an attribute."""

    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.count = 0

    def step(self, closure=None):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.grad /= self.count
        return super().step(closure)


class Loudest(torch.optim.SGD):
    """One that divides every gradient by the largest entry of all."""

    def step(self, closure=None):
        every = [p for group in self.param_groups for p in group["params"]]
        largest = max(p.grad.abs().max().item() for p in every)
        for p in every:
            p.grad /= largest
        return super().step(closure)


class TwoViews(torch.optim.Optimizer):
    """One that writes momentum into half of a buffer, and reads it from a view of the whole."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        (p,) = self.param_groups[0]["params"]
        self.buffer = torch.zeros(2 * p.numel(), dtype=p.dtype)
        self.half, self.whole = self.buffer[p.numel() :], self.buffer.view(2, *p.shape)

    @torch.no_grad()
    def step(self, closure=None):
        (p,) = self.param_groups[0]["params"]
        self.half.mul_(0.9).add_(p.grad.flatten())
        p.sub_(self.param_groups[0]["lr"] * self.whole[1])


WILD = {
    **{name: (getattr(wild, name), {}) for name in ("Prodigy", "AvaGrad", "AdaGC", "AdamS", "DAdaptAdam", "DAdaptSGD")},
    **{name: (getattr(wild, name), {}) for name in ("MADGRAD", "ASGD", "GrokFastAdamW", "Lion", "SM3", "Ranger")},
    **{name: (getattr(wild, name), {}) for name in ("ScheduleFreeSGD", "ScheduleFreeAdamW", "ScheduleFreeRAdam", "SPlus")},
    "MADGRAD without momentum": (wild.MADGRAD, {"momentum": 0.0}),
    "a function": (functools.partial(torch.optim.SGD, momentum=0.5), {}),
    **{build.__name__: (build, {}) for build in (lookahead, schedule_free_around_adam, Counting, Loudest, TwoViews)},
}
every_one = pytest.mark.parametrize("name", WILD)


def adapted(name, lr=0.1):
    build, settings = WILD[name]
    return FromTorch(build, lr, settings, ndim=2)


def swaps(optimizer):
    return hasattr(optimizer, "train") and hasattr(optimizer, "eval")


def alone(build, g, x0, schedule=None, **settings):
    """What its users see: the parameter after each step, in eval mode where there is one."""
    x, seen = nn.Parameter(x0.clone()), []
    optimizer = build([x], **settings)
    base = optimizer.param_groups[0]["lr"]
    for k, G in enumerate(g):
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = base * schedule(k)
        if swaps(optimizer):
            optimizer.train()
        x.grad = G.clone()
        optimizer.step()
        if swaps(optimizer):
            optimizer.eval()
        seen.append(x.detach().clone())
    return torch.stack(seen)


STREAM = gradients(25, 3, 4, 5, seed=4, spread=2.0) + torch.tensor([3.0, 0.1, 0.0]).reshape(
    3, 1, 1
)  # drifts let Prodigy grow
START = gradients(1, 3, 4, 5, seed=1)[0]


def same(a, b):
    """Equal but for rounding, which 25 steps here do not magnify."""
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12 * float(b.abs().max()))


@every_one
def test_a_batch_is_what_the_optimizer_does_with_each_replicate(name):
    build, settings = WILD[name]
    together = path(adapted(name), STREAM, START)
    assert (together[-1] - START).abs().amax((-1, -2)).min() > 1e-9
    for i in range(3):
        same(together[:, i], alone(build, STREAM[:, i], START[i], lr=0.1, **settings))


@pytest.mark.parametrize("name", ["Prodigy", "AvaGrad", "AdaGC", "AdamS", "Loudest"])
def test_their_parameters_do_see_each_other(name):
    """One optimizer of all replicates is another method: what the adapter must not build."""
    build, settings = WILD[name]
    xs = [nn.Parameter(x.clone()) for x in START]
    optimizer = build(xs, lr=0.1, **settings)
    for G in STREAM:
        for x, g in zip(xs, G, strict=True):
            x.grad = g.clone()
        optimizer.step()
    apart = path(adapted(name), STREAM, START)[-1]
    assert (torch.stack(xs).detach() - apart).abs().max() > 1e-6


@every_one
def test_a_step_changes_nothing_and_repeats(name):
    solver, x = adapted(name), START
    state = solver.init(x)
    for G in STREAM[:6]:
        before = pickle.dumps(state)
        new, after = solver.step(x, state, Scripted([G]))
        again, _ = solver.step(x, state, Scripted([G]))
        assert torch.equal(new, again)
        assert pickle.dumps(state) == before
        x, state = new, after


@every_one
@pytest.mark.parametrize("kept", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))], ids=["copied", "pickled"])
def test_a_memory_is_kept_whole(name, kept):
    """Also what torch's own copy of an optimizer leaves out: its attributes, and the optimizers inside."""
    solver, x = adapted(name), START
    state = solver.init(x)
    for G in STREAM[:4]:
        x, state = solver.step(x, state, Scripted([G]))
    y, other = x.clone(), kept(state)
    for G in STREAM[4:8]:
        x, state = solver.step(x, state, Scripted([G]))
        y, other = solver.step(y, other, Scripted([G]))
        assert torch.equal(x, y)


@pytest.mark.parametrize("name", ["ASGD", "GrokFastAdamW", "MADGRAD", "Prodigy", "lookahead", "ScheduleFreeSGD"])
def test_a_rule_is_the_scheduler_of_an_optimizer(name):
    """A scheduler multiplies the lr that an optimizer holds, which GrokFast has divided by three."""
    build, settings = WILD[name]
    seen = path(adapted(name, InversePower(0.1)), STREAM, START)
    for i in range(3):
        same(seen[:, i], alone(build, STREAM[:, i], START[i], lambda k: (k + 1) ** -0.5, lr=0.1, **settings))


def test_an_optimizer_that_sets_its_lr_keeps_it():
    solver, x = adapted("ASGD"), START
    state = solver.init(x)
    for G in STREAM[:3]:
        x, state = solver.step(x, state, Scripted([G]))
    held = {optimizer.param_groups[0]["lr"] for optimizer in state.optimizers}
    assert len(held) == 3
    assert 0.1 not in held


def test_a_rule_that_changes_for_some_leaves_the_others_alone():
    """ASGD sets its own lr; it is told another where the rule changes, and not where it is constant."""
    falling = torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64).reshape(3, 1, 1)
    seen = path(FromTorch(wild.ASGD, lambda k: 0.1 / (k + 1) ** falling, ndim=2), STREAM, START)
    constant, ruled = (path(adapted("ASGD", lr), STREAM, START) for lr in (0.1, InversePower(0.1)))
    same(seen[:, [0, 2]], constant[:, [0, 2]])
    same(seen[:, 1], ruled[:, 1])
    assert (constant - ruled).abs().amax((0, 2, 3)).min() > 1e-6


def test_a_sweep_of_any_optimizer_equals_single_runs():
    """lr along the first axis, a beta along the second."""
    g, x0 = gradients(6, 2, 3, 4, 5), gradients(1, 2, 3, 4, 5, seed=1)[0]
    lr, beta = torch.tensor([0.1, 0.3]).reshape(2, 1, 1, 1), torch.tensor([0.9, 0.99, 0.5]).double().reshape(3, 1, 1)
    for build in (wild.GrokFastAdamW, wild.Prodigy):
        seen = path(FromTorch(build, InversePower(lr.double()), {"betas": (0.8, beta)}, ndim=2), g, x0)
        for i in range(2):
            for j in range(3):
                single = FromTorch(build, InversePower(float(lr.double()[i])), {"betas": (0.8, float(beta[j]))}, ndim=2)
                same(seen[:, i, j], path(single, g[:, i, j], x0[i, j]))


# closures


def sam(params, lr):
    return wild.SAM(params, torch.optim.SGD, rho=0.2, lr=lr, momentum=0.5)


CURVATURES = torch.tensor([1.0, 0.3, 0.05], dtype=torch.float64)
BOWL = quadratic(CURVATURES, torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))


def of_torch(build, x0, steps, before=False):
    """The path of an optimizer on BOWL by a closure; before: SAM wants a gradient when it is called."""
    x, seen = nn.Parameter(x0.clone()), []
    optimizer = build([x])

    def closure():
        x.grad = BOWL.grad(x.detach())
        return BOWL.gap(x.detach())

    for _ in range(steps):
        if before:
            closure()
        optimizer.step(closure)
        seen.append(x.detach().clone())
    return torch.stack(seen)


def test_sam_is_served_by_a_closure():
    """Two gradients a step, no value, and this package's SAM."""
    oracle, x0 = Oracle.full(BOWL), gradients(1, 4, 3, seed=3)[0]
    seen = walk(FromTorch(sam, 0.4), oracle, x0, 12)[1:]
    assert (oracle.calls, oracle.values) == (24, 0)
    for i in range(4):
        same(seen[:, i], of_torch(functools.partial(sam, lr=0.4), x0[i], 12, before=True))
    plain = FromTorch(wild.SAM, 0.4, {"base_optimizer": torch.optim.SGD, "rho": 0.1, "perturb_eps": 0.0})
    seen, ours = (walk(solver, Oracle.full(BOWL), x0, 12) for solver in (plain, SAM(GradientDescent(0.4), 0.1)))
    torch.testing.assert_close(seen, ours, rtol=0, atol=1e-6)  # theirs takes the norm in float32


def test_the_gradients_of_a_closure_are_those_of_one_sample():
    """Two gradients a step of 0 at the same point would cancel exactly."""

    class Twice(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure):
            (p,) = self.param_groups[0]["params"]
            here, _ = p.grad.clone(), p.add_(1.0)
            closure()
            p.sub_(1.0).add_(p.grad - here)  # curvatures, whatever the noise

    generator = torch.Generator().manual_seed(0)
    oracle, x0 = Oracle.gaussian(BOWL, 5.0, generator), torch.zeros(6, 3, dtype=torch.float64)
    same(walk(FromTorch(Twice, 0.1), oracle, x0, 1)[1], CURVATURES.expand(6, 3))


@pytest.mark.parametrize("settings", [{}, {"line_search_fn": "strong_wolfe"}, {"max_iter": 3, "history_size": 2}], ids=str)
def test_lbfgs_of_torch_is_served_with_values(settings):
    """Each replicate evaluates as often as it wants, and gets what it gets alone."""
    oracle, x0 = Oracle.full(BOWL), gradients(1, 4, 3, seed=3)[0] * torch.tensor([0.0, 1e-3, 1.0, 30.0]).reshape(4, 1)
    seen = walk(FromTorch(torch.optim.LBFGS, 0.8, settings), oracle, x0, 3)[1:]
    assert oracle.values > 0
    for i in range(4):
        expected = of_torch(lambda p: torch.optim.LBFGS(p, 0.8, **settings), x0[i], 3)
        # lines are searched by differences of values, whose rounding 1e-16 is 1e-8 in x
        torch.testing.assert_close(seen[:, i], expected, rtol=0, atol=1e-7)


def test_a_step_as_long_as_the_loss_is_served_with_values():
    """AliG takes Polyak's step f/(|g|^2 + 1e-6), computed in float32."""
    oracle, x = Oracle.full(BOWL), gradients(1, 4, 3, seed=3)[0]
    seen = walk(FromTorch(wild.AliG, 0.1), oracle, x, 5)
    for k in range(5):
        g = BOWL.grad(seen[k])
        expected = seen[k] - (BOWL.gap(seen[k]) / (g.square().sum(-1) + 1e-6)).unsqueeze(-1) * g
        torch.testing.assert_close(seen[k + 1], expected, rtol=0, atol=1e-5)
    assert (oracle.calls, oracle.values) == (5, 5)


def test_values_that_an_oracle_has_not_are_refused_where_they_are_used():
    class Blind:
        def grad(self, x, redraw=True):
            return x

    x0 = torch.ones(2, 3, dtype=torch.float64)
    walk(FromTorch(sam, 0.1), Blind(), x0, 3)
    with pytest.raises(ValueError, match="an optimizer uses the loss of its closure; accepted are oracles with a value"):
        walk(FromTorch(torch.optim.LBFGS, 0.1), Blind(), x0, 3)


def test_a_closure_at_nan_ends():
    seen = walk(FromTorch(sam, 0.1), Oracle.full(BOWL), torch.tensor([[math.nan, 1, 1], [1, 1, 1]]).double(), 3)
    assert seen[1:, 0].isnan().any(-1).all()
    assert seen[:, 1].isfinite().all()


def test_an_optimizer_that_draws_before_its_closure_ends():
    class Noisy(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure):
            (p,) = self.param_groups[0]["params"]
            x = p.clone()
            p.add_(torch.randn_like(p))
            closure()
            p.copy_(x - self.param_groups[0]["lr"] * p.grad)

    seen = walk(FromTorch(Noisy, 0.1), Oracle.full(BOWL), torch.zeros(2, 3, dtype=torch.float64), 4)
    assert (seen[1:, 0] != seen[1:, 1]).all()  # each has noise of its own


def test_one_that_never_asks_again_at_the_same_point_is_refused(monkeypatch):
    monkeypatch.setattr("ratewitness.solvers.around.from_torch.MOST", 20)
    generator = torch.Generator().manual_seed(0)

    class Restless(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure):
            (p,) = self.param_groups[0]["params"]
            p.add_(torch.randn(p.shape, generator=generator))
            closure()

    with pytest.raises(ValueError, match="Restless takes no step"):
        FromTorch(Restless, 0.1)


def test_a_rule_for_what_keeps_no_lr_is_refused():
    solver = FromTorch(wild.AliG, InversePower(0.1))
    with pytest.raises(ValueError, match=r"lr changes to 0.07\d*, and AliG keeps none; accepted is one number"):
        walk(solver, Oracle.full(BOWL), torch.ones(2, 3).double(), 2)


def test_a_solver_that_looks_elsewhere_comes_back_from_torch():
    solver, x0 = Nesterov(0.5, 0.7), gradients(1, 3, 3, seed=3)[0]
    again = FromTorch(ToTorch, 0.5, {"solver": solver})
    same(walk(again, Oracle.full(BOWL), x0, 10), walk(solver, Oracle.full(BOWL), x0, 10))


def test_sam_of_torch_trains_a_module_as_itself():
    def trained(build, before):
        torch.manual_seed(0)
        module, x = nn.Linear(3, 1).double(), gradients(10, 3, spread=0.0)
        optimizer = build(module.parameters())

        def closure():
            optimizer.zero_grad()
            loss = (module(x).squeeze() - x.sum(-1).sin()).square().mean()
            loss.backward()
            return loss

        for _ in range(5):
            if before:
                closure()
            optimizer.step(closure)
        return module.weight.detach()

    def by_weight(params, lr):  # the adapter gives each parameter an optimizer of its own
        return wild.Lookahead(torch.optim.SGD(params, lr), k=2)

    ours = trained(lambda p: ToTorch(p, FromTorch(by_weight, 0.3)), False)
    same(ours, trained(lambda p: by_weight(p, 0.3), False))


# schedule-free


def test_schedule_free_is_measured_at_its_output():
    """x is the average, the gradient is asked at y; this package's method, whose first weight counts the start."""
    oracle, x0 = Oracle.full(BOWL), gradients(1, 4, 3, seed=3)[0]
    seen = walk(FromTorch(wild.ScheduleFreeSGD, 0.4), oracle, x0, 15)
    z = x = x0
    for k in range(15):
        z = z - 0.4 * BOWL.grad(0.1 * z + 0.9 * x)
        x = x + (z - x) / (k + 1)
        same(seen[k + 1], x)
    assert oracle.calls == 15
    assert BOWL.gap(seen[-1]).max() < BOWL.gap(x0).min()
    far = walk(ScheduleFree(0.4), Oracle.full(BOWL), x0, 400)[-1]
    torch.testing.assert_close(
        walk(FromTorch(wild.ScheduleFreeSGD, 0.4), Oracle.full(BOWL), x0, 400)[-1], far, atol=0.05, rtol=0
    )


def test_an_output_that_is_moved_is_where_the_next_step_begins():
    """y from the moved x and the z of before: with beta 0.9 and z = -4 after ten steps, -0.9 * 0.1 - 0.1 * 4."""
    asked = []

    class Slope:
        def grad(self, x):
            asked.append(x.clone())
            return torch.ones_like(x)

    boxed = walk(Box(FromTorch(wild.ScheduleFreeSGD, 0.4), -0.1, 0.1), Slope(), torch.zeros(1).double(), 11)
    assert boxed[-1].item() == -0.1
    assert asked[10].item() == pytest.approx(-0.9 * 0.1 - 0.1 * 4.0, rel=1e-12)


# gradients and messages


@pytest.mark.parametrize("name", ["Prodigy", "a function", "lookahead"])
def test_a_gradient_may_be_expanded_or_of_another_precision(name):
    g = gradients(5, 1, 4, 1, seed=2)
    full = path(adapted(name), g.expand(5, 3, 4, 5).contiguous(), START)
    for given in (g.expand(5, 3, 4, 5), g):
        same(path(adapted(name), given, START), full)
    assert path(adapted(name), g, START.float()).dtype == torch.float32


class Rows(torch.optim.Optimizer):
    """One that says only in a step that it wants matrices."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad / p.grad.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("build", [torch.optim.Muon, Rows], ids=lambda cls: cls.__name__)
def test_what_takes_matrices_only_says_so(build):
    with pytest.raises(ValueError, match=r"takes no points of shape \(4,\): .* trailing axes of x each; try ndim=2$"):
        FromTorch(build, 0.1).init(torch.ones(3, 4))
    FromTorch(build, 0.1, ndim=2).init(torch.ones(3, 4))


@pytest.mark.parametrize("build", [torch.optim.Adam, torch.optim.Muon, wild.Prodigy], ids=lambda cls: cls.__name__)
def test_no_replicates_are_a_batch(build):
    assert path(FromTorch(build, 0.1, ndim=2), torch.ones(3, 0, 4, 5)).shape == (3, 0, 4, 5)


def test_trying_an_optimizer_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    FromTorch(wild.Kron, 0.1, ndim=2).init(torch.ones(3, 4))
    assert torch.equal(torch.rand(3), expected)


def test_a_run_by_closure_counts_what_it_asks():
    trace = run(
        FromTorch(torch.optim.LBFGS, 1.0, {"max_iter": 4}), Oracle.full(BOWL), BOWL.starts(3), 5, BOWL.gap, at=[0, 5]
    )
    assert trace.calls[-1] > 5
    assert trace.value_queries[-1] > 0
    assert (trace.values[-1] < 1e-9).all()
