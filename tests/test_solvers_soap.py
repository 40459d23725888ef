"""SOAP against pytorch_optimizer, against Adam in a basis known in advance, and against what symmetry demands."""

import math

import numpy as np
import pytest
import pytorch_optimizer
import torch
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.norms.soap import SOAP
from scripted import gradients, normal, path, rotation, torch_path


@pytest.mark.parametrize("interval", [1, 3, 100])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3)])
def test_a_run_is_that_of_the_published_code(shape, interval):
    """Which skips the first step, and adds eps before the bias correction; with eps this small that is no difference."""
    g = gradients(14, *shape)
    settings = {"betas": (0.9, 0.95), "precondition_frequency": interval, "weight_decay": 0.0, "eps": 1e-14}
    theirs = torch_path(pytorch_optimizer.SOAP, g, lr=0.1, **settings)
    ours = path(SOAP(0.1, 0.9, 0.95, eps=1e-14, interval=interval), g)
    # its QR decompositions are in float32
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_statement_by_statement():
    """In numpy, with one renewal of the bases; decay, and a schedule."""
    g, lr, decay = gradients(4, 3, 3, seed=4), (lambda k: 0.1 / (k + 1)), 0.2
    x = x0 = normal(3, 3, seed=5).numpy()
    L = R = m = v = QL = QR = np.zeros((3, 3))
    for k, G in enumerate(g.numpy()):
        if k:
            m, v = 0.8 * m + 0.2 * G, 0.9 * v + 0.1 * (QL.T @ G @ QR) ** 2
            mhat, vhat = QL.T @ m @ QR / (1 - 0.8**k), v / (1 - 0.9**k)
            x = (1 - lr(k) * decay) * x - lr(k) * QL @ (mhat / (np.sqrt(vhat) + 1e-3)) @ QR.T
        L, R = 0.9 * L + 0.1 * G @ G.T, 0.9 * R + 0.1 * G.T @ G
        if k == 0:
            QL, QR = (np.linalg.eigh(A)[1][:, ::-1] for A in (L, R))
        elif k % 2 == 0:
            rows, columns = (np.argsort(-np.diag(Q.T @ A @ Q)) for A, Q in ((L, QL), (R, QR)))
            QL, QR, v = np.linalg.qr(L @ QL[:, rows])[0], np.linalg.qr(R @ QR[:, columns])[0], v[rows][:, columns]
    found = path(SOAP(lr, 0.8, 0.9, 1e-3, decay, interval=2), g, torch.as_tensor(x0))[-1]
    torch.testing.assert_close(found, torch.as_tensor(x))


def test_the_first_gradient_moves_nothing():
    assert not path(SOAP(0.1), gradients(1, 3, 4)).any()


def test_diagonal_gradients_give_adam_from_the_second_one_on():
    """Their eigenbasis is that of the axes, and off the diagonal nothing moves."""
    d = gradients(9, 4, spread=0.5)
    d[:, 1:] *= torch.tensor([0.5, 0.1, 0.02])  # falling, so that the first basis has an order
    found = path(SOAP(0.1, interval=100), torch.diag_embed(d))
    expected = path(Adam(0.1, 0.95, 0.95), d[1:])
    torch.testing.assert_close(found[1:], torch.diag_embed(expected))


def test_rotations_from_both_sides_rotate_the_steps():
    """What Adam's steps do not: U G V^T gives U X V^T."""
    g, U, V = gradients(10, 4, 4), rotation(4, 1), rotation(4, 2)
    turned = path(SOAP(0.1, interval=2), U @ g @ V.mT)
    torch.testing.assert_close(turned, U @ path(SOAP(0.1, interval=2), g) @ V.mT, rtol=1e-7, atol=1e-9)
    adam = path(Adam(0.1), U @ g @ V.mT) - U @ path(Adam(0.1), g) @ V.mT
    assert adam.abs().max() > 1e-2


def test_a_sweep_is_its_single_runs_and_one_that_diverges_stops_no_other():
    g = gradients(8, 2, 3, 3)
    lr = torch.tensor([0.1, 0.3]).view(2, 1, 1)
    both = path(SOAP(lr, interval=2), g)
    torch.testing.assert_close(both[:, 1], path(SOAP(0.3, interval=2), g[:, 1]))
    g[0, 0, 0, 0] = math.nan
    spoiled = path(SOAP(lr, interval=2), g)
    assert spoiled[-1, 0].isnan().any()
    torch.testing.assert_close(spoiled[:, 1], both[:, 1])


def test_decay_is_that_of_adamw():
    """With gradients of one entry the eigenbasis is that of the axes."""
    g = gradients(6, 1, 1)
    x0 = torch.ones(1, 1, dtype=torch.float64)
    found, adamw = SOAP(0.1, weight_decay=0.5), AdamW(0.1, 0.95, 0.95, weight_decay=0.5)
    torch.testing.assert_close(path(found, g, x0)[1:], path(adamw, g[1:], x0))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lr": -1.0}, "lr is -1.0; accepted are numbers >= 0"),
        ({"beta1": 1.0}, r"beta1 is 1.0; accepted are numbers in \[0, 1\)"),
        ({"beta2": -0.1}, "beta2 is -0.1"),
        ({"eps": math.nan}, "eps is nan"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"interval": 0}, "interval is 0; accepted are integers >= 1"),
    ],
)
def test_bad_arguments(wrong, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        SOAP(**{"lr": 0.1, **wrong})


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.ones(3), r"x has shape \(3,\); accepted are matrices"),
        (torch.ones(2, 2, dtype=torch.bfloat16), "x has dtype torch.bfloat16; accepted are float32 and float64"),
    ],
)
def test_bad_points(x, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        SOAP(0.1).init(x)
