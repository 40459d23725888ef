"""Both adapters between torch.optim and the solvers: they repeat what they adapt, purely, batched, and after a restart."""

import copy
import io
import math
from dataclasses import replace

import pytest
import pytorch_optimizer
import torch
from catalogue import GRADIENT, names, of_lr
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.from_torch import ENTRYWISE, FromTorch
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import run
from scripted import Scripted, gradients, path, tensors, torch_path
from torch import nn
from torch.optim import lr_scheduler

OF_TORCH = {
    **{cls.__name__: (cls, {}) for cls in ENTRYWISE},
    "SGD with momentum": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "AMSGrad": (torch.optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    "centered RMSprop": (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    "Muon": (torch.optim.Muon, {}),
    "Adafactor": (torch.optim.Adafactor, {}),
    "Lion": (pytorch_optimizer.Lion, {"betas": (0.8, 0.9)}),
    "Shampoo": (pytorch_optimizer.Shampoo, {"weight_decay": 0.1}),  # changes the gradients it is given
    "Prodigy": (pytorch_optimizer.Prodigy, {}),  # counts its steps in the param groups
}
every_optimizer = pytest.mark.parametrize("name", sorted(OF_TORCH))


def from_torch(name, lr=0.1):
    cls, options = OF_TORCH[name]
    return FromTorch(cls, lr, options, ndim=2)


def same_steps(a, b):
    """Equal but for rounding: torch fuses multiply-adds in some places of a tensor and not in others, with its length.

    Each of at most 8 steps here rounds a dozen times, on iterates that a step of normalized length moves.
    """
    torch.testing.assert_close(a, b, rtol=0, atol=100 * torch.finfo(a.dtype).eps * float(b.abs().max()))


@every_optimizer
def test_a_batch_is_what_torch_does_with_each_replicate(name):
    g, x0 = gradients(6, 2, 3, 4, 5, spread=2.0), gradients(1, 2, 3, 4, 5, seed=1)[0]
    cls, options = OF_TORCH[name]
    together = path(from_torch(name), g, x0)
    assert (together[-1] - x0).abs().amax((-1, -2)).min() > 1e-9
    for i in range(2):
        for j in range(3):
            same_steps(together[:, i, j], torch_path(cls, g[:, i, j], x0[i, j], lr=0.1, **options))


@pytest.mark.parametrize("cls", sorted(ENTRYWISE, key=lambda cls: cls.__name__))
def test_a_folded_batch_is_one_parameter_per_replicate(cls):
    """A class derived from an entrywise one is not known to be so, and is built for each replicate."""
    derived, g = type("Derived", (cls,), {}), gradients(8, 3, 4, spread=2.0)
    x = torch.ones(3, 4)
    assert [len(FromTorch(c, 0.1).init(x).optimizers) for c in (cls, derived)] == [1, 3]
    same_steps(path(FromTorch(cls, 0.1), g), path(FromTorch(derived, 0.1), g))


def test_what_couples_entries_would_differ_if_folded():
    """Adafactor on the stack of three matrices is not Adafactor on each."""
    g, x0 = gradients(6, 3, 4, 5), torch.ones(3, 4, 5, dtype=torch.float64)
    folded = torch_path(torch.optim.Adafactor, g, x0, lr=0.1)
    assert (path(from_torch("Adafactor"), g, x0) - folded).abs().max() > 1e-6


def remembered(state):
    """The tensors of a memory, and everything else in its param groups."""
    groups = [group for optimizer in state.optimizers for group in optimizer.param_groups]
    numbers = [{name: value for name, value in group.items() if name != "params"} for group in groups]
    return tensors([vars(optimizer) for optimizer in state.optimizers]), copy.deepcopy(numbers)


@every_optimizer
def test_a_step_is_pure(name):
    """Nothing changes in place, the gradient neither, and a repeated step gives the same."""
    solver, g = from_torch(name), gradients(4, 3, 4, 5)
    x = torch.ones(3, 4, 5, dtype=torch.float64)
    state = solver.init(x)
    for G in g:
        kept, numbers = remembered(state)
        before = [t.clone() for t in (x, G, *kept)]
        new, after = solver.step(x, state, Scripted([G]))
        again, again_after = solver.step(x, state, Scripted([G]))
        assert all(torch.equal(a, b) for a, b in zip((x, G, *remembered(state)[0]), before, strict=True))
        assert remembered(state)[1] == numbers
        assert torch.equal(new, again)
        assert all(map(torch.equal, remembered(after)[0], remembered(again_after)[0]))
        x, state = new, after
    assert state.k == 4


@every_optimizer
def test_the_precision_is_kept(name):
    x = torch.ones(2, 4, 5)
    new, _ = from_torch(name).step(x, from_torch(name).init(x), Scripted([gradients(1, 2, 4, 5)[0].float()]))
    assert new.dtype == torch.float32


PAIRS = [
    (FromTorch(torch.optim.SGD, 0.1), GradientDescent(0.1)),
    (FromTorch(torch.optim.SGD, 0.1, {"momentum": 0.7}), HeavyBall(0.1, 0.7)),
    (FromTorch(torch.optim.Adam, 0.1, {"betas": (0.8, 0.95)}), Adam(0.1, 0.8, 0.95)),
    (FromTorch(torch.optim.Adam, 0.1, {"amsgrad": True}), AMSGrad(0.1)),
    (FromTorch(torch.optim.AdamW, InversePower(0.1), {"weight_decay": 0.3}), AdamW(InversePower(0.1), weight_decay=0.3)),
    (FromTorch(torch.optim.Adagrad, 0.1), AdaGrad(0.1, eps_inside=False)),
    (FromTorch(torch.optim.Adadelta, 0.5, {"rho": 0.8}), AdaDelta(0.5, 0.8)),
    (FromTorch(torch.optim.RMSprop, 0.1), RMSProp(0.1, 0.99, 1e-8, eps_inside=False)),
    (FromTorch(pytorch_optimizer.Lion, 0.1), Lion(0.1)),
    (FromTorch(pytorch_optimizer.SignSGD, 0.1, {"momentum": 0.6}), SignSGD(0.1, 0.6)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(pair[1]).__name__)
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_an_optimizer_of_torch_is_the_solver_of_its_name(pair, seed):
    g, x0 = gradients(20, 3, 4, seed=seed, spread=3.0), gradients(1, 3, 4, seed=seed + 1)[0]
    theirs, ours = (path(solver, g, x0) for solver in pair)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-13 * float(ours.abs().max()))


@pytest.mark.parametrize("cls", [torch.optim.Adam, type("Derived", (torch.optim.Adam,), {})])
def test_a_sweep_equals_single_runs(cls):
    """lr varies along the first axis, beta2 along the second, decay along both; a rule of tensors too."""
    g, x0 = gradients(6, 2, 3, 4, 5), gradients(1, 2, 3, 4, 5, seed=1)[0]
    lr, beta2 = (
        torch.tensor([0.1, 0.3])[:, None, None, None].double(),
        torch.tensor([0.9, 0.99, 0.5])[:, None, None].double(),
    )
    decay = torch.arange(6.0).reshape(2, 3, 1, 1)

    def build(lr, beta2, decay):
        return FromTorch(cls, InversePower(lr), {"betas": (0.5, beta2), "weight_decay": decay}, ndim=2)

    seen = path(build(lr, beta2, decay), g, x0)
    for i in range(2):
        for j in range(3):
            single = path(build(float(lr[i]), float(beta2[j]), float(decay[i, j])), g[:, i, j], x0[i, j])
            same_steps(seen[:, i, j], single)


def test_a_diverged_replicate_is_nan_alone():
    g = gradients(3, 3, 4, 5)
    clean = {name: path(from_torch(name), g) for name in ("Adam", "Adafactor")}
    g[0, 1] = math.nan
    for name, expected in clean.items():
        seen = path(from_torch(name), g)
        assert seen[:, 1].isnan().all()
        same_steps(seen[:, [0, 2]], expected[:, [0, 2]])


def test_a_run_counts_one_gradient_a_step_and_converges():
    problem = quadratic(torch.tensor([1.0, 0.5, 0.1]), torch.ones(3))
    solver = FromTorch(torch.optim.SGD, 1.0, {"momentum": 0.5})
    trace = run(solver, Oracle.full(problem), problem.starts(5), 150, problem.gap, at=[0, 150])
    assert trace.calls == [0, 150]
    assert (trace.values[-1] < 1e-10 * trace.values[0]).all()


def test_an_adapted_optimizer_prints_its_hyperparameters():
    shown = repr(FromTorch(torch.optim.AdamW, 0.1, {"betas": (0.8, 0.9)}))
    assert all(part in shown for part in ("AdamW", "lr=0.1", "'betas': (0.8, 0.9)"))


SOLVERS = {name: of_lr(name, 2, low=-1.0, high=1.0) for name in names(asks=GRADIENT, elsewhere=False, ndim=2)}


@pytest.mark.parametrize("lr", [0.1, InversePower(0.1)], ids=["number", "rule"])
# the first has another name for its rule, the other has no lr
@pytest.mark.parametrize("name", sorted(SOLVERS.keys() - {"adamw of the paper", "dog"}))
def test_a_solver_comes_back_from_torch_as_it_was(name, lr):
    """solver -> optimizer -> solver, on a batch of matrices; the lr of the outermost counts."""
    g, x0 = gradients(8, 3, 4, 2), gradients(1, 3, 4, 2, seed=1)[0]
    again = FromTorch(ToTorch, lr, {"solver": SOLVERS[name](0.7)}, ndim=2)
    torch.testing.assert_close(path(again, g, x0), path(SOLVERS[name](lr), g, x0), rtol=1e-12, atol=1e-13)


def network(dtype=torch.float64):
    """Parameters of shapes (6, 3), (6,), (2, 6), (2,) and a number."""
    torch.manual_seed(0)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
            self.scale = nn.Parameter(torch.tensor(0.5))

        def forward(self, x):
            return self.scale * self.layers(x)

    return Scaled().to(dtype)


INPUTS = gradients(30, 3, seed=3, spread=0.0)
TARGETS = torch.stack([INPUTS.sum(-1).sin(), INPUTS[:, 0] ** 2], -1)


def train(build, steps=20, scheduler=None, module=None, closure=True):
    """The module, its optimizer and the losses after some steps on one batch."""
    module = network() if module is None else module
    optimizer = build(module)
    plan, losses = scheduler(optimizer) if scheduler else None, []

    def loss():
        optimizer.zero_grad()
        value = (module(INPUTS.to(module.scale.dtype)) - TARGETS.to(module.scale.dtype)).square().mean()
        value.backward()
        return value

    for _ in range(steps):
        if closure:
            losses.append(optimizer.step(loss).item())
        else:
            losses.append(loss().item())
            optimizer.step()
        if plan:
            plan.step()
    return module, optimizer, losses


def vector(module):
    return nn.utils.parameters_to_vector(module.parameters()).detach()


def same(a, b, tol=1e-12):
    torch.testing.assert_close(vector(a), vector(b), rtol=tol, atol=tol)


TRAINERS = [
    (Adam(0.02), lambda p: torch.optim.Adam(p, 0.02)),
    (AdamW(0.02, weight_decay=0.1), lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.1)),
    (HeavyBall(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    (GradientDescent(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    (CoupledDecay(AMSGrad(0.02), 0.1), lambda p: torch.optim.Adam(p, 0.02, amsgrad=True, weight_decay=0.1)),
    # with eps 1e-8 the steps lr/sqrt(v) of one parameter come to 5 in units of 1/curvature, stable below 2, and its rounding
    # grows fourfold a step; 5e-3 keeps them below 1.5
    (RMSProp(0.01, 0.9, 5e-3, eps_inside=False), lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=5e-3)),
]
every_trainer = pytest.mark.parametrize(("solver", "theirs"), TRAINERS, ids=[type(s).__name__ for s, _ in TRAINERS])


@every_trainer
@pytest.mark.parametrize("closure", [True, False])
def test_a_network_trains_as_under_torch(solver, theirs, closure):
    ours, _, losses = train(lambda m: ToTorch(m.parameters(), solver), closure=closure)
    reference, _, expected = train(lambda m: theirs(m.parameters()), closure=closure)
    same(ours, reference)
    torch.testing.assert_close(losses, expected, rtol=1e-11, atol=0)
    assert losses[-1] < 0.8 * losses[0]


SCHEDULERS = [
    lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    lambda o: lr_scheduler.CosineAnnealingLR(o, 20, 1e-3),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=30, cycle_momentum=False),
    lambda o: lr_scheduler.LambdaLR(o, lambda k: 1 / (k + 1)),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(
    ("solver", "theirs"),
    [(solver, theirs) for solver, theirs in TRAINERS if not isinstance(solver, HeavyBall)],  # Polyak's form is not torch's
    ids=lambda solver: type(solver).__name__,
)
def test_schedulers_set_the_step(solver, theirs, scheduler):
    ours, optimizer, _ = train(lambda m: ToTorch(m.parameters(), solver), 12, scheduler)
    reference, expected, _ = train(lambda m: theirs(m.parameters()), 12, scheduler)
    same(ours, reference)
    assert optimizer.param_groups[0]["lr"] == expected.param_groups[0]["lr"]


def test_a_scheduler_multiplies_a_rule_and_writes_into_a_tensor_of_its_own():
    inverse = lambda o: lr_scheduler.LambdaLR(o, lambda k: 1 / (k + 1))  # noqa: E731
    reference, _, _ = train(lambda m: ToTorch(m.parameters(), AdamW(lambda k: 0.1 / (k + 1) ** 1.5)))
    scaled, optimizer, _ = train(lambda m: ToTorch(m.parameters(), AdamW(InversePower(0.1))), scheduler=inverse)
    same(scaled, reference)
    assert optimizer.param_groups[0]["lr"] == 1 / 21
    lr = torch.tensor(0.1, dtype=torch.float64)
    by_tensor, _, _ = train(lambda m: ToTorch(m.parameters(), AdamW(lr)), scheduler=inverse)
    same(by_tensor, train(lambda m: ToTorch(m.parameters(), AdamW(0.1)), scheduler=inverse)[0])
    assert lr == 0.1


def test_groups_have_their_own_solver_and_lr():
    def ours(m):
        return ToTorch(
            [
                {"params": m.layers[0].parameters()},
                {"params": [m.layers[2].weight], "lr": 0.01},
                {"params": [m.layers[2].bias], "solver": HeavyBall(0.05, 0.5)},
                {"params": [m.scale], "solver": Box(GradientDescent(InversePower(0.1)), 0.0, 0.6), "lr": 0.2},
            ],
            Adam(0.02),
        )

    module, optimizer, _ = train(ours, 8)
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.01, 0.05, 0.2]

    class Theirs:
        def __init__(self, m):
            self.scale = m.scale
            first, last = m.layers[0].parameters(), [{"params": [m.layers[2].weight], "lr": 0.01}]
            self.all = [
                torch.optim.Adam([{"params": first}, *last], 0.02),
                torch.optim.SGD([m.layers[2].bias], 0.05, momentum=0.5),
                torch.optim.SGD([m.scale], 0.2),
            ]

        def zero_grad(self):
            for optimizer in self.all:
                optimizer.zero_grad()

        def step(self):
            for optimizer in self.all:
                optimizer.step()
            self.scale.data.clamp_(0.0, 0.6)

    same(module, train(Theirs, 8, closure=False)[0])


def test_the_lr_of_the_optimizer_replaces_that_of_its_solvers():
    expected = train(lambda m: ToTorch(m.parameters(), Box(Adam(InversePower(0.1)), -1.0, 1.0)))[0]
    same(train(lambda m: ToTorch(m.parameters(), Box(Adam(7.0), -1.0, 1.0), lr=InversePower(0.1)))[0], expected, 0)


def restarted(build, change):
    """Train 7 steps, put the optimizer's memory through `change`, train 5 more; and 12 in one go."""
    module, first, _ = train(build, 7)
    saved = change(first.state_dict())

    def resume(m):
        optimizer = build(m)
        optimizer.load_state_dict(saved)
        return optimizer

    return train(resume, 5, module=module), train(build, 12)


def through_a_file(state_dict):
    """torch.load accepts by default nothing but numbers, strings, tensors and containers of them."""
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# without those for matrices only, and the one that keeps an object and no plain numbers
PLAIN = [name for name in names(ndims=(1, 2)) if name in SOLVERS and name != "torch's adam"]
ANYWHERE = {name: SOLVERS[name](0.1) for name in PLAIN if not hasattr(SOLVERS[name](0.1), "norm")} | {
    "rule": GradientDescent(InversePower(0.1)),
    "nesterov": Nesterov(0.05),
    "lbfgs": LBFGS(0.3, memory=3, scale=0.1),
    "average": PolyakRuppert(Adam(0.05), skip_start=3),
    "sam": SAM(Adam(0.05), 0.05, p=3.0),
}


@pytest.mark.parametrize("solver", ANYWHERE.values(), ids=ANYWHERE)
def test_a_restart_changes_nothing(solver):
    (module, optimizer, losses), (expected, reference, all_losses) = restarted(
        lambda m: ToTorch(m.parameters(), solver), through_a_file
    )
    assert torch.equal(vector(module), vector(expected))
    assert losses == all_losses[7:]
    assert str(optimizer.state_dict()) == str(reference.state_dict())


def test_a_restart_keeps_the_schedule():
    build, scheduler = lambda m: ToTorch(m.parameters(), AdamW(0.1)), lambda o: lr_scheduler.StepLR(o, 2, 0.5)
    _, optimizer, _ = train(build, 6, scheduler)
    again = build(network())
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == 0.1 / 8
    assert again.param_groups[0]["initial_lr"] == 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loading_copies_and_casts_as_torch_does(dtype):
    _, optimizer, _ = train(lambda m: ToTorch(m.parameters(), Adam(0.1)), 3)
    saved, module = optimizer.state_dict(), network(dtype)
    loaded = ToTorch(module.parameters(), Adam(0.1))
    loaded.load_state_dict(saved)
    m = loaded.state[module.scale]["memory"].m
    assert m.dtype == dtype
    m.fill_(9.0)
    assert optimizer.state_dict()["state"][0]["memory"][0] != 9.0
    train(lambda _: loaded, 1, module=module)
    assert module.scale.dtype == dtype


class Remembering(GradientDescent):
    """A step along the sum of this gradient and the last, which it keeps."""

    def init(self, x):
        return (torch.zeros_like(x),)

    def step(self, x, state, oracle):
        g = oracle.grad(x)
        return x - self.lr * (g + state[0]), (g,)


def test_a_gradient_that_is_set_to_zero_in_place_stays_with_a_solver_that_keeps_it():
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = ToTorch([weight], Remembering(1.0))
    for g in (1.0, 10.0):
        optimizer.zero_grad(set_to_none=False)
        (g * weight).sum().backward()
        optimizer.step()
    assert weight.tolist() == [-12.0, -12.0]


def test_a_deep_copy_goes_on_alone():
    module, optimizer, _ = train(lambda m: ToTorch(m.parameters(), CoupledDecay(Adam(0.05), 0.1)), 5)
    other, twin = copy.deepcopy((module, optimizer))
    held = vector(module)
    train(lambda _: twin, 3, module=other)
    assert torch.equal(vector(module), held)
    train(lambda _: optimizer, 3, module=module)
    assert torch.equal(vector(module), vector(other))


def test_parameters_without_gradient_are_skipped():
    module = network()
    module.layers[0].weight.requires_grad_(False)
    held = module.layers[0].weight.clone()
    _, optimizer, _ = train(lambda m: ToTorch(m.parameters(), Adam(0.1)), 3, module=module)
    assert torch.equal(module.layers[0].weight, held)
    assert module.layers[0].weight not in optimizer.state
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in module.parameters())
    held = vector(module)
    assert optimizer.step() is None
    assert torch.equal(vector(module), held)


def as_a_vector(solver, module, steps):
    """All parameters after some steps of the solver itself, on the same loss as a function of one vector."""
    shapes = {name: parameter.shape for name, parameter in module.named_parameters()}

    def loss(x):
        parts = x.split([shape.numel() for shape in shapes.values()])
        parts = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return (torch.func.functional_call(module, parts, INPUTS) - TARGETS).square().mean()

    class Loss:
        def grad(self, x, redraw=True):
            return torch.func.grad(loss)(x)

    x = vector(module)
    state = solver.init(x)
    for _ in range(steps):
        x, state = solver.step(x, state, Loss())
    return x


@pytest.mark.parametrize(
    "solver",
    [Nesterov(0.05), Nesterov(0.05, 0.8), PolyakRuppert(HeavyBall(0.05, 0.5)), CoupledDecay(Nesterov(0.05), 0.1), Adam(0.1)],
    ids=repr,
)
def test_gradients_elsewhere_are_those_of_all_parameters_jointly(solver):
    """An entrywise method on the parameters is itself on the vector of them all."""
    module, _, _ = train(lambda m: ToTorch(m.parameters(), solver), 10)
    torch.testing.assert_close(vector(module), as_a_vector(solver, network(), 10), rtol=1e-11, atol=1e-12)


def test_two_evaluations_in_one_step():
    """L-BFGS of one parameter asks at x and at the next x, on one sample."""
    module = network()
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name == "layers.0.weight")
    weight, solver = module.layers[0].weight, LBFGS(0.3, scale=0.2, ndim=2)
    start = copy.deepcopy(module)
    train(lambda m: ToTorch(m.parameters(), replace(solver, ndim=1)), 10, module=module)

    class Loss:
        def grad(self, x, redraw=True):
            start.layers[0].weight.data.copy_(x)
            start.zero_grad()
            with torch.enable_grad():
                (start(INPUTS) - TARGETS).square().mean().backward()
            return start.layers[0].weight.grad.clone()

    x = start.layers[0].weight.detach().clone()
    state = solver.init(x)
    for _ in range(10):
        x, state = solver.step(x, state, Loss())
    torch.testing.assert_close(weight.detach(), x, rtol=1e-11, atol=1e-12)


def two_numbers(solvers):
    """f(a, b) = (a^2 + a b + 2 b^2)/2 + a b from (1, 1), each number with its own solver, 6 steps."""
    a, b = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    optimizer = ToTorch([{"params": [p], "solver": s} for p, s in zip((a, b), solvers, strict=True)], solvers[0])

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = (a**2 + 3 * a * b + 2 * b**2).sum() / 2
        loss.backward()
        return loss

    for _ in range(6):
        optimizer.step(closure)
    return a.item(), b.item()


def test_different_solvers_share_one_joint_gradient():
    """Gradient descent in a at the point where Nesterov's method asks in b."""
    a = b = y = 1.0
    for _ in range(6):
        ga, gb = a + 1.5 * y, 1.5 * a + 2 * y
        new = y - 0.1 * gb
        a, y, b = a - 0.05 * ga, new + 0.5 * (new - b), new
    assert two_numbers([GradientDescent(0.05), Nesterov(0.1, 0.5)]) == pytest.approx((a, b), rel=1e-13)


def test_a_number_and_a_norm():
    """A number is a vector of one entry for a solver that has `ndim`; a matrix is one point."""
    a = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    W = nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    optimizer = ToTorch([a, W], AdaGradNorm(0.5, eps=0.0))
    a.grad, W.grad = torch.tensor(-3.0, dtype=torch.float64), gradients(1, 2, 3)[0]
    optimizer.step()
    assert a.item() == 2.5
    torch.testing.assert_close(W.detach(), 1 - 0.5 * W.grad / W.grad.norm(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("to_none", [True, False])
def test_the_parameters_and_gradients_are_back_after_an_evaluation_elsewhere(to_none):
    """Nothing has moved where the second evaluation fails; after a good one the gradient is that of the start."""
    module, optimizer, _ = train(lambda m: ToTorch(m.parameters(), Nesterov(0.05)), 3)
    held, calls = vector(module), 0

    def closure(fails):
        nonlocal calls
        calls += 1
        if fails and calls == 2:
            raise ArithmeticError
        optimizer.zero_grad(to_none)
        loss = (module(INPUTS) - TARGETS).square().mean()
        loss.backward()
        return loss

    with pytest.raises(ArithmeticError):
        optimizer.step(lambda: closure(True))
    assert torch.equal(vector(module), held)
    closure(False)
    expected = [parameter.grad.clone() for parameter in module.parameters()]
    calls = 0
    optimizer.step(lambda: closure(False))
    assert calls == 2
    assert all(torch.equal(p.grad, g) for p, g in zip(module.parameters(), expected, strict=True))
    assert not torch.equal(vector(module), held)


def test_an_adapted_optimizer_trains_a_network_again():
    """optimizer -> solver -> optimizer."""
    adapted, _, _ = train(lambda m: ToTorch(m.parameters(), FromTorch(torch.optim.AdamW, 0.02)))
    same(adapted, train(lambda m: torch.optim.AdamW(m.parameters(), 0.02))[0], 0)


def test_a_scheduler_reaches_an_optimizer_of_torch_inside():
    def path(optimizer):
        parameter = nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = optimizer([parameter])
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        for _ in range(10):
            optimizer.zero_grad()
            parameter.pow(4).sum().backward()
            optimizer.step()
            scheduler.step()
        return parameter.detach()

    theirs = path(lambda parameters: torch.optim.NAdam(parameters, 0.1))
    ours = path(lambda parameters: ToTorch(parameters, FromTorch(torch.optim.NAdam, 0.1)))
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=0)
