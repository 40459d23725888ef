r"""Does Adam fail as well where the losses are drawn at random? Theorem 3 of Reddi, Kale and Kumar, and their experiment.

    f_t(x) = C x with probability p = (1 + delta)/(C + 1), else -x, on [-1, 1]          the mean slope is delta > 0
    f_t(x) = 1010 x with probability 0.01, else -10 x                                  the mean slope is 0.2

The best fixed point is -1, for the expected losses, whose regret this is: delta (x_t + 1) in the mean over rounds. There is
no period, and no closed form of Adam's drift E m/sqrt v here. AMSGrad's maximum is at most C^2, so that once it has settled
the drift is at least delta/C: with a constant step a it crosses the box in 2 C/(delta a) rounds, after which it hovers over
-1 at distances of the order of a E g^2/(2 delta C), a diffusion with drift. On the second sequence that scale is near 100 a,
so that a step for which it is small needs millions of rounds to get there. And as most slopes are -10, the denominators are
small until the first 1010, and x moves up by about as much at first. AMSGrad is judged by the way it goes then.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237; the probability in Theorem 3 as recalled.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.online.rounds import play, regret
from ratewitness.problems.online.slopes import experiment_stochastic, reddi_stochastic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds

SOURCE = "S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237"
METHODS = {"Adam": Adam, "AMSGrad": AMSGrad}
LOSS = {"regret": "loss a round"}
C, DELTA, BETAS = 10.0, 0.5, (0.5, 0.6)


def boxed(method: str, betas: tuple[float, float], lr: float) -> Box:
    return Box(METHODS[method](lr, *betas, bias_correction=False), -1.0, 1.0)


@measured
def theorem_3_runs(budget: Budget, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Last points and average regrets (8 starts, 8 replicates): 16 C/(delta a) rounds, eight times what AMSGrad needs."""
    lr, problem = budget.pick(0.02, 0.005), reddi_stochastic(C, DELTA)
    rounds = round(16 * C / (DELTA * lr))
    x0 = torch.linspace(-1, 1, 8, dtype=torch.float64, device=budget.device).reshape(8, 1, 1).expand(-1, 8, 1)
    oracle, loss = play(problem, budget.generator("Theorem 3", method))
    trace = run(boxed(method, BETAS, lr), oracle, x0, rounds - 1, loss, at=[rounds - 1], over="mean")
    return trace.x[..., 0].cpu().numpy(), regret(problem, trace.steps, trace.values)[0].cpu().numpy()


def theorem_3(budget: Budget, method: str, end: int) -> Verdict:
    """At +1: points above 0.8 and a regret above delta; at -1: points below -0.8 and a regret below delta/2. Groups: 8."""
    x, average = (values.mean(0) for values in theorem_3_runs(budget, method))
    regrets = exceeds(average, DELTA) if end > 0 else exceeds(-average, -DELTA / 2)
    return all_of({"point": exceeds(end * x, 0.8), "regret": regrets})


@claim("phenomenon", "S25; " + SOURCE, unit="units of x", units=LOSS)
@planted("it goes to -1", end=-1)
@planted("the maximum added", method="AMSGrad")
def adam_fails_on_theorem_3(budget: Budget, method: str = "Adam", end: int = 1) -> Verdict:
    """S25: Adam goes to the wrong end where the losses of Theorem 3 are drawn at random, with an average regret above half
    of what that end costs.

    On 10 x with probability 1.5/11, else -x, Adam(0.5, 0.6) with a constant step 0.005 (quick: 0.02) ends after 64000
    (quick: 16000) rounds above 0.8 in the mean over 8 starts, with an average regret above delta = 0.5, half of what the
    point 1 costs. Each start has eight replicates, and the interval is over them."""
    return theorem_3(budget, method, end)


@claim("phenomenon", "S26; " + SOURCE, unit="units of x", units=LOSS)
@planted("it goes to +1", end=1)
@planted("maximum dropped", method="Adam")
def amsgrad_converges_on_theorem_3(budget: Budget, method: str = "AMSGrad", end: int = -1) -> Verdict:
    """S26: AMSGrad goes to the right end on the drawn losses of Theorem 3, with an average regret below a quarter of what
    the wrong end costs.

    With the betas, steps, starts and rounds of `adam_fails_on_theorem_3` it ends below -0.8 in the mean over the starts,
    with an average regret below delta/2 = 0.25, a quarter of what the point 1 costs."""
    return theorem_3(budget, method, end)


@measured
def points(budget: Budget, method: str) -> np.ndarray:
    """Where 256 (full: 64) replicates are after a tenth of the rounds and after all (2, replicates), from 0."""
    x0 = torch.zeros(budget.pick(256, 64), 1, dtype=torch.float64, device=budget.device)
    oracle, _ = play(experiment_stochastic(), budget.generator("1010 or -10", method))
    rounds = budget.pick(30_000, 600_000)
    solver = boxed(method, (0.9, 0.99), 0.001)
    return run(solver, oracle, x0, rounds, lambda x: x[..., 0], at=[rounds // 10, rounds]).values.cpu().numpy()


@claim("phenomenon", "S25, S26; " + SOURCE, unit="units of x", units={"last": "position"})
@planted("maximum dropped", down="Adam")
@planted("AMSGrad goes up", up="AMSGrad")
def opposite_ways_in_the_experiment(budget: Budget, up: str = "Adam", down: str = "AMSGrad") -> Verdict:
    """S25, S26: Adam goes up to the wrong end of the drawn experiment 1010/-10, and AMSGrad moves down, the right way.

    On 1010 x with probability 0.01, else -10 x, from 0 with betas 0.9 and 0.99 and the constant step 0.001, in the mean over
    64 (quick: 256) draws Adam is above 0.5 after 600000 (quick: 30000) rounds, and AMSGrad, raw maximum, moves down after
    the first tenth of them."""
    early, late = points(budget, down)
    descends = exceeds(early - late, 0.0).noting(last=late.mean())
    return all_of({"Adam": exceeds(points(budget, up)[1], 0.5), "AMSGrad": descends})


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
