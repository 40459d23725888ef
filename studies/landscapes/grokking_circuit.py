r"""Can six neurons add modulo p? A network without biases that answers every pair, whatever the modulus.

    z_c = (1/3) sum_{j<6} cos(c + 5 j pi/3) (cos(a + j pi/3) + cos(b + 4 j pi/3))^2 = cos(a + b - c)

The four neurons of `grokking_exact` need an output bias; the networks that are trained in `grokking` have none, and these
six are weights of that architecture. So there the rule is always within reach of the weights, at any width from 6 on.

Sources: A. Gromov (2023), arXiv:2301.02679, for circuits of cosines, with many neurons; theory/grokking.py.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.networks.modular_addition import TwoHot, addition
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import grokking as theory
from torch import Tensor

GROMOV = "S47; Gromov (2023), arXiv:2301.02679"
PROVED = (theory.six_neurons, theory.margin)
SHOWN = 19  # the modulus whose outputs the figure shows


def circuit(p: int, neurons: int, phases: tuple[int, int], device: str) -> Tensor:
    """Weights of TwoHot(p, neurons): neuron j has the phases 2 pi j (k, l, k + l)/neurons in A, B and V."""
    angle = 2 * math.pi / p * torch.arange(p, dtype=torch.float64, device=device).unsqueeze(-1)
    turn = 2 * math.pi / neurons * torch.arange(neurons, dtype=torch.float64, device=device)
    k, l = phases
    A, B, V = (torch.cos(angle + turn * m) for m in (k, l, k + l))
    return TwoHot(p, neurons).layout.join({"A": A, "B": B, "V": V.mT * 2 / neurons})


@claim("proof", f"{GROMOV}; proofs in theory/grokking.py")
@falsified(*PROVED)
def six_neurons_are_proved(budget: Budget) -> Verdict:
    """S47, refined: Six neurons with squares and no bias compute cos(a + b - c), whose margin is 1 - cos(2 pi/p) at any p.

    For symbolic angles, in use multiples of 2 pi/p. cos(2 pi/p) - cos(2 pi k/p) = 2 sin(pi (k + 1)/p) sin(pi (k - 1)/p) is
    not negative for k from 1 to p - 1: no wrong answer is nearer than the next one. Machine-checked: both identities of
    cosines; cited: nothing; in prose: that neither sine is negative."""
    return prove(*PROVED)


@claim("exact", f"{GROMOV}; theory/grokking.py")
@planted("five neurons", neurons=5)
@planted("equal phases", phases=(1, 1))
@planted("the margin of p + 1", shift=1)
def six_neurons_answer_every_pair(
    budget: Budget, neurons: int = 6, phases: tuple[int, int] = (1, 4), shift: int = 0
) -> Verdict:
    """S47, refined: Six neurons without a bias answer every pair of addition modulo p with the margin 1 - cos(2 pi/p).

    In float64, for each p from 2 to 59 (quick: to 19) and for 97 and 113, all p^2 pairs: no answer is wrong, and the least
    lead of the right output over all others agrees with the formula to 1e-9."""
    moduli = torch.tensor([*range(2, budget.pick(20, 60)), 97, 113], dtype=torch.float64)
    wrong, margins = [], []
    for p in map(int, moduli):
        labels = addition(p, 0.5, budget.generator("split"), 1).labels.reshape(-1, 1)
        z = TwoHot(p, neurons).outputs(circuit(p, neurons, phases, budget.device))
        right = z.gather(-1, labels)
        others = z.scatter(-1, labels, -math.inf).amax(-1, keepdim=True)
        wrong.append(int((others >= right).sum()))
        margins.append(float((right - others).min()))
    predicted = 1 - torch.cos(2 * math.pi / (moduli + shift))
    answers = pd.DataFrame({"method": "least margin", "x": moduli, "measured": margins, "theory": predicted})
    shown = [outputs_by_distance(each, phases, budget.device) for each in (neurons, neurons - 1)]
    pairs = equals_exactly(wrong, [0] * len(wrong))
    verdict = all_of({"pairs": pairs, "margin": agrees(margins, predicted, 1e-9)})
    return verdict.showing(pd.concat([answers.assign(low=margins, high=margins), *shown], ignore_index=True))


def outputs_by_distance(neurons: int, phases: tuple[int, int], device: str) -> pd.DataFrame:
    """The outputs of a circuit against c - a - b mod SHOWN: their mean, least and largest over all pairs."""
    z = TwoHot(SHOWN, neurons).outputs(circuit(SHOWN, neurons, phases, device)).reshape(SHOWN, SHOWN, SHOWN).cpu().numpy()
    a, b, c = np.ogrid[:SHOWN, :SHOWN, :SHOWN]
    at = [z[(c - a - b) % SHOWN == distance] for distance in range(SHOWN)]
    x = np.arange(SHOWN)
    columns = {"measured": np.mean(at, -1), "low": np.min(at, -1), "high": np.max(at, -1)}
    return pd.DataFrame({"method": f"{neurons} neurons", "x": x, **columns, "theory": np.cos(2 * np.pi * x / SHOWN)})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["six_neurons_answer_every_pair"].table
    figure, (outputs, margins) = canvas(
        f"First: the output for the answer c against its distance from a + b modulo {SHOWN}; bars are the range over all "
        "pairs (a, b), and the line is $\\cos(2 \\pi (c - a - b)/p)$. With these five neurons it depends on the pair. "
        "Second: the least margin of six neurons over all pairs, and $1 - \\cos(2 \\pi/p)$.",
        2,
    )
    looks = {"5 neurons": "C1s open", "6 neurons": "C0o", "least margin": "C2^"}
    part = table[table["method"] != "least margin"]
    part = part.assign(x=part["x"] + 0.35 * (part["method"] == "5 neurons"))  # beside the others
    x = np.linspace(0, SHOWN, 200)
    outputs.plot(x, np.cos(2 * np.pi * x / SHOWN), color="0.3", lw=1, label="_")
    draw(outputs, Panel(part, "x", "$(c - a - b)$ mod $p$", "output $z_c$", log="", theory=False), looks)
    part = table[table["method"] == "least margin"]
    draw(margins, Panel(part, "x", "modulus $p$", "margin", options={"ylim": (1e-3, 3)}), looks)
    legend_below(figure)
    return {"circuit": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
