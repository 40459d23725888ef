r"""Tokenized text in shards, as the NanoGPT speedrun keeps FineWeb: written, checked, and streamed from disk.

    a shard     256 int32: magic 20240520, version 1, the number n of tokens, zeros;  then n uint16; all little-endian
    the text    the tokens of the shards of a folder in the order of their names, one shard after the other
    window i    tokens i T, ..., i T + T of the text: each window starts with the last token of the one before

    shards = Shards.in_folder("fineweb10B", "train");    stream = Stream(shards, context=1024);    stream.next(8)

No shard is held in memory: a read maps the bytes that it asks for, copies them and lets go of them. Sizes and headers are
checked when a folder is opened, tokens when they are read (`scan` reads them all): whatever is no such shard is refused
with the file and the byte. Where a stream stands is one number, and the state of its generator where it draws at random.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.data.tables import DataError
from torch import Generator, Tensor

MAGIC, VERSION = 20240520, 1
HEADER = 1024  # bytes
VOCABULARY = 50257  # of GPT-2, whose token 50256 separates documents
CHUNK = 2**20  # tokens at once where a shard is read to its end
NAMED = "accepted are files such as fineweb_{part}_000001.bin"


def write_shard(path: str | Path, tokens: ArrayLike) -> None:
    """A shard of the tokens (n,), n >= 1, integers from 0 to 65535; ValueError for others."""
    tokens = np.asarray(tokens)
    whole = tokens.ndim == 1 and len(tokens) and np.issubdtype(tokens.dtype, np.integer)
    if not (whole and tokens.min() >= 0 and tokens.max() < 2**16):
        raise ValueError(
            f"tokens have shape {tokens.shape} and dtype {tokens.dtype}; accepted are vectors of integers from 0 to 65535"
        )
    header = np.zeros(HEADER // 4, dtype="<i4")
    header[:3] = MAGIC, VERSION, len(tokens)
    Path(path).write_bytes(header.tobytes() + tokens.astype("<u2").tobytes())


def tokens_promised(path: str | Path) -> int:
    """The number of tokens that the header of a shard promises, and its size confirms.

    Raises DataError, with one line that names the file and the byte, for whatever is no whole shard.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            header = file.read(HEADER)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted are shards of tokens") from None
    magic, version, count = np.frombuffer(header[:12].ljust(12, b"\0"), dtype="<i4").tolist()
    if len(header) >= 4 and magic != MAGIC:
        raise DataError(f"{path}, byte 0: begins with {magic}; accepted is the magic number {MAGIC}")
    if len(header) < HEADER:
        raise DataError(f"{path}, byte {size}: the file ends here; accepted is a header of {HEADER} bytes")
    if version != VERSION:
        raise DataError(f"{path}, byte 4: the version is {version}; accepted is {VERSION}")
    if count < 1:
        raise DataError(f"{path}, byte 8: the header promises {count} tokens; accepted are 1 or more")
    end = HEADER + 2 * count
    if size < end:
        middle = ", in the middle of a token" if size % 2 else ""
        raise DataError(
            f"{path}, byte {size}: the file ends here{middle}; accepted is one of {end} bytes, as its header says"
        )
    if size > end:
        raise DataError(f"{path}, byte {end}: {size - end} bytes more than the header promises; accepted are {end} bytes")
    return count


