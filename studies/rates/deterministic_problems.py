"""The problems without noise on which gradient descent and its line searches are checked, and where their gaps are exact."""

from __future__ import annotations

from functools import cache

import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic

RELIABLE = 1e8  # floors: so far above its floor a gap is exact to 1e-4, and comparing two of them means something


@cache
def deterministic(seed: int) -> dict[str, FiniteSum]:
    """Every problem of the catalogue but its copies with noise, and two on which bounds are attained, or nearly."""
    noisy = ("noisy", "horizon", "probabilistic")
    found = {name: p for name, p in catalogue(seed, flat=True).items() if not any(word in name for word in noisy)}
    return {"unit parabola": quadratic(torch.ones(1), torch.ones(1)), "huber, 21 steps": huber_witness(21)} | found
