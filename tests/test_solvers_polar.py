"""The orthogonalizers against the SVD, scipy, torch's and pytorch_optimizer's Newton-Schulz, and their own symmetries."""

import numpy as np
import pytest
import scipy
import torch
from catalogue import ORTHOGONALIZERS
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.solvers.norms.odd_polynomials import CUSHION, MUON, greedy_composition, pade_polynomial
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from scripted import normal
from torch.testing import assert_close

ALL, PURE = ORTHOGONALIZERS.values(), ORTHOGONALIZERS["pure"]
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))


def spectral_map(g, polynomials, norm):
    """U p_T(...p_1(S/norm)) V^T through the SVD: what products must give."""
    U, S, Vh = np.linalg.svd(g.numpy(), full_matrices=False)
    s = S / norm
    for p in polynomials:
        s = s * np.polyval(np.array(p)[::-1], s * s)
    return torch.from_numpy((U * s) @ Vh)


@given(SHAPES, st.integers(0, 2**20), st.sampled_from([3, 5, 7, 9]))
def test_products_apply_the_polynomial_to_the_singular_values(shape, seed, degree):
    g = normal(*shape, seed=seed)
    norm = float(torch.linalg.matrix_norm(g))
    assert_close(NewtonSchulz(3, degree)(g), spectral_map(g, [pade_polynomial(degree)] * 3, norm), rtol=0, atol=1e-12)
    assert_close(MuonQuintic(4)(g), spectral_map(g, [MUON] * 4, norm), rtol=0, atol=1e-12)
    published = greedy_composition(4, degree, 1e-3, cushion=CUSHION, safety=1.01).polynomials
    assert_close(PolarExpress(4, degree)(g), spectral_map(g, published, 1.01 * norm + 1e-7), rtol=0, atol=1e-11)


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 4), (4, 1), (1, 1)])
def test_the_exact_factor_is_scipys(shape):
    g = normal(*shape)
    assert_close(ExactPolar()(g), torch.from_numpy(scipy.linalg.polar(g.numpy())[0]))


@given(SHAPES, st.integers(0, 6), st.integers(0, 2**20))
def test_the_exact_factor_is_a_partial_isometry_on_the_range_of_g(shape, rank, seed):
    rank = min(rank, *shape)
    g = normal(shape[0], rank, seed=seed) @ normal(rank, shape[1], seed=seed + 1)
    S = np.linalg.svd(g.numpy(), compute_uv=False)
    x = ExactPolar()(g)
    found = np.linalg.svd(x.numpy(), compute_uv=False)
    assert np.allclose(found, [1] * rank + [0] * (len(S) - rank), atol=1e-10)
    assert float((g * x).sum()) == pytest.approx(S.sum(), rel=1e-9)  # <g, x> is the nuclear norm


