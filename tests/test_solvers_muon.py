"""Muon against torch.optim.Muon, bit for bit where rounding permits, and against pytorch_optimizer's."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_optimizer import Muon as IndependentMuon
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.odd_polynomials import MUON
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.solvers.solver import iterates
from scipy.linalg import polar
from torch.optim._muon import _zeropower_via_newtonschulz

torch.set_num_threads(1)

STEPS = 30
SHAPES = [(6, 4), (4, 6), (5, 5), (16, 4), (1, 7)]
BFLOAT = MuonQuintic(dtype=torch.bfloat16)


class Replay:
    """The k-th gradient whatever x, so that two implementations see the same: random, of random scale."""

    def __init__(self, *shape, dtype=torch.float64):
        generator = torch.Generator().manual_seed(5)
        scales = 10 ** torch.randn(STEPS, *[1] * len(shape), generator=generator)
        self.all = (torch.randn(STEPS, *shape, generator=generator) * scales).to(dtype)
        self.x0 = torch.randn(*shape, generator=generator).to(dtype)
        self.left = iter(self.all)

    def grad(self, x):
        return next(self.left)


def ours(solver, *shape, dtype=torch.float64, replay=Replay):
    replay = replay(*shape, dtype=dtype)
    return torch.stack([x for _, x in zip(range(STEPS), iterates(solver, replay, replay.x0), strict=False)])


def theirs(optimizer_of, *shape, dtype=torch.float64, replay=Replay):
    replay = replay(*shape, dtype=dtype)
    x = torch.nn.Parameter(replay.x0.clone())
    optimizer, seen = optimizer_of(x), [replay.x0]
    for g in replay.all[: STEPS - 1]:
        x.grad = g.clone()
        optimizer.step()
        seen.append(x.detach().clone())
    return torch.stack(seen)


# The polar factor is iterated in bfloat16 by torch, and a processor decides how its products are rounded: no test can demand
# the same bits of two iterations. So the recursion is compared with torch's iteration in ours, the same code on the same
# tensor, and the iterations are compared with each other, to what flipped bits make of them.
def of_torch(u):
    return _zeropower_via_newtonschulz(u, MUON, 5, 1e-7).to(u.dtype)


# What is left is the last line, x - lr * scale * O, which torch computes with a fused multiply-add. Where lr * scale is a
# power of two the product is exact, O having 8 bits, and fusing changes nothing: equal bits along the whole path. Otherwise
# the last bit of x may differ once in each step.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(8, 12), (9, 9), (32, 8), (1, 500)])  # sqrt(max(1, m/n)) is 1 or 2
def test_bit_for_bit_torch(shape, nesterov, dtype):
    mine = Muon(2**-5, 0.9, nesterov, weight_decay=0.25, orthogonalize=of_torch)
    options = {"lr": 2**-5, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.25}
    expected = theirs(lambda x: torch.optim.Muon([x], **options), *shape, dtype=dtype)
    assert torch.equal(ours(mine, *shape, dtype=dtype), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(8, 12), (9, 9), (12, 8), (1, 500)])
def test_torch_to_rounding_with_any_step(shape, scale, dtype):
    mine = Muon(0.013, 0.95, weight_decay=0.3, orthogonalize=of_torch, scale=scale)
    options = {"lr": 0.013, "momentum": 0.95, "weight_decay": 0.3, "adjust_lr_fn": scale}
    expected = theirs(lambda x: torch.optim.Muon([x], **options), *shape, dtype=dtype)
    ulp = torch.finfo(dtype).eps * float(expected.abs().max())
    torch.testing.assert_close(ours(mine, *shape, dtype=dtype), expected, rtol=0, atol=STEPS * ulp)


# A flipped last bit is 2^-8 of an entry, and a step of the quintic multiplies it by its slope, 3.4445 at most. Flipping
# every bit of a 5 x 5 iteration at random changes an entry by up to 0.4, flipping one in fifty by up to 0.07; the largest
# change of a matrix is 0.06 and 0.02 in the mean. Where G is far below 1e-7 everything is smaller in proportion.
@pytest.mark.parametrize("size", [1.0, 1e-14])
@pytest.mark.parametrize("shape", [(8, 12), (9, 9), (32, 8), (1, 500), (6, 4), (4, 6), (1, 7)])
def test_the_iteration_is_torch_s_but_for_flipped_bits(shape, size):
    """torch divides by max(||G||_F, 1e-7), so that a gradient far below that is not orthogonalized."""
    wrong = []
    for g in size * Replay(*shape).all:
        expected = of_torch(g)
        wrong.append(float((BFLOAT(g) - expected).abs().max() / expected.abs().max()))
    assert np.mean(wrong) < 0.05
    assert max(wrong) < 0.4


@pytest.mark.parametrize("size", [0.0, 1e-14, 1e-3])
def test_tiny_gradients_are_not_orthogonalized(size):
    class Tiny(Replay):
        def __init__(self, *shape, dtype):
            super().__init__(*shape, dtype=dtype)
            self.all = size * self.all
            self.left = iter(self.all)

    path = ours(Muon(2**-5, orthogonalize=BFLOAT), 12, 8, replay=Tiny)
    assert ((path[-1] - path[0]).norm() > 0.5) == (size > 1e-7)


# pytorch_optimizer iterates in bfloat16 too, and ends with the same fused sum as torch: with its iteration in ours, one
# rounding a step is left, and no deviation in the recursion (its buffer is the same average, its decay takes the unadjusted
# lr). It differs in what it offers: its scale is a flag, `use_adjusted_lr`, and cannot be left out; and it overwrites x.grad
# with the Nesterov average, which is why the gradients here are copies.
@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(8, 12), (9, 9), (12, 8), (1, 500)])
def test_an_independent_implementation(shape, nesterov, adjusted):
    def their_iteration(u):
        return zero_power_via_newton_schulz_5(u).to(u.dtype)

    def independent(x):
        options = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "nesterov": nesterov, "use_adjusted_lr": adjusted}
        return IndependentMuon([{"params": [x], "use_muon": True}], **options)

    scale = "match_rms_adamw" if adjusted else "original"
    expected = theirs(independent, *shape, dtype=torch.float32)
    path = ours(Muon(0.02, 0.9, nesterov, 0.1, their_iteration, scale), *shape, dtype=torch.float32)
    ulp = torch.finfo(torch.float32).eps * float(expected.abs().max())
    torch.testing.assert_close(path, expected, rtol=0, atol=STEPS * ulp)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_the_recursion_with_scipy_s_polar_factor(shape, nesterov):
    """Momentum as a sum, m = mu m + g and u = g + mu m or m: larger by 1/(1 - mu), which the polar factor does not see."""
    replay = Replay(*shape)
    x, m, expected = replay.x0.numpy().copy(), 0.0, [replay.x0.numpy()]
    for g in replay.all[: STEPS - 1].numpy():
        m = 0.8 * m + g
        u = g + 0.8 * m if nesterov else m
        x = x - 0.03 * 0.5 * x - 0.03 * max(1, shape[0] / shape[1]) ** 0.5 * polar(u)[0]
        expected.append(x)
    path = ours(Muon(0.03, 0.8, nesterov, weight_decay=0.5), *shape)
    torch.testing.assert_close(path, torch.from_numpy(np.stack(expected)), rtol=0, atol=1e-12)


ORTHOGONALIZERS = {
    "exact": ExactPolar(),
    "cubic": NewtonSchulz(30),
    "quintic": MuonQuintic(5),
    "Polar Express": PolarExpress(8),
}


@pytest.mark.parametrize("name", ORTHOGONALIZERS)
def test_every_orthogonalizer_steps_near_the_polar_factor(name):
    """Distances in the spectral norm: rounding, and a band around 1 for the quintic."""
    step = Muon(1.0, momentum=0.0, orthogonalize=ORTHOGONALIZERS[name], scale=None)
    replay = Replay(8, 5)
    x, _ = step.step(replay.x0, step.init(replay.x0), replay)
    error = torch.linalg.matrix_norm(replay.x0 - x - torch.from_numpy(polar(replay.all[0].numpy())[0]), ord=2)
    assert error < (0.35 if name == "quintic" else 1e-3 if name == "Polar Express" else 1e-9)
    assert (error > 1e-3) == (name == "quintic")


@pytest.mark.parametrize("name", ORTHOGONALIZERS)
def test_a_batch_and_a_sweep_are_their_single_runs(name):
    lr = torch.tensor([0.1, 0.02], dtype=torch.float64).reshape(2, 1, 1, 1)
    momentum = torch.tensor([0.5, 0.9, 0.0], dtype=torch.float64).reshape(3, 1, 1)
    path = ours(Muon(lr, momentum, weight_decay=0.1, orthogonalize=ORTHOGONALIZERS[name]), 2, 3, 4, 6)
    for i in range(2):
        for j in range(3):

            class Part(Replay):
                def __init__(self, *shape, dtype, i=i, j=j):
                    super().__init__(2, 3, 4, 6, dtype=dtype)
                    self.x0, self.left = self.x0[i, j], iter(self.all[:, i, j])

            single = Muon(lr[i].item(), momentum[j].item(), weight_decay=0.1, orthogonalize=ORTHOGONALIZERS[name])
            torch.testing.assert_close(path[:, i, j], ours(single, 4, 6, replay=Part), rtol=0, atol=1e-10)


def test_a_schedule_is_the_step_of_each_iteration():
    replay = Replay(4, 6)
    varying, state, x = Muon(lambda k: 0.1 / (k + 1), weight_decay=0.2), None, replay.x0
    state = varying.init(x)
    for k in range(4):
        constant = Muon(0.1 / (k + 1), weight_decay=0.2)
        rest, replay.left = list(replay.left), None
        replay.left = iter(rest)
        expected, _ = constant.step(x, state, replay)
        replay.left = iter(rest)
        x, state = varying.step(x, state, replay)
        assert torch.equal(x, expected)


@given(seed=st.integers(0, 1000), m=st.integers(1, 8), n=st.integers(1, 8))
@settings(deadline=None)
def test_a_step_turns_with_its_matrix(seed, m, n):
    """Rotating rows and columns of x and g rotates the path, a zero and a tied singular value included."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    P, Q = torch.linalg.qr(normal(m, m))[0], torch.linalg.qr(normal(n, n))[0]
    left, right = torch.linalg.qr(normal(m, m))[0], torch.linalg.qr(normal(n, n))[0]
    values = torch.zeros(m, n, dtype=torch.float64)
    values.diagonal().copy_(torch.tensor([3.0, 1.0, 1.0, 0.0, 1e-3, 0.5, 2.0, 4.0])[: min(m, n)])
    x, g, solver = normal(m, n), left @ values @ right, Muon(0.1, weight_decay=0.1)

    class Constant:
        def __init__(self, g):
            self.grad = lambda x: g

    plain, _ = solver.step(x, solver.init(x), Constant(g))
    turned, _ = solver.step(P @ x @ Q, solver.init(x), Constant(P @ g @ Q))
    torch.testing.assert_close(turned, P @ plain @ Q, rtol=0, atol=1e-9)


