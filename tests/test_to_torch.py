"""Solvers as optimizers of torch: half precision, parameters by name, hooks."""

import copy
import io

import pytest
import pytorch_optimizer as wild
import torch
from catalogue import GRADIENT, build, names
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.nesterov import Nesterov
from scripted import Scripted, gradients, path, tensors, walk
from torch import nn

HALF = [torch.float16, torch.bfloat16]
every_half = pytest.mark.parametrize("dtype", HALF, ids=str)
# "layerwise" is for vectors of four entries
EVERYWHERE = [(name, ndim) for ndim in (1, 2) for name in names(asks=GRADIENT, ndim=ndim) if name != "layerwise"]


def stepped(optimizer, parameters, g):
    """Steps of a closure that gives one gradient after another, each to all parameters."""
    for G in g:

        def closure(G=G):
            for p in parameters:
                p.grad = G.to(p.dtype).expand(p.shape).clone()
            return 0.0

        closure()
        optimizer.step(closure)


# half precision


@every_half
@pytest.mark.parametrize(("name", "ndim"), EVERYWHERE)
def test_a_zero_gradient_in_half_precision_is_no_nan(name, ndim, dtype):
    """With the eps of every solver: 1e-8 is 0 in float16, and so is the square of 1e-4."""
    w = nn.Parameter(torch.ones((4, 5)[2 - ndim :], dtype=dtype))
    optimizer = ToTorch([w], build(name, ndim))
    stepped(optimizer, [w], torch.tensor([0.0, 0.0, 1e-4, 0.0]))
    assert w.dtype == dtype
    assert w.isfinite().all()


@pytest.mark.parametrize(("name", "ndim"), EVERYWHERE)
def test_float32_stays_float32(name, ndim):
    x = torch.ones((4, 5)[2 - ndim :])
    oracle = Scripted(gradients(12, *x.shape).float())
    assert walk(build(name, ndim), oracle, x, 4)[-1].dtype == torch.float32


@every_half
@pytest.mark.parametrize("solver", [Adam(1e-3), FromTorch(torch.optim.Adam, 1e-3)], ids=["ours", "torch's"])
def test_the_steady_step_in_half_precision_is_right(solver, dtype):
    """Adam moves by lr on a constant gradient, also where lr is below half the spacing at 1, 2^-8 in bfloat16."""
    w = nn.Parameter(torch.ones(2, dtype=dtype))
    stepped(ToTorch([w], solver), [w], torch.full((400,), 0.1))
    assert w.tolist() == pytest.approx([0.6, 0.6], abs=2**-9)


def test_without_the_adapter_it_stalls():
    """The solver itself on bfloat16: the parameter stays at 1 under 400 steps of a thousandth."""
    x = torch.ones(2, dtype=torch.bfloat16)
    assert torch.equal(path(Adam(1e-3), torch.full((400, 2), 0.1, dtype=torch.bfloat16), x)[-1], x)


def test_a_half_parameter_that_others_change_goes_on_from_there():
    w = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    optimizer = ToTorch([w], GradientDescent(1e-3))
    stepped(optimizer, [w], torch.ones(1))
    assert optimizer.state[w]["point"].tolist() == pytest.approx([0.999, 0.999])
    w.data.fill_(3.0)
    stepped(optimizer, [w], torch.ones(1))
    assert optimizer.state[w]["point"].tolist() == pytest.approx([2.999, 2.999])
    again = ToTorch([w], GradientDescent(1e-3))
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    stepped(again, [w], torch.ones(1))
    assert again.state[w]["point"].tolist() == pytest.approx([2.998, 2.998])


def through_a_file(state_dict):
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@every_half
@pytest.mark.parametrize(
    "solver", [AdamW(0.01), Nesterov(0.1), FromTorch(wild.AdaBelief, 0.01)], ids=["adamw", "nesterov", "wild"]
)
def test_a_load_into_half_precision_goes_on(solver, dtype):
    """Small second moments are kept; squares of 1e-4 are 0 in float16."""
    g = 1e-4 * gradients(9, 3, spread=1.0)
    whole, half = (nn.Parameter(torch.zeros(3, dtype=d)) for d in (torch.float64, dtype))
    first, second = (ToTorch([w], solver) for w in (whole, half))
    stepped(first, [whole], g[:5])
    half.data.copy_(whole)
    second.load_state_dict(through_a_file(first.state_dict()))
    stepped(first, [whole], g[5:])
    stepped(second, [half], g[5:])
    # five roundings of the parameter and of the gradient, which makes a hundredth of a step
    torch.testing.assert_close(half.double(), whole.data, rtol=0, atol=0.05 * float(whole.data.abs().max()))
    assert {t.dtype for t in tensors(second.state_dict()["state"])} <= {torch.float32}  # an object has none