def test_what_counts_as_zero():
    for ratio, kept in ((1e-15, 1.0), (1e-16, 0.0)):  # max(m, n) eps = 4.4e-16
        x = ExactPolar()(torch.diag(torch.tensor([1.0, ratio * 3], dtype=torch.float64)))
        assert x[1, 1] == pytest.approx(kept)
        assert x[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("f", ALL, ids=ORTHOGONALIZERS)
def test_a_batch_equals_its_members(f):
    for shape in ((2, 3, 4, 6), (2, 3, 6, 4), (1, 2, 1, 5, 5)):
        g = normal(*shape)
        g[(0,) * (len(shape) - 2)] = 0
        singles = torch.stack([f(member) for member in g.reshape(-1, *shape[-2:])]).reshape(shape)
        assert_close(f(g), singles, rtol=0, atol=1e-12)
        assert f(g)[(0,) * (len(shape) - 2)].abs().max() == 0


@pytest.mark.parametrize("f", ALL, ids=ORTHOGONALIZERS)
def test_orthogonal_factors_and_the_transpose_go_through(f):
    g, rotate, turn = normal(4, 6), *(torch.linalg.qr(normal(n, n, seed=n)).Q for n in (4, 6))
    assert_close(f(rotate @ g @ turn), rotate @ f(g) @ turn, rtol=0, atol=1e-11)
    assert_close(f(g.mT), f(g).mT, rtol=0, atol=1e-13)


@pytest.mark.parametrize("f", [ExactPolar(), NewtonSchulz(3), NewtonSchulz(3, degree=9), PURE], ids=str)
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e-8, 3.0, 1e200, 4e307])
def test_no_scale_matters(f, scale):
    g = torch.tensor([[1.0, -2.0, 3.0], [0.0, 4.0, 1.0]], dtype=torch.float64)
    assert_close(f(scale * g), f(g), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("f", [NewtonSchulz(8), PURE], ids=["cubic", "pure"])
def test_a_scale_beyond_the_iterations_precision_does_not_matter(f, dtype):
    low = type(f)(**{**vars(f), "dtype": dtype})
    g = normal(3, 5)
    assert_close(low(1e300 * g), low(g), rtol=0, atol=1e2 * torch.finfo(dtype).eps)
    assert low(g).dtype == torch.float64


def test_epsilon_stands_where_it_is_said():
    g = torch.tensor([[3e-8, 0.0], [0.0, 4e-8]], dtype=torch.float64)  # ||g||_F = 5e-8 < 1e-7
    x = (3e-8 / 1e-7, 4e-8 / 1e-7)
    expected = [a * np.polyval(np.array(MUON)[::-1], a * a) for a in x]
    assert_close(MuonQuintic(1)(g).diag(), torch.tensor(expected, dtype=torch.float64))
    (p,) = greedy_composition(1, 5, 1e-3).polynomials
    x = [a / (1.01 * 5e-8 + 1e-7) for a in (3e-8, 4e-8)]
    expected = [a * np.polyval(np.array(p)[::-1], a * a) for a in x]
    assert_close(PolarExpress(1, cushion=0.0)(g).diag(), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(16, 16), (8, 32), (32, 8)])
def test_muon_is_torchs_in_bfloat16(shape):
    muon = pytest.importorskip("torch.optim._muon")
    g = normal(*shape, dtype=torch.float32)
    theirs = muon._zeropower_via_newtonschulz(g, MUON, 5, 1e-7)
    # the same roundings, but for the power of two that is taken out first, which is exact, and the kernel of a batch
    assert_close(MuonQuintic(dtype=torch.bfloat16)(g), theirs.float(), rtol=0, atol=2**-6)
    assert_close(MuonQuintic()(g), theirs.float(), rtol=0, atol=0.1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("f", [MuonQuintic(), PolarExpress(6, eps=0.0)], ids=["muon", "published"])
def test_quintics_are_pytorch_optimizers_to_rounding(f, dtype):
    matrices = pytest.importorskip("pytorch_optimizer.optimizer.utils.matrix")
    for shape in ((2, 6, 9), (9, 6), (5, 5)):
        g, safety = normal(*shape, dtype=dtype), getattr(f, "safety", 1.0)
        theirs = matrices.zero_power_via_newton_schulz_5(g, f.steps, 1e-7, safety, list(f.polynomials), dtype=dtype)
        assert_close(f(g), theirs, rtol=0, atol=1e3 * torch.finfo(dtype).eps)


def test_convergence_to_the_polar_factor():
    g = normal(6, 10)
    polar = ExactPolar()(g)
    for f in (NewtonSchulz(12), NewtonSchulz(9, degree=5), PURE, PolarExpress(8)):
        assert_close(f(g), polar, rtol=0, atol=1e-9)
    assert (MuonQuintic(12)(g) - polar).abs().max() > 1e-2


def test_integers_of_numpy_count():
    g, two = normal(3, 5), np.int64(2)
    assert torch.equal(NewtonSchulz(two, degree=np.int64(5))(g), NewtonSchulz(2, degree=5)(g))
    assert torch.equal(MuonQuintic(two)(g), MuonQuintic(2)(g))
    assert torch.equal(PolarExpress(two, degree=np.int32(7), low=0.37)(g), PolarExpress(2, degree=7, low=0.37)(g))


@pytest.mark.cuda
def test_the_same_on_a_gpu():
    g = normal(3, 5, 8)
    for f in ALL:
        assert_close(f(g.cuda()).cpu(), f(g), rtol=0, atol=1e-11)
