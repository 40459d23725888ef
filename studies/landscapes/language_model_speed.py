"""What a run of a language model costs: operations in products of matrices, seconds here, share of a measured peak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import operations
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.judges import interval
from ratewitness.studies.landscapes.language_model_runs import INTERVAL, Setting
from ratewitness.studies.measuring.checkpoints import Trained
from ratewitness.studies.measuring.timing import seconds
from ratewitness.studies.norms.transformer_runs import HIDDEN, ITERATIONS


def hidden(network: Transformer) -> list[tuple[int, int, int]]:
    """The hidden matrices: the smaller side, the larger, and how many there are of this kind."""
    shapes = [network.layout.shapes[name] for name in HIDDEN]
    return [(min(s[-2:]), max(s[-2:]), int(np.prod(s[:-2]))) for s in shapes]


def of_the_method(network: Transformer, rule: str, qr: float = 8 / 3) -> float:
    """Operations of a step on all hidden matrices, of m rows and n >= m columns, beyond their gradients.

    Muon: T (4 n m^2 + 2 m^3) for T iterations of its quintic. SOAP: 8 m n (m + n) for the statistics and for the gradient,
    its average and the direction turned, and every 10 steps (4 + qr) (m^3 + n^3) for two products of each basis and its QR
    decomposition, 4/3 m^3 for the reflections and as much for their product. AdamW: no products of matrices.
    """
    if rule == "Muon":
        return sum(count * ITERATIONS * (4 * n * m**2 + 2 * m**3) for m, n, count in hidden(network))
    if rule == "SOAP":
        return sum(count * (8 * m * n * (m + n) + (4 + qr) * (m**3 + n**3) / INTERVAL) for m, n, count in hidden(network))
    return 0.0


def of_a_step(setting: Setting, rule: str) -> float:
    """Operations in products of matrices of one step of one network."""
    gradient = setting.batch * setting.network.context * operations(setting.network)
    return gradient + of_the_method(setting.network, rule)


@measured
def peak(budget: Budget, dtype: torch.dtype | None) -> float:
    """Operations a second in one product of large square matrices on the device: of seven, the fastest."""
    size = 8192 if budget.device != "cpu" else 1024
    a = torch.ones(size, size, dtype=dtype or torch.float32, device=budget.device)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(7))


def along(budget: Budget, setting: Setting, rule: str, run: Trained, name: str) -> pd.DataFrame:
    """Losses along a run with intervals over starts, beside operations and seconds of one network, tokens a second, and the
    share of the peak that the operations of its gradients take."""
    mean, low, high = interval(run.values[:, 0].double().cpu().numpy())
    at = np.array(run.steps)
    taken = np.array(run.seconds) / setting.seeds
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = at * setting.batch * setting.network.context / taken
    table = pd.DataFrame({"curve": name, "at": at, "operations": at * of_a_step(setting, rule) / 1e12, "seconds": taken})
    table["tokens_a_second"], table["utilization"] = rate, rate * operations(setting.network) / peak(budget, setting.compute)
    return table.assign(measured=mean, low=low, high=high)
