"""LMOs: every norm passes the assertion of solvers.testing on hard inputs; edge cases, batches, dtypes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.solvers.norms import lmo
from ratewitness.solvers.norms.lmo import NORMS, Norm
from ratewitness.solvers.norms.testing import assert_lmo, matrices, vectors
from scripted import normal, shape_of

every_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
LARGE = {"ky_fan_2": 2, "ky_fan_spectral_2": 2}  # the least size or side that k = 2 needs


def points(norm: Norm):
    least = LARGE.get(norm.name, 1)
    return (vectors if norm.ndim == 1 else matrices)(least, dtype=torch.float64)


@every_norm
@settings(max_examples=15)
@given(data=st.data())
def test_every_lmo_is_one(norm, data):
    g = data.draw(points(norm))
    assert_lmo(norm.lmo, norm.name, g, stack=True)


@every_norm
@settings(max_examples=8)
@given(data=st.data())
def test_value_and_dual_are_those_of_the_lmo(norm, data):
    g = data.draw(points(norm))
    x, largest = norm.lmo(g), g.abs().max()
    if largest == 0:
        assert (x == 0).all()
        assert norm.dual(g) == norm.value(g) == 0
        return
    torch.testing.assert_close(norm.value(x), torch.ones((), dtype=torch.float64), rtol=1e-12, atol=0)
    g = g / largest  # the dual norm of 1e300 may overflow
    torch.testing.assert_close(norm.dual(g), -(g * x).sum(), rtol=1e-12, atol=0)


@every_norm
@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e307])
def test_norms_are_homogeneous_at_every_scale(norm, scale):
    g = normal(3, *shape_of(norm))
    scaled = g * scale
    back = scaled.double() / scale  # what a denormal has kept of g
    torch.testing.assert_close(norm.lmo(scaled), norm.lmo(back), rtol=1e-9, atol=1e-12)
    if scale < 1e300:
        torch.testing.assert_close(norm.value(scaled) / scale, norm.value(back), rtol=5e-4, atol=0)
        torch.testing.assert_close(norm.dual(scaled) / scale, norm.dual(back), rtol=5e-4, atol=0)


@every_norm
def test_a_batch_equals_its_singles(norm):
    g = normal(3, 2, *shape_of(norm))
    g[1, 0] = 0
    g[2, 1] *= 1e-250
    for method in (norm.value, norm.dual, norm.lmo):
        together = method(g)
        alone = torch.stack([torch.stack([method(g[i, j]) for j in range(2)]) for i in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)
        assert method(g[:0]).shape == (0, *together.shape[1:])


@every_norm
def test_the_argument_and_its_layout_do_not_matter(norm):
    g = normal(3, *shape_of(norm))
    before, strided = g.clone(), g.movedim(0, -1).contiguous().movedim(-1, 0)
    for method in (norm.value, norm.dual, norm.lmo):
        torch.testing.assert_close(method(strided), method(g), rtol=1e-12, atol=1e-15)
    assert (g == before).all()
    assert (strided == before).all()


@every_norm
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_is_that_of_the_input(norm, dtype):
    g = normal(6, *shape_of(norm), dtype=dtype)
    x = norm.lmo(g)
    assert x.dtype == norm.dual(g).dtype == norm.value(g).dtype == dtype
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(x.double(), norm.lmo(g.double()), rtol=tolerance, atol=tolerance)
    assert_lmo(norm.lmo, norm.name, g[0])


def test_a_matrix_of_128_in_bfloat16_keeps_all_its_singular_values():
    g = normal(128, 128, dtype=torch.bfloat16)
    assert torch.linalg.svdvals(lmo.SPECTRAL.lmo(g).float()).min() > 0.9


def test_ties_go_to_the_first_index():
    g = torch.tensor([1.0, -2, 2, -2], dtype=torch.float64)
    assert lmo.L1.lmo(g).tolist() == [0, 1, 0, 0]
    many = torch.ones(1000, dtype=torch.float64)
    assert lmo.L1.lmo(many).nonzero().tolist() == [[0]]
    assert lmo.ky_fan(4).lmo(torch.tensor([3.0, 0, 3, 1])).tolist() == [-1, 0, 0, 0]  # 7/4 < 3
    assert lmo.ky_fan(2).lmo(torch.tensor([3.0, 0, 3, 0])).tolist() == [-0.5, 0, -0.5, 0]  # 6/2 = 3: the signs
    assert lmo.NUCLEAR.lmo(torch.eye(3)).abs().sum() == 1


def test_what_is_free_is_zero():
    g = torch.tensor([[3.0, 0, 0], [0, 0, 0], [0, 0, -2]], dtype=torch.float64)
    assert lmo.LINF.lmo(g[0]).tolist() == [-1, 0, 0]
    for norm in (lmo.SPECTRAL, lmo.COLUMN, lmo.ROW, lmo.MAX_ABS):
        torch.testing.assert_close(norm.lmo(g), torch.diag(torch.tensor([-1.0, 0, 1], dtype=torch.float64)))


@pytest.mark.parametrize(("small", "rank"), [(1e-14, 2), (4e-16, 1)])
def test_the_tolerance_decides_which_singular_values_are_zero(small, rank):
    """eps max(m, n) = 2.2e-16 * 4 = 8.9e-16 relative to the largest."""
    u, v = torch.linalg.qr(normal(4, 4))[0], torch.linalg.qr(normal(3, 3, seed=1))[0]
    g = 7 * (u[:, :1] @ v[:1] + small * u[:, 1:2] @ v[1:2])
    spectral = lmo.SPECTRAL.lmo(torch.diag(torch.tensor([7.0, 7 * small, 0, 0], dtype=torch.float64))[:, :3])
    assert torch.linalg.matrix_rank(spectral) == rank
    assert_lmo(lmo.SPECTRAL.lmo, "spectral", g)


def test_the_tolerance_is_relative_to_the_largest_singular_value():
    """Singular values 4 and 12 eps of a matrix whose largest entry is 1: 12 eps < eps max(m, n) 4 = 16 eps."""
    a, b = torch.tensor([1.0, -1, 1, -1], dtype=torch.float64), torch.tensor([1.0, 1, -1, -1], dtype=torch.float64)
    g = 1 + 3 * torch.finfo(torch.float64).eps * torch.outer(a, b)
    assert torch.linalg.matrix_rank(lmo.SPECTRAL.lmo(g)) == 1


def test_families_meet():
    g, v = normal(2, 4, 3), normal(2, 4)
    for a, b, x in [
        (lmo.ky_fan(1), lmo.LINF, v), (lmo.ky_fan(4), lmo.L1, v), (lmo.lp(2), lmo.L2, v),
        (lmo.ky_fan_spectral(1), lmo.SPECTRAL, g), (lmo.ky_fan_spectral(3), lmo.NUCLEAR, g),
        (lmo.schatten(2), lmo.FROBENIUS, g), (lmo.schatten(2 + 1e-12), lmo.FROBENIUS, g),
        (lmo.lp(1 + 1e-9), lmo.L1, v), (lmo.lp(1e9), lmo.LINF, v), (lmo.lp(1e300), lmo.LINF, v),
        (lmo.schatten(1e12), lmo.SPECTRAL, g), (lmo.norm("lp", p=3), lmo.NORMS["l3"], v),
    ]:  # fmt: skip
        for method in ("value", "dual", "lmo"):
            torch.testing.assert_close(getattr(a, method)(x), getattr(b, method)(x), rtol=1e-7, atol=1e-7)
    assert lmo.lp(1.0).name == "l1"
    assert lmo.schatten(math.inf).name == "spectral"
    assert lmo.norm("ky_fan", k=3).name == "ky_fan_3"
    assert lmo.norm("linf") is lmo.LINF


FAMILY_MEMBERS = [
    *(lmo.lp(4), lmo.lp(1.25), lmo.lp(3.0), lmo.lp(1e6), lmo.lp(np.int64(3)), lmo.lp(np.float32(1.5))),
    *(lmo.ky_fan(3), lmo.ky_fan(np.int64(2)), lmo.schatten(4), lmo.schatten(3.0), lmo.schatten(1.5), lmo.schatten(1e7)),
    *(lmo.ky_fan_spectral(3), lmo.ky_fan_spectral(np.int32(2))),
]


@pytest.mark.parametrize("member", FAMILY_MEMBERS, ids=lambda norm: norm.name)
def test_a_norm_is_found_by_the_name_that_it_prints(member):
    found, g = lmo.norm(member.name), normal(*shape_of(member))
    assert found.name == member.name
    assert ".0" not in found.name
    assert torch.equal(found.lmo(g), member.lmo(g))
    assert_lmo(found.lmo, found.name, g)


@settings(max_examples=20)
@given(p=st.floats(1, 50), g=vectors(dtype=torch.float64))
def test_every_p(p, g):
    ours = lmo.lp(p)
    scaled = g / g.abs().max() if g.abs().max() > 0 else g
    x = ours.lmo(g)
    assert np.linalg.norm(x, p) <= 1 + 1e-12
    q = p / (p - 1) if p > 1 else math.inf
    torch.testing.assert_close(-(scaled * x).sum().item(), float(np.linalg.norm(scaled, q)), rtol=1e-9, atol=0)


@every_norm
@pytest.mark.parametrize("spoiled", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_or_stays_in_its_point(norm, spoiled):
    g = normal(3, *shape_of(norm))
    g[1].view(-1)[0] = spoiled
    for method, name in ((norm.value, "x"), (norm.dual, "g"), (norm.lmo, "g")):
        with pytest.raises(ValueError, match=f"{name} contains {spoiled:g}; accepted are finite entries"):
            method(g)
        answer, clean = method(g, strict=False), method(g[::2])
        assert answer[1].isnan().all()
        torch.testing.assert_close(answer[::2], clean, rtol=1e-12, atol=0)


def test_a_sum_that_overflows_is_not_an_infinite_gradient():
    g = torch.full((4,), 1.7e308, dtype=torch.float64)
    assert lmo.LINF.lmo(g).tolist() == [-1] * 4
    torch.testing.assert_close(lmo.L2.lmo(g), torch.full((4,), -0.5, dtype=torch.float64))
    assert lmo.L1.dual(g) == 1.7e308


def test_a_norm_prints_its_name():
    assert repr(lmo.SPECTRAL) == "Norm(name='spectral', ndim=2)"