@dataclass(frozen=True)
class Shards:
    """The text of some shards, in this order; `counts` are their numbers of tokens."""

    paths: tuple[Path, ...]
    counts: tuple[int, ...]
    vocabulary: int = VOCABULARY

    @classmethod
    def in_folder(cls, folder: str | Path, part: str = "train", vocabulary: int = VOCABULARY) -> Shards:
        """The shards *_{part}_*.bin of a folder in the order of their names. Raises DataError where there are none, and for
        files of such a name that are no whole shards."""
        if not Path(folder).is_dir():
            what = "is no folder" if Path(folder).exists() else "no such folder"
            raise DataError(f"{folder}: {what}; accepted is one with shards of tokens, {NAMED.format(part=part)}")
        paths = tuple(sorted(Path(folder).glob(f"*_{part}_*.bin")))
        if not paths:
            raise DataError(f"{folder}: holds no {part} shards; {NAMED.format(part=part)}")
        return cls(paths, tuple(map(tokens_promised, paths)), vocabulary)

    def __len__(self) -> int:
        """Tokens in all."""
        return sum(self.counts)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(self.counts[:-1], initial=0))

    def read(self, first: int, count: int) -> np.ndarray:
        """Tokens first, ..., first + count - 1 of the text, from as many shards as it takes: (count,) uint16.

        Raises ValueError beyond the text, and DataError for a token that is none and for a file that changed.
        """
        if not 0 <= first <= first + count <= len(self):
            raise ValueError(f"tokens {first} to {first + count} are asked for; accepted are 0 to {len(self)}")
        found, filled = np.empty(count, dtype=np.uint16), 0
        while filled < count:
            shard = bisect_right(self._starts, first + filled) - 1
            offset = first + filled - self._starts[shard]
            part = self._mapped(shard, offset, min(count - filled, self.counts[shard] - offset))
            found[filled : filled + len(part)] = part
            filled += len(part)
        return found

    def _mapped(self, shard: int, offset: int, count: int) -> np.ndarray:
        path, begin = self.paths[shard], HEADER + 2 * offset
        try:
            part = np.array(np.memmap(path, dtype="<u2", mode="r", offset=begin, shape=(count,)))
        except (OSError, ValueError):
            raise DataError(
                f"{path}, byte {begin}: cannot be read any more; accepted are shards that do not change"
            ) from None
        if part.max() >= self.vocabulary:
            at = int((part >= self.vocabulary).argmax())
            byte = begin + 2 * at
            raise DataError(f"{path}, byte {byte}: token {part[at]}; accepted are tokens below {self.vocabulary}")
        return part

    def scan(self) -> Iterator[np.ndarray]:
        """The whole text, a chunk at a time; raises DataError at the first token that is none."""
        for first in range(0, len(self), CHUNK):
            yield self.read(first, min(CHUNK, len(self) - first))

    def windows(self, index: Tensor, context: int) -> Tensor:
        """Windows of context + 1 tokens by number: (*batch,) -> (*batch, context + 1) int64."""
        found = [self.read(i * context, context + 1) for i in index.flatten().tolist()]
        return torch.from_numpy(np.stack(found).astype(np.int64)).view(*index.shape, context + 1)

    def fingerprint(self) -> str:
        """SHA-256 of names and sizes, and of the header with the first and the last million tokens of each shard: what tells
        data sets apart without reading gigabytes. Tokens between these are not looked at."""
        digest = hashlib.sha256()
        for path, count in zip(self.paths, self.counts, strict=True):
            digest.update(f"{path.name}\x1f{count}\x1f".encode())
            with path.open("rb") as file:
                digest.update(file.read(HEADER + 2 * CHUNK))
                file.seek(max(HEADER, HEADER + 2 * (count - CHUNK)))
                digest.update(file.read())
        return digest.hexdigest()


class Stream:
    """Windows of a text in their order, and from its beginning when none is left; or with a generator, uniform draws.

    Raises ValueError for a text shorter than one window.
    """

    def __init__(self, shards: Shards, context: int, generator: Generator | None = None):
        if len(shards) <= context:
            raise ValueError(f"the text has {len(shards)} tokens; accepted are more than the context {context}")
        self.shards, self.context = shards, context
        self.count = (len(shards) - 1) // context  # windows
        self.position, self._generator = 0, generator  # windows given out

    def next(self, *shape: int) -> Tensor:
        """The next windows (*shape, context + 1), int64, in main memory."""
        total = int(np.prod(shape))
        if self._generator is None:
            index = torch.arange(self.position, self.position + total, device="cpu") % self.count
        else:
            index = torch.randint(self.count, (total,), generator=self._generator, device=self._generator.device)
        self.position += total
        return self.shards.windows(index.view(shape), self.context)

    @property
    def state(self) -> dict[str, int | Tensor]:
        """Where it stands: what `restore` takes."""
        drawn = {} if self._generator is None else {"generator": self._generator.get_state()}
        return {"position": self.position, **drawn}

    def restore(self, state: dict[str, int | Tensor]) -> None:
        """Go on from a state of a stream of the same kind."""
        self.position = state["position"]
        if self._generator is not None:
            self._generator.set_state(state["generator"].cpu())
