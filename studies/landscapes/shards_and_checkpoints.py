r"""Can a training that reads shards be trusted: its data, its memory, what it refuses, and what it does after a kill?

    window i = tokens i T, ..., i T + T of all shards in a row;        a run that was killed = one that was not, bit for bit

What `muon_language_model` rests on, judged on files and processes that the study makes itself: shards of random tokens,
sparse ones of up to 256 MB, damaged ones, and trainings that are killed by SIGKILL. The format is that of the NanoGPT
speedrun (`problems/data/shards.py`), checkpoints are those of `studies/measuring/checkpoints.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ratewitness.problems.data.shards import HEADER, VOCABULARY, Shards, Stream, write_shard
from ratewitness.problems.data.tables import DataError
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.studies.landscapes.killed_runs import differing, folder, in_a_process_of_its_own, text

READER = "S37; llm.c and github.com/KellerJordan/modded-nanogpt, the format of their shards"
HELD = 16 * 2**20  # bytes that streaming may add to the memory of a process
SIZES = (2**24, 2**25, 2**26, 2**27)  # tokens


@claim("exact", READER)
@planted("windows that share no token", overlap=0)
@planted("shards from last to first", order=-1)
@planted("the other order of bytes", swapped=True)
def streams_what_was_written(budget: Budget, overlap: int = 1, order: int = 1, swapped: bool = False) -> Verdict:
    """S37: What is written into shards is streamed back from disk token for token, across the ends of shards.

    Five shards of 1 to 6001 (quick: 1001) random tokens below 50257, context 1, 7 and 64, as integers: all windows in order
    and once around, 3 at a time, and 200 by number in random order, equal slices of the concatenated tokens; and a stream
    that is restored after half of them gives the others."""
    parts, verdicts = text(budget), {}
    whole = np.concatenate(parts[::order])
    whole = whole.astype("<u2").byteswap().astype(int) if swapped else whole
    with folder() as at:
        for j, tokens in enumerate(parts):
            write_shard(Path(at, f"own_train_{j:06}.bin"), tokens)
        shards = Shards.in_folder(at)
        for T in (1, 7, 64):
            stream = Stream(shards, T)
            n = stream.count
            start = (np.arange(n + 3) % n) * (T + 1 - overlap)
            expected = whole[np.minimum(start[:, None] + np.arange(T + 1), len(whole) - 1)]
            found = [stream.next(3).numpy() for _ in range(n // 6)]
            again = Stream(shards, T)
            again.restore(stream.state)
            found = np.concatenate(found + [again.next(3).numpy() for _ in range((n + 3) // 3 - n // 6)])
            index = torch.randint(n, (200,), generator=torch.Generator("cpu").manual_seed(T), device="cpu")
            drawn = shards.windows(index, T).numpy()
            verdicts[f"context {T}, in order"] = equals_exactly(found, expected[: len(found)])
            verdicts[f"context {T}, by number"] = equals_exactly(drawn, expected[index.numpy()])
    return all_of(verdicts)


def grown(call: Callable[[], object]) -> float:
    """By how many bytes a call raises the peak of resident memory above its start; NaN where the system does not say."""

    def kilobytes(name: str) -> int:
        return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = kilobytes("VmRSS")
        call()
        return 1024.0 * (kilobytes("VmHWM") - before)
    except OSError:
        return np.nan


def streamed(path: Path) -> None:
    """64 batches from all over a shard, and 16 drawn ones."""
    shards = Shards((path,), ((path.stat().st_size - HEADER) // 2,))
    stream, drawn = Stream(shards, 1024), Stream(shards, 1024, torch.Generator("cpu").manual_seed(0))
    for j in range(64):
        stream.restore({"position": j * stream.count // 64})
        stream.next(16)
    for _ in range(16):
        drawn.next(16)


READS = {
    "streamed": streamed,
    "as a whole": lambda path: np.fromfile(path, dtype="<u2"),
    "mapped as a whole": lambda path: int(np.memmap(path, dtype="<u2", mode="r").max()),
}


def grow(paths: list[str]) -> None:
    """What a process of its own prints: how much each of READS makes it grow, path by path."""
    for read in READS.values():
        print(*[grown(lambda path=path, read=read: read(Path(path))) for path in paths])


@measured
def growth(budget: Budget) -> dict[str, list[float]]:
    """`grown` by each of READS for every size, in a process that does nothing else: in this one memory that others left may
    be used again, so that nothing grows."""
    sizes = SIZES[: budget.pick(2, None)]
    with folder() as at:
        paths = [str(Path(at, f"own_train_{j:06}.bin")) for j in range(len(sizes))]
        for path, count in zip(paths, sizes, strict=True):
            write_shard(path, [0])
            with Path(path).open("r+b") as file:
                file.seek(8)
                file.write(np.array([count], dtype="<i4").tobytes())
                file.truncate(HEADER + 2 * count)
        done = in_a_process_of_its_own(f"from {__name__} import {grow.__name__}; {grow.__name__}({paths!r})")
        done.check_returncode()
    lines = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    return dict(zip(READS, lines, strict=True))


@claim("upper bound", READER, units={"largest_shard": "bytes"})
@planted("shards that are read as a whole", read="as a whole")
@planted("shards that are mapped as a whole", read="mapped as a whole")
def holds_no_shard_in_memory(budget: Budget, read: str = "streamed") -> Verdict:
    """S37: Streaming raises the resident memory of a process by at most 16 MiB, whatever the size of a shard.

    Batches of 16 windows of 1024 tokens, 64 from all over a shard and 16 drawn, from shards of 32, 64, 128 and 256 MB
    (quick: 32 and 64; zeros that take no room on disk), in a process that does nothing else; the peak of resident memory
    over its value before, as Linux counts it, mapped pages included. Where the system does not say, nothing is decided."""
    found = growth(budget)[read]
    # the smaller ones leave room that is used again: nothing may be added at all
    held = np.full(len(found), float(HELD))
    return bound_holds(found, held, floor=-1.0).noting(largest_shard=2.0 * SIZES[len(found) - 1])


def damages(budget: Budget) -> list[tuple[str, bytes, int]]:
    """What is wrong, the bytes of the file, and the first byte at which they are none of a shard."""
    generator = budget.generator("damage")

    def some(low: int, high: int) -> list[int]:
        drawn = torch.randint(low, high, (budget.pick(4, 40),), generator=generator, device=generator.device)
        return sorted({*drawn.tolist()})

    with folder() as at:
        path = Path(at, "whole.bin")
        write_shard(path, text(budget)[1])
        whole = path.read_bytes()
    end = len(whole)

    def with_word(place: int, value: int, kind: str) -> bytes:
        word = np.array([value], dtype=kind).tobytes()
        return whole[:place] + word + whole[place + len(word) :]

    cut = [*range(0, HEADER, 64), HEADER - 1, HEADER, HEADER + 1, end - 2, end - 1, *some(HEADER, end)]
    found = [("truncated", whole[:size], size) for size in cut]
    found += [("goes on", whole + b"\0" * more, end) for more in (1, 2, HEADER, end)]
    found += [("foreign", with_word(0, magic, "<i4"), 0) for magic in (0, 20240521, 20240801, -1)]
    found += [("foreign", with_word(0, 20240520, ">i4"), 0), ("foreign", b"In the beginning" * 100, 0)]
    found += [("version", with_word(4, version, "<i4"), 4) for version in (0, 2, -1)]
    found += [("count", with_word(8, count, "<i4"), 8) for count in (0, -1)]
    found += [("count", with_word(8, 700 + more, "<i4"), end if more > 0 else end + 2 * more) for more in (1, 7, -1, -7)]
    places = [0, 699, *some(0, 700)]
    found += [("token", with_word(HEADER + 2 * j, VOCABULARY + j, "<u2"), HEADER + 2 * j) for j in places]
    return found


@claim("exact", READER)
@planted("tokens counted from the end of the header", header=0)
@planted("the byte after the first wrong one", late=1)
@planted("tokens that are not looked at", scanned=False)
def refuses_damaged_shards(budget: Budget, header: int = HEADER, late: int = 0, scanned: bool = True) -> Verdict:
    """S37: A truncated, longer, corrupt or foreign shard is refused in one line that names the file and the first wrong
    byte.

    All of: cut at 21 lengths and 40 random ones (quick: 4), 4 times too long, 6 foreign beginnings (other magic numbers, the
    other order of bytes, text), 3 versions, 6 counts, and a token of 50257 or more at both ends and 40 (quick: 4) random
    places; each as the second shard of a folder. The whole file beside them is read without complaint."""
    found, predicted = [], []
    cases = damages(budget)
    with folder() as at:
        write_shard(Path(at, "own_train_000000.bin"), text(budget)[1])
        path = Path(at, "own_train_000001.bin")
        for kind, content, byte in cases:
            path.write_bytes(content)
            found.append(named(Path(at), path, scanned))
            predicted.append(byte + late - (HEADER - header if kind == "token" else 0))
        path.unlink()
        accepted = sum(map(len, Shards.in_folder(at).scan())) == len(text(budget)[1])
    table = {"damage": [kind for kind, _, _ in cases], "measured": found, "theory": predicted}
    return equals_exactly([*found, int(accepted)], [*predicted, 1]).showing(table)


def named(at: Path, path: Path, scanned: bool) -> int:
    """The byte that a refusal of the path names; -1 where it is not refused, or with another line."""
    try:
        for _ in Shards.in_folder(at).scan() if scanned else Shards.in_folder(at).paths:
            pass
    except DataError as error:
        line = re.fullmatch(rf"{re.escape(str(path))}, byte (\d+): .+; accepted .+", str(error))
        return int(line[1]) if line else -1
    return -1


@claim("exact", "S37; derived here", units={"bytes_that_differ": "bytes"})
@planted("the moments lost", lost="moments")
@planted("the position in the data lost", lost="position")
@planted("the state of the generator lost", lost="generator")
def resumes_bit_for_bit(budget: Budget, lost: str = "") -> Verdict:
    """S37: A training that is killed and started again ends where one that was not killed does, bit for bit.

    On a CPU with one thread, 24 steps of a transformer of 10560 weights (`killed_runs`): Muon on windows that are drawn,
    killed by SIGKILL in the gradient of a step, and (full) in order, killed as a checkpoint is written but has no name yet;
    and AdamW the other way around. Compared are all bytes of weights, moments, losses, position and generator."""
    orders, moments = ("drawn", "in order") * 2, ("step", "write", "write", "step")
    cases = [*zip(("Muon", "Muon", "AdamW", "AdamW"), orders, moments, strict=True)]
    needed = {"position": ("in order",), "generator": ("drawn",)}.get(lost, ("in order", "drawn"))
    cases = [case for case in cases[: budget.pick(1, 4)] if case[1] in needed]
    found = [differing(budget, *case, lost) for case in cases]
    return equals_exactly(found, np.zeros(len(found), dtype=int)).noting(bytes_that_differ=float(max(found, default=np.nan)))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