# names


def two_layers(order):
    """Two layers of one shape, by name, in some order."""
    torch.manual_seed(0)
    layers = {"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}
    return [(f"{layer}.{name}", p) for layer in order for name, p in layers[layer].named_parameters()]


def moved(named, optimizer, steps, seed):
    for G in gradients(steps, 2, 2, seed=seed).float():
        for name, p in named:
            p.grad = (1 + len(named) * ("b" in name)) * G if p.ndim == 2 else G[0].clone()
        optimizer.step()


def test_a_load_goes_by_name_where_there_are_names():
    here, there = two_layers("ab"), two_layers("ba")
    first = ToTorch(here, AdamW(0.1))
    moved(here, first, 4, seed=1)
    second = ToTorch(there, AdamW(0.1))
    for name, p in there:
        p.data.copy_(dict(here)[name])
    second.load_state_dict(through_a_file(first.state_dict()))
    assert second.param_groups[0]["param_names"] == [name for name, _ in there]
    moved(here, first, 4, seed=2)
    moved(there, second, 4, seed=2)
    for name, p in there:
        assert torch.equal(p, dict(here)[name])


def test_other_names_are_refused():
    first, second = (ToTorch([(name, nn.Parameter(torch.ones(2)))], Adam(0.1)) for name in ("scale", "shift"))
    with pytest.raises(ValueError, match="state_dict has parameters scale; accepted are shift"):
        second.load_state_dict(first.state_dict())


def test_a_refused_load_changes_nothing():
    w = nn.Parameter(torch.ones(2))
    optimizer, other = ToTorch([w], Adam(0.1)), ToTorch([nn.Parameter(torch.ones(3))], Adam(0.2))
    stepped(optimizer, [w], torch.ones(2))
    stepped(other, [p for g in other.param_groups for p in g["params"]], torch.ones(2))
    before = str(optimizer.state_dict())
    with pytest.raises(ValueError, match="state_dict holds a tensor of shape"):
        optimizer.load_state_dict(other.state_dict())
    assert str(optimizer.state_dict()) == before


# hooks


def test_hooks_around_a_step():
    """One clips the gradient before the step, one sees the parameter after it."""
    w, seen = nn.Parameter(torch.zeros(2)), []
    optimizer = ToTorch([w], HeavyBall(1.0, 0.0))
    optimizer.register_step_pre_hook(lambda *_: nn.utils.clip_grad_value_([w], 0.5))
    optimizer.register_step_post_hook(lambda *_: seen.append(w.tolist()))
    w.grad = torch.tensor([2.0, -0.25])
    optimizer.step()
    assert seen == [[-0.5, 0.25]]


def test_hooks_around_a_load_see_and_change_what_is_in_the_file():
    """One renames an old file's parameters before, one looks at the memory after."""
    old, new = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    first, second, seen = ToTorch([("w_old", old)], Adam(0.1)), ToTorch([("w", new)], Adam(0.1)), []
    stepped(first, [old], torch.ones(3))
    first.register_state_dict_post_hook(lambda _, saved: {**saved, "note": type(saved["state"][0]["memory"])})
    saved = first.state_dict()
    assert saved["note"] is list

    def renamed(_, given):
        (group,) = given["param_groups"]
        assert given["state"][0]["memory"][2] == 3
        return {**given, "param_groups": [{**group, "param_names": ["w"]}]}

    second.register_load_state_dict_pre_hook(renamed)
    second.register_load_state_dict_post_hook(lambda optimizer: seen.append(optimizer.state[new]["memory"].k))
    second.load_state_dict(saved)
    assert seen == [3]


def test_a_copy_and_a_second_load_have_no_hooks_of_the_first():
    w = nn.Parameter(torch.ones(2))
    optimizer = ToTorch([w], Adam(0.1))
    stepped(optimizer, [w], torch.ones(2))
    saved = [copy.deepcopy(optimizer).state_dict() for _ in range(2)]
    for _ in range(2):
        optimizer.load_state_dict(saved[0])
    assert str(optimizer.state_dict()) == str(saved[1])


def schedule_free(params, lr):
    return wild.ScheduleFreeWrapper(torch.optim.SGD(params, lr))


@pytest.mark.parametrize("inside", [torch.optim.SGD, schedule_free], ids=lambda inside: inside.__name__)
def test_what_is_inside_is_named_in_a_state_dict(inside):
    optimizer = ToTorch([nn.Parameter(torch.ones(2))], FromTorch(inside, 0.1))
    assert optimizer.state_dict()["param_groups"][0]["solver"] == f"FromTorch({inside.__name__})"
