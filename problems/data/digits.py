r"""The 8 x 8 digits of scikit-learn as a data set for networks: 1797 images, 10 classes, split by a stated generator.

    images("train"), labels in 0, ..., 9;        pixels divided by 16, so that they lie in [0, 1]

A permutation drawn from the generator decides which images are for training; symmetric label noise replaces a stated share
of the training labels by a uniformly drawn *other* class. Test labels are never changed.

Source: scikit-learn's copy of the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

CLASSES = 10


class Digits(NamedTuple):
    """Inputs (n, 64) and labels (n,), to train on and to test on."""

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


def split_digits(train: int, generator: Generator, label_noise: float = 0.0, dtype: torch.dtype = torch.float32) -> Digits:
    """`train` random images to train on, of which exactly round(label_noise * train) get a wrong label; the rest to test.

    Raises ValueError for a train outside 1..1796 and a label_noise outside [0, 1].
    """
    from sklearn.datasets import load_digits  # not every use of the package needs it

    pixels, target = load_digits(return_X_y=True)
    if not 1 <= train < len(target):
        raise ValueError(f"train is {train}; accepted are 1 to {len(target) - 1}")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"label_noise is {label_noise}; accepted are numbers from 0 to 1")
    device = generator.device
    inputs = torch.as_tensor(pixels / 16, dtype=dtype, device=device)
    labels = torch.as_tensor(target, dtype=torch.int64, device=device)
    order = torch.randperm(len(labels), generator=generator, device=device)
    kept, rest = order[:train], order[train:]
    noisy = labels[kept].clone()
    wrong = torch.randperm(train, generator=generator, device=device)[: round(label_noise * train)]
    shift = torch.randint(1, CLASSES, (len(wrong),), generator=generator, device=device)
    noisy[wrong] = (noisy[wrong] + shift) % CLASSES
    return Digits(inputs[kept], noisy, inputs[rest], labels[rest])
