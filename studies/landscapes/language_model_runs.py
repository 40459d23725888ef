r"""Muon, SOAP and AdamW on the hidden matrices of a language model that reads shards: GPT-2 124M, or a small one on its own.

    hidden matrices     W <- (1 - a lambda) W - a 0.2 sqrt(max(m, n)) NS_5(momentum of the gradients)     (Muon)
                        or SOAP, or AdamW, with step a
    everything else     AdamW with step b, whatever the method

Betas 0.9 and 0.95 (SOAP: both 0.95, as published, and a new basis every 10 steps), decay 0.1, warm-up over 4 % of the
steps, linear decay over the last half. Each method has an a and then, with this a, a b of its own, from grids of factors of
2 around references, as wide for any method, by shorter runs that no other run shares: the small model for each start by
itself, GPT-2 once. Everything that a sweep or a start has of its own is a leading axis of one run.

History: the runs had one b, 0.008, in common until each method chose its own; streams are fresh since.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.shards import VOCABULARY, Shards, Stream, write_shard
from ratewitness.problems.data.text import king_james
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import GPT2_124M, Streamed
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.solvers.norms.soap import SOAP
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.checkpoints import Trained, trained
from ratewitness.studies.norms.transformer_runs import HIDDEN, ITERATIONS, adamw, muon, scheduled

SHARDS = 4  # of the small model's own text
INTERVAL = 10  # steps between two bases of SOAP
TUNING, FRESH = "tuning of both steps", "fresh, both steps tuned"  # streams


@dataclass(frozen=True)
class Setting:
    """All that the methods have in common."""

    network: Transformer
    seeds: int
    batch: int  # windows
    micro: int
    steps: int
    tuning_steps: int
    tuning_seeds: int  # as many as seeds, or one for all
    records: int
    held_out: int  # windows to judge by
    points: int  # of a grid
    elsewhere: float  # the middle of the grid of b
    reference: tuple[tuple[str, float], ...]  # the middle of the grid of a, by method
    folder: str | None = None  # of shards; its own if None
    compute: torch.dtype | None = None

    def grids(self, rule: str) -> dict[str, np.ndarray]:
        """Of a and of b."""
        middles = {"hidden": dict(self.reference)[rule], "elsewhere": self.elsewhere}
        return {part: middle * 2.0 ** (np.arange(self.points) - self.points // 2) for part, middle in middles.items()}


def small(budget: Budget) -> Setting:
    """111104 weights, 1024 characters a step."""
    steps, tuning, seeds, batch, held_out = budget.pick((20, 10, 1, 16, 8), (200, 100, 4, 16, 128))
    network, reference = Transformer(vocabulary=68), (("AdamW", 0.002), ("Muon", 0.01), ("SOAP", 0.002))
    return Setting(network, seeds, batch, batch, steps, tuning, seeds, 10, held_out, 7, 0.016, reference)


def gpt2(budget: Budget) -> Setting | None:
    """The NanoGPT speedrun's model, batch and length, where a GPU and a folder of shards are there."""
    if budget.device == "cpu" or not budget.data or not Path(budget.data).is_dir():
        return None
    steps, tuning, seeds, batch, held_out = budget.pick((20, 10, 1, 16, 16), (5100, 640, 3, 512, 10240))
    reference = (("AdamW", 0.0018), ("Muon", 0.0018))  # Muon's step is scaled to have the size of AdamW's
    records, bf16 = 20 if budget.name == "quick" else 51, torch.bfloat16
    return Setting(GPT2_124M, seeds, batch, 16, steps, tuning, 1, records, held_out, 5, 0.0018, reference, budget.data, bf16)


@contextmanager
def own_shards(shuffled: torch.Generator | None = None) -> Iterator[Path]:
    """A temporary folder with the King James Bible in four training shards and one to judge by, a character a token.

    shuffled: the characters in random order, which leaves nothing to learn but their frequencies.
    """
    text = king_james()
    parts = {"train": text.train.cpu(), "val": text.validation.cpu()}  # made on the default device
    if shuffled:
        parts = {
            name: p[torch.randperm(len(p), generator=shuffled, device=shuffled.device).cpu()] for name, p in parts.items()
        }
    with tempfile.TemporaryDirectory(prefix="ratewitness-shards-") as folder:
        for j, tokens in enumerate(parts["train"].tensor_split(SHARDS)):
            write_shard(Path(folder, f"bible_train_{j:06}.bin"), tokens.numpy())
        write_shard(Path(folder, "bible_val_000000.bin"), parts["val"].numpy())
        yield Path(folder)


def method(setting: Setting, rule: str, lr: torch.Tensor, elsewhere: torch.Tensor, steps: int) -> Layerwise:
    """The rule with steps lr (*batch,) for the stacks of hidden matrices, AdamW with others for what comes before them."""
    where, shapes = setting.network.layout.slices, setting.network.layout.shapes
    first = where[HIDDEN[0]].start

    def hidden(shape):
        own = lr.view(*lr.shape, *[1] * len(shape))
        if rule == "Muon":
            return replace(muon(own, steps), orthogonalize=MuonQuintic(ITERATIONS, dtype=setting.compute))
        return SOAP(scheduled(own, steps), weight_decay=0.1, interval=INTERVAL) if rule == "SOAP" else adamw(own, steps)

    before = Part(slice(0, first), (first,), adamw(elsewhere.unsqueeze(-1), steps))
    return Layerwise([before] + [Part(where[name], shapes[name], hidden(shapes[name])) for name in HIDDEN])


