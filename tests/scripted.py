"""What many tests share: numbers from seeds, gradients given in advance, and the iterates of two implementations on them."""

import re
from collections.abc import Mapping
from functools import partial

import pytest
import torch
from ratewitness.solvers.solver import iterates


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    """Gaussian, drawn in float64 whatever the dtype."""
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


def rotation(d, seed=0):
    return torch.linalg.qr(normal(d, d, seed=seed))[0]


def from_spectrum(spectrum, power=-1.0, seed=0):
    """Q diag(spectrum^(-1/power)) Q^T, so that power -1 gives the matrix itself and p its inverse p-th root."""
    Q, spectrum = rotation(len(spectrum), seed), torch.as_tensor(spectrum, dtype=torch.float64)
    return (Q * spectrum ** (-1 / power)) @ Q.T


class Scripted:
    """An oracle that answers with given gradients, whatever the point."""

    def __init__(self, gradients):
        self.remaining = iter(gradients)

    def grad(self, x, redraw=True):
        return next(self.remaining)


def gradients(count, *shape, seed=0, spread=1.0):
    """Gaussian tensors (count, *shape), each with a scale of its own between e^-spread and e^spread."""
    generator = seeded(seed)
    scales = torch.exp(spread * (2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1))
    g = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    return scales.reshape(-1, *[1] * len(shape)) * g


def walk(solver, oracle, x0, steps):
    """x_0, ..., x_steps: (steps + 1, *shape)."""
    return torch.stack([x for _, x in zip(range(steps + 1), iterates(solver, oracle, x0), strict=False)])


def path(solver, g, x0=None):
    """The iterates after x0, or after zero, one for each gradient: (count, *shape)."""
    x0 = torch.zeros_like(g[0]) if x0 is None else x0
    return walk(solver, Scripted(g), x0, len(g))[1:]


def torch_path(optimizer, g, x0=None, schedule=None, **settings):
    """The same of an optimizer class of torch alone; schedule: its lr as a rule k -> a_k."""
    x = torch.nn.Parameter(torch.zeros_like(g[0]) if x0 is None else x0.clone())
    optimizer, seen = optimizer([x], **settings), []
    for k, G in enumerate(g):
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(k)
        x.grad = G.clone()  # some change the gradients they are given
        optimizer.step()
        seen.append(x.detach().clone())
    return torch.stack(seen)


def tensors(state):
    """The tensors of a state, or of a memory of torch, those of what it contains included."""
    if isinstance(state, torch.Tensor):
        return [state]
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else []
    return [t for part in parts for t in tensors(part)]


def shape_of(norm):
    """Of a point that a norm takes."""
    return (5,) if norm.ndim == 1 else (4, 3)


def assert_a_batch_is_its_singles(problem, x, index):
    """gap, grad and sample_grad at x (a, b, *shape) and index (a, b, count) are those of each point alone."""
    gap, grad, sample = problem.gap(x), problem.grad(x), problem.sample_grad(x, index)
    assert gap.shape == x.shape[:2]
    assert grad.shape == sample.shape == x.shape
    for i in range(len(x)):
        for j in range(len(x[0])):
            torch.testing.assert_close(gap[i, j], problem.gap(x[i, j]))
            torch.testing.assert_close(grad[i, j], problem.grad(x[i, j]))
            torch.testing.assert_close(sample[i, j], problem.sample_grad(x[i, j], index[i, j]))


def words(*parts):
    """Parts of a message, to the letter."""
    return map(re.escape, parts)


def settings_of(build, defaults, *rows):
    """Rows of a table of refusals from (what is changed of the arguments, *parts of the message)."""
    return [(build.__name__, partial(build, **defaults | changed), *parts) for changed, *parts in rows]


def every_row(rows):
    """Parametrizes a test with the rows (what refuses, a call, *parts of the message as regular expressions)."""
    cases = [pytest.param(call, parts, id=f"{name}: {parts[0]}") for name, call, *parts in rows]
    return pytest.mark.parametrize(("call", "parts"), cases)


def assert_refused(call, parts):
    """A ValueError of one line with all these parts."""
    with pytest.raises(ValueError, match=parts[0]) as raised:
        call()
    said = str(raised.value)
    assert all(re.search(part, said) for part in parts), said
    assert "\n" not in said
