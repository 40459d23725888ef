"""Every leaf of this folder, represented: the problems on which bounds are checked "on every problem"."""

from __future__ import annotations

import torch
from ratewitness.problems.data import tables as data
from ratewitness.problems.data.bigram import population_softmax, random_table, zipf
from ratewitness.problems.data.class_imbalance import group_labels, grouped_rows, grouped_softmax
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.matrix_regression import random_matrix_regression
from ratewitness.problems.data.robust_regression import random_robust_regression
from ratewitness.problems.data.softmax import random_softmax
from ratewitness.problems.data.which_testament import which_testament
from ratewitness.problems.huber import huber, huber_witness
from ratewitness.problems.noisy_quadratics import horizon_parabola, noisy_parabola, two_mode
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.power import power
from ratewitness.problems.problem import FiniteSum, flattened
from ratewitness.problems.quadratics import log_spaced, quadratic, random_rotation
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.problems.sine import sine
from ratewitness.problems.sine_valley import sine_valley
from ratewitness.problems.smooth_max import smooth_max
from ratewitness.problems.softplus import softplus
from ratewitness.problems.zero_chain import zero_chain


def catalogue(seed: int = 0, flat: bool = False) -> dict[str, FiniteSum]:
    """Representative instances by name, each a single instance (no sweep); the random ones from `seed` and the default
    device. flat: matrices as vectors, for studies in which the shape of a point means nothing."""
    generator = torch.Generator(torch.get_default_device()).manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rows = normal(100, 4)
    noisy_labels, clean_labels = (rows[:, 0] + normal(100)).sign(), rows[:, 0].sign()
    spectrum = torch.logspace(0, -2, 6, dtype=torch.float64)
    rotated = quadratic(spectrum, normal(6), random_rotation(6, generator))
    found = {
        "parabola": quadratic([0.1], [1.0]),
        "quadratic, log-spaced": log_spaced(modes=8),
        "quadratic, rotated": rotated,
        "quadratic, rotated, noisy": perturbed(rotated, 0.5, n=12),
        "quadratic, rank-deficient": quadratic([1.0, 0.1, 0.0], [1.0, 1.0, 1.0]),
        "noisy parabola": noisy_parabola(0.1, 1.0),
        "horizon parabola": horizon_parabola(1000),
        "two noisy modes": two_mode(0.01, 1.0, 1.0),
        "huber": huber(2.0, 0.3, 1.5),
        "huber witness": huber_witness(8),
        "huber, noisy": perturbed(huber_witness(8), 0.2),
        "sawtooth": sawtooth(5),
        "sawtooth, noisy": perturbed(sawtooth(5), 0.5),
        "sine": sine(3.0, 3.0),
        "sine, noisy": perturbed(sine(4.0, 3.0), 0.5),
        "sine valley": sine_valley(),
        "softplus": softplus(),
        "power 4": power(4.0),
        "power 8": power(8.0, 1.5),
        "least squares": random_least_squares(60, 5, generator),
        "least squares, rank-deficient": random_least_squares(40, 8, generator, rank=5),
        "least squares, interpolation": random_least_squares(10, 20, generator, noise=0.0),
        "logistic": logistic(rows, noisy_labels),
        "logistic, l2": logistic(rows, noisy_labels, l2=0.01),
        "logistic, separable": logistic(rows, clean_labels),
        "robust regression": random_robust_regression(50, 4, generator),
        "zero-chain": zero_chain(6),
        "zero-chain, probabilistic": zero_chain(6, n=4),
        "diabetes": data.diabetes(),
        "breast cancer, l2": data.breast_cancer(l2=0.01),
        "digits 3/8, l2": data.digits(l2=0.01),
        "digits 3/8, separable": data.digits(),
        "digits odd/even, l2": data.digits(l2=0.01, classes=None),
        "smooth max": smooth_max(6, 0.5),
        "softmax, l2": random_softmax(100, 4, 3, generator, l2=0.01),
        "matrix regression": random_matrix_regression(4, 3, 3.0, generator),
        "which testament, l2": which_testament(words=40, l2=0.01).problem,
        "bigrams": population_softmax(random_table(zipf(6), zipf(5), generator)[0]),
        "classes by heart": grouped_softmax(grouped_rows(3, generator)[0], group_labels(3)[0]),
    }
    return {name: flattened(problem) for name, problem in found.items()} if flat else found
