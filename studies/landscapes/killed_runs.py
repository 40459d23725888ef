r"""Trainings that are killed by SIGKILL, go on from their checkpoint, and are compared with ones that were not.

A transformer of 10560 weights, two starts, 24 steps of 4 windows of 16 random tokens in micro-batches of 2, a checkpoint
every 5 steps. A process of its own dies in the gradient of step 13, or as its second checkpoint is written but unnamed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from ratewitness.problems.data.shards import VOCABULARY, Shards, Stream, write_shard
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import Streamed
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.landscapes.language_model_runs import Setting, method
from ratewitness.studies.measuring.checkpoints import Trained, leaves, trained

STEPS, EVERY, DIES = 24, 5, 13
NETWORK = Transformer(vocabulary=68, context=16, width=24, heads=2, layers=1)


def folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="ratewitness-shards-")


def in_a_process_of_its_own(code: str) -> subprocess.CompletedProcess:
    """Run Python that imports what this process can import."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@measured
def text(budget: Budget) -> tuple[np.ndarray, ...]:
    """Random tokens of five shards, of 1 to 6001 (quick: 1001) tokens."""
    generator = budget.generator("text")

    def drawn(count: int) -> np.ndarray:
        return torch.randint(VOCABULARY, (count,), generator=generator, device=generator.device).cpu().numpy()

    return tuple(map(drawn, (1, 700, 5, budget.pick(1001, 6001), 64)))


class Mortal(Streamed):
    """An oracle that kills its process when it is asked for the gradient of one step."""

    dies = -1

    def grad(self, x, redraw=True):
        if self.calls == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().grad(x, redraw)


def training(at: str, rule: str, order: str, file: Path | None = None, dies: int = -1) -> tuple[Trained, Streamed]:
    """The run, from a checkpoint if there is one, on windows that are "drawn", or "in order"."""
    setting = Setting(NETWORK, 2, 4, 2, STEPS, 0, 0, 0, 0, 0, 0.01, ())
    shards = Shards.in_folder(at, vocabulary=68)
    generator = torch.Generator("cpu").manual_seed(7) if order == "drawn" else None
    oracle = Mortal(NETWORK, Stream(shards, NETWORK.context, generator), setting.batch, setting.micro)
    oracle.dies = dies
    lr = torch.full((2,), 0.01, device="cpu")
    solver = method(setting, rule, lr, lr, STEPS)
    start = NETWORK.initial(torch.Generator("cpu").manual_seed(1), 2)
    held_out = shards.windows(torch.arange(5, device="cpu"), NETWORK.context)
    measure, recorded = (lambda x: oracle.loss(x, held_out)), [0, STEPS // 2, STEPS]
    return trained(solver, oracle, start, measure, recorded, file, EVERY, "a killed run"), oracle


def die(at: str, rule: str, order: str, file: str, moment: str) -> None:
    """What the process does that is killed."""
    torch.set_num_threads(1)
    if moment == "write":
        rename = os.replace
        os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL) if Path(file).exists() else rename(*names)
    training(at, rule, order, Path(file), DIES if moment == "step" else -1)


def words(run: Trained, oracle: Streamed) -> torch.Tensor:
    """All that a run is, in bytes: weights, state, losses, where it stands in its data and its generator."""
    parts = (run.x, run.values, *leaves(run.state), *leaves(oracle.state))
    return torch.cat([torch.as_tensor(part, device="cpu").contiguous().flatten().view(torch.uint8) for part in parts])


def write_text(budget: Budget, at: str) -> None:
    for j in (0, 1):
        write_shard(Path(at, f"own_train_{j:06}.bin"), np.concatenate(text(budget)) % 68)


@measured
def killed(budget: Budget, rule: str, order: str, moment: str) -> bytes | None:
    """The checkpoint that a killed process left; None where it was not killed, or left none."""
    with folder() as at:
        write_text(budget, at)
        file = Path(at, "checkpoint.pt")
        code = f"from {__name__} import die; die({at!r}, {rule!r}, {order!r}, {str(file)!r}, {moment!r})"
        status = in_a_process_of_its_own(code).returncode
        return file.read_bytes() if status == -signal.SIGKILL and file.exists() else None


def differing(budget: Budget, rule: str, order: str, moment: str, lost: str = "") -> int:
    """The bytes in which a run that was killed and went on differs from one that was not; -1 where it was not killed.

    lost: what its checkpoint is deprived of: the moments, the position, or the generator.
    """
    left = killed(budget, rule, order, moment)
    if left is None:
        return -1
    with folder() as at:
        write_text(budget, at)
        file = Path(at, "checkpoint.pt")
        file.write_bytes(left)
        if lost:
            kept = torch.load(file, weights_only=True)
            if lost == "moments":
                kept["state"] = [part * 0 if isinstance(part, torch.Tensor) else part for part in kept["state"]]
            else:
                kept["oracle"][lost] = 0 if lost == "position" else torch.Generator("cpu").manual_seed(7).get_state()
            torch.save(kept, file)
        return int((words(*training(at, rule, order, file)) != words(*training(at, rule, order))).sum())
