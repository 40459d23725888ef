"""Networks on rows and modules of torch as problems: values, gradients and batches against autograd and one another."""

import copy

import pytest
import torch
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import MLP, accuracy, cross_entropy, half_square, on_rows
from ratewitness.problems.networks.module import module_problem
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import flattened
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.around.layerwise import Layerwise
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.solver import hitting_times, run
from torch import nn
from torch.nn import functional as F

NET = MLP((4, 5, 3), "tanh")
SGD = GradientDescent(1.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n=12):
    inputs = torch.randn(n, 4, generator=generator(1), dtype=torch.float64)
    return inputs, torch.arange(n) % 3


def modules(*seeds):
    """Networks of torch, and their weights in the layout of ours."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        found.append(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double())
    flat = torch.stack([torch.cat([p.detach().flatten() for p in module.parameters()]) for module in found])
    return found, flat


def test_a_batch_of_networks_is_each_network_of_torch():
    inputs, y = rows()
    found, x = modules(0, 1)
    problem = on_rows(NET, inputs, y, generator(), l2=0.1)
    for module, value, g in zip(found, problem.gap(x), problem.grad(x), strict=True):
        loss = F.cross_entropy(module(inputs), y) + 0.05 * sum(p.square().sum() for p in module.parameters())
        loss.backward()
        torch.testing.assert_close(value, loss.detach())
        torch.testing.assert_close(g, torch.cat([p.grad.flatten() for p in module.parameters()]))


@pytest.mark.parametrize("targets", [False, True])
def test_networks_on_data_sets_of_their_own_are_networks_on_each(targets):
    inputs = torch.randn(2, 12, 4, generator=generator(1), dtype=torch.float64)
    y = torch.randint(3, (2, 12), generator=generator(2))
    y, loss = (F.one_hot(y, 3).double(), half_square) if targets else (y, cross_entropy)
    x, index = NET.initial(generator(3), 5, 2, dtype=torch.float64), torch.randint(12, (5, 2, 6), generator=generator(4))
    together = on_rows(NET, inputs, y, generator(), loss)
    assert together.n == 12
    for j in range(2):
        alone = on_rows(NET, inputs[j], y[j], generator(), loss)
        torch.testing.assert_close(together.gap(x)[:, j], alone.gap(x[:, j]))
        torch.testing.assert_close(together.grad(x)[:, j], alone.grad(x[:, j]))
        torch.testing.assert_close(together.sample_grad(x, index)[:, j], alone.sample_grad(x[:, j], index[:, j]))
    torch.testing.assert_close(Oracle.full(together).component_grads(x).mean(2), together.grad(x))


def test_half_square_and_accuracy():
    z = torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])
    assert half_square(z, torch.zeros(2, 2)).item() == pytest.approx((5 + 9) / 4)
    assert accuracy(z, torch.tensor([1, 1])).item() == 0.5
    torch.testing.assert_close(cross_entropy(z, torch.tensor([1, 1]))[0], F.cross_entropy(z[0], torch.tensor([1, 1])))


def test_components_average_to_the_gradient():
    inputs, y = rows()
    problem = on_rows(NET, inputs, y, generator())
    x = NET.initial(generator(3), 2, dtype=torch.float64)
    each = Oracle.full(problem).component_grads(x)
    torch.testing.assert_close(each.mean(1), problem.grad(x))


def test_the_hessian_is_that_of_autograd():
    inputs, y = rows()
    problem = on_rows(NET, inputs, y, generator())
    x, v = NET.initial(generator(3), 2, dtype=torch.float64)
    (product,) = torch.func.vjp(problem.grad, x)[1](v)  # the Hessian is symmetric
    torch.testing.assert_close(product, torch.autograd.functional.hessian(problem.gap, x) @ v)


def test_a_sweep_of_decays_is_one_run():
    inputs, y = rows()
    decays = torch.tensor([[0.0], [0.3]], dtype=torch.float64)
    together = on_rows(NET, inputs, y, generator(), l2=decays)
    x = NET.initial(generator(3), 3, dtype=torch.float64).expand(2, 3, -1)
    for j, decay in enumerate(decays.flatten().tolist()):
        torch.testing.assert_close(together.grad(x)[j], on_rows(NET, inputs, y, generator(), l2=decay).grad(x)[j])


def named(problem, *batch):
    return {key: torch.randn(*batch, *s, generator=generator(5), dtype=torch.float64) for key, s in problem.shape.items()}


def test_a_module_is_the_same_network_by_name():
    inputs, y = rows()
    (module,), x = modules(0)
    problem, ours = module_problem(module, inputs, y), on_rows(NET, inputs, y, generator())
    point = {key: part.expand(2, *part.shape) for key, part in problem.start.items()}
    flat = flattened(problem)
    torch.testing.assert_close(problem.gap(point), ours.gap(x).expand(2))
    torch.testing.assert_close(flat.grad(flat.starts(2)), ours.grad(x.expand(2, -1)))
    index = torch.tensor([[0, 3], [5, 5]])
    torch.testing.assert_close(flat.sample_grad(x.expand(2, -1), index), ours.sample_grad(x.expand(2, -1), index))


def test_one_solver_for_each_name_trains_a_module_as_one_for_the_vector():
    inputs, y = rows()
    (module,), _ = modules(0)
    before = copy.deepcopy(module.state_dict())
    problem = module_problem(module, inputs, y)
    each = Layerwise({key: HeavyBall(0.2, 0.5) for key in problem.shape})
    seen = run(each, Oracle.minibatch(problem, 4, generator()), problem.starts(3), 20, problem.gap)
    flat = flattened(problem)
    expected = run(HeavyBall(0.2, 0.5), Oracle.minibatch(flat, 4, generator()), flat.starts(3), 20, flat.gap)
    torch.testing.assert_close(seen.values, expected.values)
    assert seen.values[-1].max() < seen.values[0].max()
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_parts_move_by_their_own_solvers():
    inputs, y = rows()
    (module,), _ = modules(0)
    problem = module_problem(module, inputs, y)
    frozen = Layerwise({key: GradientDescent(0.0) if "bias" in key else AdamW(0.1) for key in problem.shape})
    x0 = named(problem, 2)
    end = run(frozen, Oracle.full(problem), x0, 5, problem.gap).x
    assert all(torch.equal(end[key], x0[key]) == ("bias" in key) for key in x0)
    times = hitting_times(frozen, Oracle.full(problem), x0, 50, problem.gap, torch.tensor(0.9))
    assert times.shape == (2,)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: MLP((4,)), r"widths is \(4,\); accepted are two or more"),
        (lambda: MLP((4, 2), "sine"), "activation is 'sine'; accepted are 'relu'"),
        (lambda: module_problem(nn.BatchNorm1d(4), *rows()), "buffers running_mean"),
        (lambda: module_problem(nn.Tanh(), *rows()), "no parameters"),
        (lambda: module_problem(nn.Linear(4, 3), rows()[0], torch.zeros(3)), "12 and 3 rows"),
        (lambda: split_digits(1797, generator()), "train is 1797; accepted are 1 to 1796"),
        (lambda: split_digits(9, generator(), label_noise=2.0), "label_noise is 2.0"),
        (lambda: Layerwise({"a": 3}), "a is 3; accepted are dataclasses"),
        (lambda: Layerwise({"a": SGD}).init({"b": torch.ones(1)}), "x is a dict of b; accepted are dicts of a"),
        (lambda: Layerwise({"a": SGD}).init(torch.ones(1)), "x is a tensor; accepted are dicts of a"),
        (lambda: Layerwise([]).init({"b": torch.ones(1)}), "x is a dict of b; accepted are tensors"),
        (lambda: Oracle.gaussian(module_problem(nn.Linear(4, 3), *rows()), 1.0, generator()), "points of module are dicts"),
    ],
)  # fmt: skip
def test_refused(call, line):
    with pytest.raises(ValueError, match=line):
        call()


def test_digits_keep_their_labels_but_for_the_noise():
    clean, noisy = (split_digits(1000, generator(2), label_noise=share) for share in (0.0, 0.2))
    assert torch.equal(clean.inputs, noisy.inputs)
    assert torch.equal(clean.test_labels, noisy.test_labels)
    assert (clean.labels != noisy.labels).sum() == 200
    assert len(clean.test_labels) == 797
    assert 0 <= clean.inputs.min() <= clean.inputs.max() <= 1