def test_matching_adamw_gives_entries_of_root_mean_square_a_fifth():
    for shape in [(30, 12), (12, 30), (20, 20)]:
        path = ours(Muon(1.0, scale="match_rms_adamw"), *shape)
        size = (path[1] - path[0]).square().mean().sqrt()
        assert size == pytest.approx(0.2)


def test_a_direction_that_no_gradient_has_is_left_alone():
    class Centred(Replay):
        def __init__(self, *shape, dtype):
            super().__init__(*shape, dtype=dtype)
            self.left = iter(self.all - self.all.mean(-1, keepdim=True))

    path = ours(Muon(0.1), 6, 4, replay=Centred)
    torch.testing.assert_close(path.sum(-1), path[:1].sum(-1).expand(STEPS, 6), rtol=0, atol=1e-12)


def test_a_replicate_that_diverged_does_not_stop_the_others():
    x = torch.ones(2, 3, 2, dtype=torch.float64)
    g = torch.ones_like(x)
    g[1, 0, 0] = math.nan
    solver = Muon(0.1)
    moved, _ = solver.step(x, solver.init(x), type("Given", (), {"grad": lambda self, x: g})())
    alone, _ = solver.step(x[:1], solver.init(x[:1]), type("Given", (), {"grad": lambda self, x: g[:1]})())
    torch.testing.assert_close(moved[:1], alone, rtol=1e-13, atol=0)  # a batch of two products may be added in another order
    assert moved[1].isnan().all()