@measured
def losses(
    budget: Budget,
    setting: Setting,
    rule: str,
    lr: tuple,
    elsewhere: tuple,
    steps: int,
    stream: str,
    seeds: int,
    shuffled=False,
) -> Trained:
    """Loss on held-out windows (records, points, seeds) in nats a token, for steps a and b, (points or 1, 1 or seeds) each.

    The stream alone decides on starts and batches, which the points of a grid share.
    """
    network, context = setting.network, setting.network.context
    device = torch.device(budget.device)
    a, b = torch.broadcast_tensors(*(torch.as_tensor(each, device=device) for each in (lr, elsewhere)))
    a, b = (each.expand(-1, seeds) for each in (a, b))
    start = network.initial(budget.generator(stream, "start"), seeds).expand(len(a), seeds, -1)
    with (
        own_shards(budget.generator(stream, "order") if shuffled else None) if not setting.folder else _there(setting) as at
    ):
        vocabulary = min(VOCABULARY, network.vocabulary)
        train, val = (Shards.in_folder(at, part, vocabulary) for part in ("train", "val"))
        # GPT-2 reads its shards in order; the few characters of the small one are drawn
        generator = None if setting.folder else budget.generator(stream, "batches")
        oracle = Streamed(network, Stream(train, context, generator), setting.batch, setting.micro, setting.compute)
        windows = (len(val) - 1) // context
        index = torch.arange(min(setting.held_out, windows), device="cpu") * max(windows // setting.held_out, 1)
        held_out = val.windows(index, context)
        named = f"{rule} {stream}, {steps} steps"
        key = repr((named, budget.seed, replace(setting, folder=train.fingerprint()), lr, elsewhere, shuffled))
        found = trained(
            method(setting, rule, a, b, steps),
            oracle,
            start,
            lambda x: oracle.loss(x, held_out),
            [round(steps * j / setting.records) for j in range(setting.records + 1)]
            if stream == FRESH
            else [steps // 4, steps],
            checkpoints() / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.pt" if setting.folder else None,
            every=100,
            named=named,
        )
        return replace(found, x=None, state=None)  # what is remembered would fill a GPU


@contextmanager
def _there(setting: Setting) -> Iterator[Path]:
    yield Path(setting.folder)


def checkpoints() -> Path:
    """Where long runs keep what they go on from."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "ratewitness", "checkpoints")


@measured
def tuned(budget: Budget, setting: Setting, rule: str) -> pd.DataFrame:
    """The losses after tuning runs, of every start, for every a at the middle b and for every b at the chosen a: part, step,
    seed, measured, chosen, on_edge."""
    tables, steps, seeds = {}, setting.tuning_steps, setting.tuning_seeds
    at = {"hidden": None, "elsewhere": ((setting.elsewhere,),)}
    for part, grid in setting.grids(rule).items():
        at[part] = tuple((float(step),) for step in grid)
        found = losses(budget, setting, rule, at["hidden"], at["elsewhere"], steps, TUNING, seeds).values[-1]
        found = np.nan_to_num(found.double().cpu().numpy(), nan=np.inf, posinf=np.inf)  # (points, seeds)
        best = found.argmin(0)
        table = pd.DataFrame({"step": np.repeat(grid, seeds), "seed": np.tile(np.arange(seeds), len(grid))})
        table["measured"], table["chosen"] = found.ravel(), (np.arange(len(grid))[:, None] == best).astype(int).ravel()
        tables[part] = table.assign(on_edge=np.tile(np.isin(best, (0, len(grid) - 1)).astype(int), len(grid)))
        at[part] = (tuple(grid[best].tolist()),)
    return pd.concat(tables, names=["part"]).reset_index("part")


def chosen(budget: Budget, setting: Setting, rule: str, part: str = "hidden") -> tuple[float, ...]:
    """The step of each start, or the one of all, for a part of the weights."""
    table = tuned(budget, setting, rule)
    return tuple(table[(table["part"] == part) & (table["chosen"] == 1)].sort_values("seed")["step"])


def fresh(budget: Budget, setting: Setting, rule: str, steps: int, stream: str = FRESH, shuffled=False) -> Trained:
    """Runs at the tuned steps from other starts, on other batches: losses (records, 1, seeds)."""
    lr, elsewhere = ((chosen(budget, setting, rule, part),) for part in ("hidden", "elsewhere"))
    return losses(budget, setting, rule, lr, elsewhere, steps, stream, setting.seeds, shuffled)


def finals(run: Trained) -> np.ndarray:
    """The last losses (seeds,)."""
    return run.values[-1, 0].double().cpu().numpy()
